"""A line of words at both ends of the screen, the least important words left out first."""

from collections.abc import Sequence
from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.geometry import Region
from textual.widget import Widget


@dataclass(frozen=True, slots=True)
class Part:
    """A few words in one style."""

    text: str
    style: str = ""
    """A style that may name the theme's colours: `bold $primary`."""
    rank: int = 0
    """What goes first when room is short: the highest rank; 0 never goes."""
    gap: str = " · "
    """What stands between this part and the one before."""
    label: str = ""
    """What the words are, said quietly before them."""


@dataclass(frozen=True, slots=True)
class Line:
    """What stands at the two ends of a line."""

    left: Content
    right: Content


def line(left: Sequence[Part], right: Sequence[Part], width: int) -> Line:
    """Set parts at both ends of a line of `width` cells.

    Parts of the highest rank are left out, one at a time, until the rest fits.
    """
    left, right = [part for part in left if part.text], [part for part in right if part.text]
    while True:
        start, end = _join(left), _join(right)
        room = width - start.cell_length - end.cell_length
        spare = max((*left, *right), key=lambda part: part.rank, default=None)
        if room >= 2 or (room >= 0 and not right) or spare is None or spare.rank == 0:
            break
        (left if spare in left else right).remove(spare)
    return Line(start, end)


def _join(parts: Sequence[Part]) -> Content:
    pieces: list[str | tuple[str, str]] = []
    for index, part in enumerate(parts):
        # In one piece: every change of style costs forty bytes on the wire.
        before = (part.gap if index else "") + (f"{part.label} " if part.label else "")
        if before:
            pieces.append((before, "$quiet"))
        pieces.append((part.text, part.style))
    return Content.assemble(*pieces)


class LineEnd(Widget):
    """The words at one end, of which only what changed is drawn anew: every byte crosses ssh."""

    DEFAULT_CSS = """
    LineEnd { height: 1; width: 1fr; text-wrap: nowrap; text-overflow: clip; }
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
        self._left, self._right = LineEnd(), LineEnd()
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
