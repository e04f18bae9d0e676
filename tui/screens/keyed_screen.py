"""What screens with a table of keys share: refusals with a reason, help, and the footer."""

from collections.abc import Sequence
from dataclasses import replace
from textwrap import wrap
from typing import Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Static
from textual.widgets._footer import FooterKey

from engine.run.snapshot import Snapshot
from tui.keys import Key, Moment, find
from tui.screens.dialog import Dialog

_MIN_HELP_WIDTH, _MAX_HELP_WIDTH = 12, 59
"""Columns of what a key does, behind the key."""
_FIRST_WIDTH_WITH_LABELS = 60
"""Columns below which a footer has letters alone, help and quit excepted."""


class KeyedScreen(Screen[None]):
    """A screen whose keys are grey while they do nothing, and say why when pressed."""

    KEYS: ClassVar[tuple[Key, ...]] = ()
    DROPS_DISABLED: ClassVar[bool] = False
    """Whether a key that does nothing now leaves the footer, and is not grey there."""
    NOTES: ClassVar[tuple[str, ...]] = ()
    """What else the help says."""

    _keys_state: tuple[str, ...] = ()

    @property
    def moment(self) -> Moment:
        """What decides which keys do something now."""
        raise NotImplementedError

    def show(self, snapshot: Snapshot) -> None:
        """Follow the run."""
        raise NotImplementedError

    def say(self, text: str, severity: str = "information") -> None:
        """Show words for a moment."""
        plain = severity == "information"
        self.notify(text, severity="information" if plain else "warning", markup=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide the other meaning of a key; grey out what does nothing now."""
        key = find(action, self.KEYS)
        if key is None:
            return True
        if key.is_absent(self.moment):
            return False
        return None if key.why_disabled(self.moment) else True

    def refresh_keys(self) -> None:
        """Redraw the footer where a key was enabled or disabled."""
        moment = self.moment
        state = tuple(
            "hidden" if key.hidden(moment) else key.why_disabled(moment) for key in self.KEYS
        )
        if state != self._keys_state:
            self._keys_state = state
            self.refresh_bindings()

    def on_key(self, event: events.Key) -> None:
        """Say why a key does nothing now."""
        for key in self.KEYS:
            if event.key in key.names.split(",") and not key.hidden(self.moment):
                self.refuse(key)

    def refuse(self, key: Key) -> bool:
        """Say why a key does nothing now; return whether it does nothing."""
        why = key.why_disabled(self.moment)
        if why:
            self.say(f"{key.label}: {why}", "warning")
        return bool(why)

    async def run_key(self, key: Key) -> None:
        """Do what a key does, as the palette asks for it."""
        if not self.refuse(key):
            await self.run_action(key.action)

    def action_help(self) -> None:
        self.app.push_screen(HelpDialog(self.KEYS, self.moment, self.NOTES))

    def action_light_or_dark(self) -> None:
        dark = self.app.current_theme.dark
        self.app.theme = "voicecoach-light" if dark else "voicecoach-dark"


class HelpDialog(Dialog[None]):
    """Lists the keys of a screen, and says why some are disabled now."""

    BINDINGS: ClassVar[list[BindingType]] = [("question_mark,f1,q", "dismiss", "close")]

    def __init__(self, keys: Sequence[Key], moment: Moment, notes: Sequence[str]) -> None:
        super().__init__()
        self._keys = keys
        self._moment = moment
        self._notes = notes

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog -tall") as box:
            box.border_title = "keys"
            box.border_subtitle = "↑ ↓ scroll · esc closes"
            yield Static(Content("\n").join(self._lines()))

    def _lines(self) -> list[Content]:
        there = [key for key in self._keys if not key.is_absent(self._moment)]
        lines = [
            self._line(self._display(key), key.words(self._moment), key.why_disabled(self._moment))
            for key in there
        ]
        suspend = "Suspend screen and training; fg resumes both"
        if self._moment.attached:
            suspend = "Suspend this screen; the run continues, fg comes back"
        lines += [self._line("^p", "Command palette"), self._line("^z", suspend)]
        lines.append(self._line("^l", "Redraw the screen"))
        notes = [*self._notes]
        if self._moment.reading:
            notes.append("This screen is read-only: keys that change the run are left out.")
        return lines + [Content.styled(note, "italic $quiet") for note in notes]

    def _display(self, key: Key) -> str:
        return " ".join(map(self.app.get_key_display, Binding.make_bindings([key.binding])))

    def _line(self, keys: str, does: str, why: str = "") -> Content:
        room = max(_MIN_HELP_WIDTH, min(_MAX_HELP_WIDTH, self.app.size.width * 96 // 100 - 15))
        lines = [("", line) for line in wrap(does, room)]
        lines += [("italic ", line) for line in wrap(f"not now: {why}", room) if why]
        parts = [(f"{keys:>7}  ", "$quiet" if why else "bold $training")]
        for place, (style, text) in enumerate(lines):
            before = f"\n{'':9}" if place else ""
            parts.append((before + text, f"{style}$quiet" if why else ""))
        return Content.assemble(*parts)


class KeysFooter(Footer):
    """The keys in the order of the screen's table, wherever the focus is.

    Where there is no room for all, the last are left out; the help has them.
    """

    def __init__(self) -> None:
        super().__init__(show_command_palette=False, compact=True)
        self._composed: list[tuple[Key, str | None, str, str]] = []

    def compose(self) -> ComposeResult:
        """Show every key that means something here."""
        self._composed = self._shown()
        for place, (key, label, why, tooltip) in enumerate(self._composed):
            if label is None:
                continue
            if place == len(self._composed) - 2:
                yield Static(classes="footer-gap")
            yield FooterKey(
                _first_name(key),
                self._display(key),
                label,
                key.action,
                disabled=bool(why),
                tooltip=tooltip,
                classes="-compact",  # which it would be given later, and styled again
            )

    async def on_resize(self) -> None:
        """Choose the labels anew where the width calls for others."""
        await self._draw_changes()

    def bindings_changed(self, screen: Screen[Any]) -> None:
        """Look whether keys changed; every change of focus comes here, and few change any."""
        self.call_after_refresh(self._draw_changes)

    async def _draw_changes(self) -> None:
        if self.is_attached and self._shown() != self._composed:
            await self.recompose()

    def _shown(self) -> list[tuple[Key, str | None, str, str]]:
        """Return each key, its label if there is room, why it does nothing now, and its words."""
        screen, keys = self.screen, self._keys()
        assert isinstance(screen, KeyedScreen)
        moment = screen.moment
        return [
            (key, label, key.why_disabled(moment), key.words(moment))
            for key, label in zip(keys, self._labels(keys), strict=True)
        ]

    def _keys(self) -> list[Key]:
        screen = self.screen
        assert isinstance(screen, KeyedScreen)
        moment = screen.moment
        return [
            key
            for key in screen.KEYS
            if (key.show or (key.finds_hidden and moment.one_panel))
            and not (key.is_absent(moment) or key.useless(moment))
            and not (screen.DROPS_DISABLED and key.why_disabled(moment))
        ]

    def _labels(self, keys: Sequence[Key]) -> list[str | None]:
        return fitting_labels(
            [(self._display(key), key.label) for key in keys], self.app.size.width
        )

    def _display(self, key: Key) -> str:
        return self.app.get_key_display(replace(key.binding, key=_first_name(key)))


def _first_name(key: Key) -> str:
    return key.names.split(",")[0]


def fitting_labels(keys: Sequence[tuple[str, str]], width: int) -> list[str | None]:
    """Choose what stands behind each key of a footer, so that none is cut off.

    Of keys and their labels, the last two, help and quit, stay; of the others, those at the end
    are left out (None). Below 60 columns the others have no labels.
    """
    others = range(len(keys) - 2)
    labels: list[str | None] = [label for _, label in keys]
    if width < _FIRST_WIDTH_WITH_LABELS:
        labels[:-2] = [""] * len(others)

    def is_too_wide() -> bool:
        cells = (
            len(key) + 1 + (len(label) + 1 if label else 0)
            for (key, _), label in zip(keys, labels, strict=True)
            if label is not None
        )
        # A gap stands before the last two, where the last cell of all has none behind it.
        return sum(cells) > width

    if width < _FIRST_WIDTH_WITH_LABELS:
        for place in (-2, -1):
            labels[place] = "" if is_too_wide() else labels[place]
    for place in reversed(others):
        labels[place] = None if is_too_wide() else labels[place]
    return labels
