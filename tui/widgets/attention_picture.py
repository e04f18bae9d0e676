"""A matrix of attention as the cells of a terminal."""

from functools import lru_cache
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from rich.segment import Segment
from rich.style import Style
from textual.color import Color, Gradient

RAMP = " .:-=+*#%@"
"""From no attention to all of it, for terminals without colour or half blocks."""
_LEVELS = 16
"""Shades of the picture: few enough that neighbours are often alike and cost nothing to send."""


def pool(weights: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.float32]:
    """Bring an `(N, T)` matrix to `(rows, columns)`, keeping the largest weight of each patch.

    The mean would wash the diagonal out. A side that is too short is stretched.
    """
    pooled = weights
    for count in (rows, columns):
        starts = np.arange(count) * len(pooled) // count
        short = len(pooled) <= count
        pooled = pooled[starts] if short else np.maximum.reduceat(pooled, starts, axis=0)
        pooled = pooled.T
    return pooled


def levels(pooled: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Turn weights from 0 to 1 into whole shades from 0 to `count` − 1; not a number is 0.

    The square root lifts the weak weights, which say where attention begins to spread.
    """
    clean = np.clip(np.nan_to_num(pooled, nan=0.0, posinf=1.0, neginf=0.0), 0.0, 1.0)
    shades: NDArray[np.int64] = np.rint(np.sqrt(clean) * (count - 1)).astype(np.int64)
    return shades


def half_block_rows(
    weights: NDArray[np.float32], rows: int, columns: int, shades: tuple[Color, ...]
) -> list[list[Segment]]:
    """Draw into `rows` × `columns` cells, each two pixels high."""
    picture = levels(pool(weights, rows * 2, columns), len(shades))
    rows_of_pixels = zip(picture[::2].tolist(), picture[1::2].tolist(), strict=True)
    return [_half_block_row(upper, lower, shades) for upper, lower in rows_of_pixels]


def _half_block_row(upper: list[int], lower: list[int], shades: tuple[Color, ...]) -> list[Segment]:
    segments = []
    for (top, bottom), run in groupby(zip(upper, lower, strict=True)):
        cells = (" " if top == bottom else "▀") * len(list(run))
        segments.append(Segment(cells, _style(shades[top], shades[bottom])))
    return segments


def ramp_rows(
    weights: NDArray[np.float32], rows: int, columns: int, style: Style
) -> list[list[Segment]]:
    """Draw into `rows` × `columns` characters of the ramp."""
    picture = levels(pool(weights, rows, columns), len(RAMP))
    return [[Segment("".join(RAMP[shade] for shade in row), style)] for row in picture]


@lru_cache(maxsize=8)
def shades_between(ground: Color, middle: Color, peak: Color) -> tuple[Color, ...]:
    """Return the shades from no attention to all of it."""
    gradient = Gradient((0.0, ground), (0.55, middle), (1.0, peak))
    return tuple(gradient.get_color(index / (_LEVELS - 1)) for index in range(_LEVELS))


@lru_cache(maxsize=4096)
def _style(foreground: Color, background: Color) -> Style:
    return Style(color=foreground.rich_color, bgcolor=background.rich_color)
