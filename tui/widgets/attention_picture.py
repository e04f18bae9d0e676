"""An attention matrix as rows of cells, two pixels a cell where the terminal has half blocks."""

from functools import lru_cache
from itertools import pairwise

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
    return _pool_rows(_pool_rows(weights, rows).T, columns).T


def _pool_rows(weights: NDArray[np.float32], rows: int) -> NDArray[np.float32]:
    size = weights.shape[0]
    starts = np.arange(rows) * size // rows
    if size <= rows:
        stretched: NDArray[np.float32] = weights[starts]
        return stretched
    pooled: NDArray[np.float32] = np.maximum.reduceat(weights, starts, axis=0)
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
    return [_half_block_row(picture[2 * y], picture[2 * y + 1], shades) for y in range(rows)]


def _half_block_row(
    upper: NDArray[np.int64], lower: NDArray[np.int64], shades: tuple[Color, ...]
) -> list[Segment]:
    segments: list[Segment] = []
    changes = np.flatnonzero((np.diff(upper) != 0) | (np.diff(lower) != 0)) + 1
    edges = [0, *changes.tolist(), len(upper)]
    for start, end in pairwise(edges):
        top, bottom = shades[upper[start]], shades[lower[start]]
        if top == bottom:
            segments.append(Segment(" " * (end - start), _style(bottom, bottom)))
        else:
            segments.append(Segment("▀" * (end - start), _style(top, bottom)))
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
