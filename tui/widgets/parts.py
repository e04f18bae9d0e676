"""A line of the screen put together from parts, the least important left out first."""

from collections.abc import Sequence
from dataclasses import dataclass

from textual.content import Content


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
