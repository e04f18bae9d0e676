"""What screens with a table of keys share: refusals with a reason, help, and the footer."""

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Footer
from textual.widgets._footer import FooterKey

from tui.keys import Key, Moment, find
from tui.screens.help_dialog import HelpDialog


class KeyedScreen(Screen[None]):
    """A screen whose keys are grey while they do nothing, and say why when pressed."""

    KEYS: ClassVar[tuple[Key, ...]] = ()

    def __init__(self) -> None:
        super().__init__()
        self._keys_state: tuple[str, ...] = ()

    @property
    def moment(self) -> Moment:
        """What decides which keys do something now."""
        raise NotImplementedError

    def say(self, text: str, severity: str = "information") -> None:
        """Show the person a message."""
        raise NotImplementedError

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
            if event.key in key.keys and not key.hidden(self.moment):
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
        """Show what every key does."""
        displays = [self.app.get_key_display(key.bindings()[0]) for key in self.KEYS]
        self.app.push_screen(HelpDialog(self.KEYS, self.moment, displays))

    def action_light_or_dark(self) -> None:
        """Change between the two themes."""
        dark = self.app.current_theme.dark
        self.app.theme = "voicecoach-light" if dark else "voicecoach-dark"


class KeysFooter(Footer):
    """A footer whose keys carry their action as a class, so that a narrow screen can choose.

    They are in the order of the screen's table, wherever the focus is.
    """

    def __init__(self) -> None:
        super().__init__(show_command_palette=False, compact=True)

    def compose(self) -> ComposeResult:
        """Mark every key with its action; leave out those that mean nothing here."""
        # Each key follows the footer's `compact`, and Textual forgets the keys of before only
        # when that is set: a screen that is open for weeks would hold all it ever had.
        self.mutate_reactive(Footer.compact)
        screen = self.screen
        table = screen.KEYS if isinstance(screen, KeyedScreen) else ()
        order = [key.action for key in table]
        gone = {key.action for key in table if key.fades and key.why_disabled(screen.moment)}  # type: ignore[attr-defined]
        keys = [key for key in super().compose() if isinstance(key, FooterKey)]
        keys = [key for key in keys if key.action not in gone]
        for key in keys:
            key.add_class(f"-{key.action.replace('_', '-')}")
        yield from sorted(
            keys, key=lambda key: order.index(key.action) if key.action in order else len(order)
        )
