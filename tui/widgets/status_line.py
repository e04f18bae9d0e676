"""One line of the status that sends little more than what changed."""

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.geometry import Region
from textual.widget import Widget

from tui.widgets.parts import Line


class SpendEntry(Widget):
    """Some words in a line; what follows the last change is not drawn anew."""

    DEFAULT_CSS = """
    SpendEntry { height: 1; width: 1fr; text-wrap: nowrap; text-overflow: clip; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._content = Content("")

    def render(self) -> Content:
        """Return the words."""
        return self._content

    def show(self, content: Content) -> bool:
        """Say something else; return whether it is something else."""
        before, self._content = self._content, content
        if content.plain == before.plain and content.spans == before.spans:
            return False
        wide = content.cell_length != len(content.plain) or before.cell_length != len(before.plain)
        if wide or content.plain == before.plain:
            self.refresh()
        else:
            self.refresh(_changed(before, content))
        return True


class StatusLine(Horizontal):
    """A line with words at its two ends, which change apart from each other."""

    DEFAULT_CSS = """
    StatusLine { height: 1; width: 1fr; }
    """

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self._left, self._right = SpendEntry(), SpendEntry()
        self._right.styles.width = 0

    def compose(self) -> ComposeResult:
        """Lay the two ends side by side."""
        yield self._left
        yield self._right

    def show(self, line: Line) -> None:
        """Say something else; nothing is drawn where nothing changed."""
        self._left.show(line.left)
        before = self._right.render().cell_length
        if self._right.show(line.right) and line.right.cell_length != before:
            self._right.styles.width = line.right.cell_length


def _changed(before: Content, after: Content) -> Region:
    """Return the stretch of cells from the first difference to the last."""
    length = max(len(before.plain), len(after.plain))
    old, new = before.plain.ljust(length), after.plain.ljust(length)
    same = [a == b for a, b in zip(old, new, strict=True)]
    start = same.index(False)
    stop = length - same[::-1].index(False)
    # A part that moved or changed its colour without changing its letters.
    for one, other in ((before, after), (after, before)):
        for span in one.spans:
            if span not in other.spans:
                start, stop = min(start, span.start), max(stop, span.end)
    return Region(start, 0, stop - start, 1)
