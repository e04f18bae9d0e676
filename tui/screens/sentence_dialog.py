"""The question behind `e`."""

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input, Static

from engine.formatting import printable
from tui.screens.dialog import Dialog


class SentenceDialog(Dialog[str]):
    """Asks for the sentence that auditions speak."""

    def __init__(self, sentence: str) -> None:
        super().__init__()
        self._sentence = printable(sentence)
        self._trouble = Static("", id="trouble")

    def compose(self) -> ComposeResult:
        """Show the present sentence, ready to be changed."""
        with Vertical(classes="dialog") as box:
            box.border_title = "sentence"
            yield Input(self._sentence, select_on_focus=False)
            yield self._trouble
            yield Static("enter accepts · esc cancels", classes="hint")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Close with the sentence, unless there is none."""
        sentence = event.value.strip()
        if sentence:
            self.dismiss(sentence)
        else:
            self._trouble.update("empty: write a sentence")

    def on_input_changed(self) -> None:
        """Clear the complaint."""
        self._trouble.update("")
