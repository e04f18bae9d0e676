"""What every key does, taken from the keys themselves."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tui.keys import Key, Moment
from tui.screens.dialog import Dialog


class HelpDialog(Dialog[None]):
    """Lists the keys of a screen, and says why some are disabled now."""

    BINDINGS: ClassVar[list[BindingType]] = [("question_mark,f1,q", "leave_it", "close")]

    def __init__(self, keys: Sequence[Key], moment: Moment, displays: Sequence[str]) -> None:
        """Take the names of the keys, in their order, as the footer shows them."""
        super().__init__()
        self._keys = keys
        self._moment = moment
        self._displays = displays

    def compose(self) -> ComposeResult:
        """List the keys."""
        with VerticalScroll(classes="dialog -tall") as box:
            box.border_title = "keys"
            box.border_subtitle = "esc closes"
            yield Static(self._words())

    def _words(self) -> Content:
        lines = []
        for key, display in zip(self._keys, self._displays, strict=True):
            if key.is_absent(self._moment):
                continue
            why = key.why_disabled(self._moment)
            lines.append(
                Content.assemble(
                    (f"{display:>5}  ", "$quiet" if why else "bold $training"),
                    (key.words(self._moment), "$quiet" if why else ""),
                    (f"\n       not now: {why}" if why else "", "italic $quiet"),
                )
            )
        suspend = "Suspend screen and training; fg resumes both"
        if self._moment.attached:
            suspend = "Suspend this screen; the run continues, fg comes back"
        lines.append(
            Content.assemble(
                ("   ^p  ", "bold $training"),
                "Command palette\n",
                ("   ^z  ", "bold $training"),
                suspend,
            )
        )
        if self._moment.reading:
            note = "       This screen is read-only: keys that change the run are left out."
            lines.append(Content.styled(note, "italic $quiet"))
        return Content("\n").join(lines)
