"""A line of words at both ends of the screen, the least important words left out first."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from textwrap import wrap

from rich.cells import cell_len
from textual.content import Content
from textual.geometry import Region
from textual.widget import Widget

_NEAR = 8
"""Cells between two changes that are sent as one: to move the cursor costs as many bytes."""

_MIN_WIDTH = 8
"""Cells that a text has in its last line, however narrow the screen."""


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


def line(left: Sequence[Part], right: Sequence[Part], width: int) -> Content:
    """Set parts at both ends of a line of `width` cells, leaving out what has no room."""
    left, right = fitting(left, right, width)
    start, end = join(left), join(right)
    return start.truncate(max(0, width - end.cell_length), pad=True) + end if right else start


def fitting(
    left: Sequence[Part], right: Sequence[Part], width: int
) -> tuple[list[Part], list[Part]]:
    """Leave out parts of the highest rank, one at a time, until the rest fits."""
    left, right = [part for part in left if part.text], [part for part in right if part.text]
    while True:
        room = width - _cells_of(left) - _cells_of(right)
        spare = max((*left, *right), key=lambda part: part.rank, default=None)
        if room >= 2 or (room >= 0 and not right) or spare is None or spare.rank == 0:
            return left, right
        (left if spare in left else right).remove(spare)


def _cells_of(parts: Sequence[Part]) -> int:
    """Count the cells of parts as `join` writes them."""
    return sum(
        cell_len(f"{part.gap if index else ''}{part.label}{part.text}") + bool(part.label)
        for index, part in enumerate(parts)
    )


def join(parts: Sequence[Part]) -> Content:
    """Write parts one after the other."""
    pieces: list[str | tuple[str, str]] = []
    for index, part in enumerate(parts):
        # In one piece: every change of style costs forty bytes on the wire.
        before = (part.gap if index else "") + (f"{part.label} " if part.label else "")
        if before:
            pieces.append((before, "$quiet"))
        pieces.append((part.text, part.style))
    return Content.assemble(*pieces)


def in_lines(text: str, width: int, max_lines: int, taken: int) -> str:
    """Cut a text to lines of `width` cells, with `taken` cells of the last one left free."""
    lines = wrap(text, width)
    if len(lines) < max_lines:
        return text
    room = max(_MIN_WIDTH, width - taken)
    last = wrap(" ".join(lines[max_lines - 1 :]), room, max_lines=1, placeholder="…")
    return " ".join([*lines[: max_lines - 1], *last])


class StatusLine(Widget):
    """A line of which only what changed is drawn anew: every byte crosses ssh."""

    DEFAULT_CSS = """
    StatusLine { height: 1; width: 1fr; text-wrap: nowrap; text-overflow: clip; }
    """

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self._content = Content("")

    def render(self) -> Content:
        return self._content

    def show(self, content: Content) -> None:
        """Say something else."""
        before, self._content = self._content, content
        cells = list(zip_longest(_cells(before), _cells(content)))
        changed = [place for place, (old, new) in enumerate(cells) if old != new]
        if changed and any(one.cell_length != len(one.plain) for one in (before, content)):
            self.refresh()  # places of letters are not those of cells
        elif changed:
            gaps = [n for n in range(1, len(changed)) if changed[n] - changed[n - 1] > _NEAR]
            starts, ends = [0, *gaps], [*gaps, len(changed)]
            stretches = [changed[a:b] for a, b in zip(starts, ends, strict=True)]
            self.refresh(*(Region(s[0], 0, s[-1] - s[0] + 1, 1) for s in stretches))


def _cells(content: Content) -> list[tuple[str, ...]]:
    """Return each letter with its styles."""
    cells: list[tuple[str, ...]] = [(letter,) for letter in content.plain]
    for span in content.spans:
        for place in range(span.start, span.end):
            cells[place] += (str(span.style),)
    return cells
