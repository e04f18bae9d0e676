"""Whether it pays to go on, in the status of the main screen."""

from textwrap import wrap

from textual.content import Content
from textual.widgets import Static

from engine.formatting import printable
from engine.run.evaluation import Advice
from tui.widgets.status_line import in_lines

STYLES = {
    "improving": "$success",
    "flat": "bold $secondary",
    "worse": "bold $warning",
    "misread": "bold $warning",
    "unknown": "$quiet",
}
_KEY_WIDTH = len("  w why")


class AdviceLine(Static):
    """The advice in a line, or in two where one is too short; nothing while there is none."""

    def __init__(self) -> None:
        super().__init__("", id="advice", markup=False)
        self.display = False
        self._shown: tuple[Advice | None, int, int] | None = None

    def show(self, advice: Advice | None, width: int, max_lines: int) -> None:
        """Show an advice in `width` cells and at most `max_lines`.

        A screen that has one line for it does not spend that on "unknown".
        """
        if advice is not None and advice.kind == "unknown" and max_lines == 1:
            advice = None
        if (advice, width, max_lines) == self._shown:
            return
        self._shown = (advice, width, max_lines)
        self.display = advice is not None
        self.update("" if advice is None else advice_words(advice, width, max_lines))


def advice_words(advice: Advice, width: int, max_lines: int) -> Content:
    """Write an advice, cut off visibly where it is too long, and the key for its reasons."""
    text = in_lines(printable(advice.text), width, max_lines, _KEY_WIDTH)
    # The key and what it does stay together.
    fits = len(wrap(text, width)[-1]) <= width - _KEY_WIDTH
    key = (("  w" if fits else "\nw", "bold $training"), (" why", "$quiet"))
    return Content.assemble((text, STYLES[advice.kind]), *key)
