"""What all dialogs share, and the form of those that ask for text."""

from collections.abc import Sequence
from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, Static

from engine.run.snapshot import Phase, Snapshot

Answer = TypeVar("Answer")


class Dialog(ModalScreen[Answer]):
    """A box over the main screen that asks one thing; Escape cancels."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "dismiss", "cancel")]

    class Ready(Message):
        """A dialog takes keys from here on."""

    takes_keys = False
    """Whether something has focus, so that no key is lost."""

    def on_screen_resume(self) -> None:
        """Take keys once something has focus."""
        self.call_after_refresh(self._take_keys)

    def _take_keys(self) -> None:
        self.takes_keys = True
        self.post_message(self.Ready())

    def show(self, snapshot: Snapshot) -> None:
        """Follow the run, where what the dialog says depends on it."""

    def dismiss(self, result: Answer | None = None) -> AwaitComplete:
        """Close with an answer, once: a second Enter would close the screen below."""
        return super().dismiss(result) if self.is_active else AwaitComplete()


class TextDialog(Dialog[Answer]):
    """Asks for text in a field, and says below it what that means or what is wrong with it."""

    heading: str
    FIRST: ClassVar[str] = ""
    """What is said above the field."""
    HINTS: ClassVar[Sequence[str]] = ()
    """What can be written, for as long as nothing is wrong."""
    KEYS: ClassVar[str] = "enter accepts · esc cancels"

    def __init__(self, field: Widget) -> None:
        super().__init__()
        self._field = field
        self._meaning = Static("", markup=False)
        # It scrolls; the keys stay with the field.
        self._box = VerticalScroll(self._meaning, id="meaning", can_focus=False)
        self._hints = [Static(hint, classes="hint", markup=False) for hint in self.HINTS]

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as box:
            box.border_title = self.heading
            if self.FIRST:
                yield Static(self.FIRST, classes="hint")
            yield self._field
            yield self._box
            yield from self._hints
            yield Static(self.KEYS, classes="hint")

    def show(self, snapshot: Snapshot) -> None:
        """Close once the run ends: nothing can be asked of it any more."""
        if snapshot.phase is Phase.STOPPING or snapshot.phase.ended:
            self.dismiss(None)

    def action_scroll_meaning(self, pages: int) -> None:
        """Turn a page of what the text means."""
        self._box.scroll_relative(y=pages * self._box.size.height, animate=False)

    def say(self, words: str | Content, *, trouble: bool = False) -> None:
        """Say what the text means, or what is wrong with it; only what changes is drawn anew."""
        if words != self._meaning.content:
            self._meaning.update(words)
            self._box.set_class(trouble, "-trouble")
            # A complaint names the hints itself.
            for hint in self._hints:
                hint.display = not trouble


class InputDialog(TextDialog[Answer]):
    """Asks for a line of text."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,pageup", "scroll_meaning(-1)", show=False),
        Binding("down,pagedown", "scroll_meaning(1)", show=False),
    ]

    def __init__(self, text: str, *, placeholder: str = "", select: bool = False) -> None:
        """Begin with a text, which the first letter replaces if `select`."""
        self._input = Input(text, placeholder=placeholder, select_on_focus=select)
        super().__init__(self._input)

    @property
    def text(self) -> str:
        """The text as it is now, without the blanks around it."""
        return self._input.value.strip()
