"""The question behind `e`."""

from engine.formatting import printable
from tui.screens.dialog import InputDialog


class SentenceDialog(InputDialog[str]):
    """Asks for the sentence that auditions speak."""

    HEADING = "sentence"

    def __init__(self, sentence: str) -> None:
        super().__init__(printable(sentence))

    def on_input_submitted(self) -> None:
        """Close with the sentence, unless there is none."""
        if self.text:
            self.dismiss(self.text)
        else:
            self.say("empty: write a sentence", trouble=True)

    def on_input_changed(self) -> None:
        self.say("")
