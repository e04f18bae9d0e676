"""The attention of a sentence: which character was read at which moment."""

from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from rich.segment import Segment
from rich.style import Style
from textual.color import Color, Gradient
from textual.content import Content
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from engine.run.snapshot import AttentionPlot
from tui import formatting
from tui.widgets.axes import linear_ticks

RAMP = " .:-=+*#%@"
"""From no attention to all of it, for terminals without colour or half blocks."""
_LEVELS = 16
"""Shades of the picture: few enough that neighbours are often alike and cost nothing to send."""


class AttentionView(Widget, can_focus=True):
    """The newest attention plot, or an older one that the person chose."""

    BORDER_TITLE = "attention"

    def __init__(self, *, plain: bool) -> None:
        """Draw with characters alone where `plain`: without colour or beyond ASCII."""
        super().__init__(id="attention", classes="panel")
        self._plain = plain
        self._plots: tuple[AttentionPlot, ...] = ()
        self._chosen: AttentionPlot | None = None
        self._drawn: tuple[AttentionPlot, Size, str] | None = None
        self._lines: list[Strip] = []

    @property
    def plot(self) -> AttentionPlot | None:
        """The plot on show: the chosen one, else the newest."""
        if self._chosen is not None:
            return self._chosen
        return self._plots[-1] if self._plots else None

    @property
    def plots(self) -> tuple[AttentionPlot, ...]:
        """All plots there are, oldest first."""
        return self._plots

    @property
    def place(self) -> int:
        """The index of the plot on show."""
        for index, plot in enumerate(self._plots):
            if plot is self._chosen:
                return index
        return len(self._plots) - 1

    def show(self, plots: tuple[AttentionPlot, ...]) -> None:
        """Take new plots; a chosen one stays on show as long as it is among them."""
        if plots is self._plots:
            return
        self._plots = plots
        if not any(plot is self._chosen for plot in plots):
            self._chosen = None
        self._show_title()

    def turn(self, by: int) -> None:
        """Go to an older (−1) or newer (+1) plot."""
        if self._plots:
            place = min(len(self._plots) - 1, max(0, self.place + by))
            # At the newest end again, the view follows what comes.
            self._chosen = None if place == len(self._plots) - 1 else self._plots[place]
            self._show_title()

    def _show_title(self) -> None:
        plot = self.plot
        if plot is None:
            return
        self.border_title = Content.assemble(
            "attention",
            (f" · {formatting.short_steps(plot.step)}", "$foreground"),
            (f" · {plot.source}" if plot.source else "", "$quiet"),
        )
        among = f"{self.place + 1} of {len(self._plots)}" if len(self._plots) > 1 else ""
        rows, columns = plot.weights.shape
        self.border_subtitle = Content(f"{rows} characters × {columns} frames  {among}".rstrip())
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return one line of the picture with its axes."""
        plot, size = self.plot, self.content_size
        if plot is None or plot.weights.size == 0:
            text = "appears at the first checkpoint, or on n" if y == 0 else ""
            quiet = self._quiet
            return Strip([Segment(text, quiet)]).adjust_cell_length(size.width, self.rich_style)
        drawn = (plot, size, self.app.theme)
        if self._drawn is None or drawn[0] is not self._drawn[0] or drawn[1:] != self._drawn[1:]:
            self._drawn, self._lines = drawn, self._draw(plot, size)
        if y < len(self._lines):
            return self._lines[y].adjust_cell_length(size.width, self.rich_style)
        return Strip.blank(size.width, self.rich_style)

    def _draw(self, plot: AttentionPlot, size: Size) -> list[Strip]:
        characters, frames = plot.weights.shape
        quiet = self._quiet
        gutter = len(str(characters)) + 1
        rows, columns = size.height - 1, size.width - gutter
        if rows < 1 or columns < 4:
            return []
        numbers = _row_numbers(characters, rows)
        lines = [
            Strip([Segment(number.rjust(gutter - 1) + " ", quiet), *segments])
            for number, segments in zip(numbers, self._cells(plot, rows, columns), strict=True)
        ]
        scale = " " * gutter + _column_numbers(frames, columns)
        return [*lines, Strip([Segment(scale, quiet)])]

    def _cells(self, plot: AttentionPlot, rows: int, columns: int) -> list[list[Segment]]:
        if self._plain:
            return ramp_rows(plot.weights, rows, columns, self.rich_style)
        names = ("attention-ground", "attention-middle", "attention-peak")
        shades = shades_between(*map(self._colour, names))
        return half_block_rows(plot.weights, rows, columns, shades)

    @property
    def _quiet(self) -> Style:
        return self.rich_style + Style(color=self._colour("quiet").rich_color)

    def _colour(self, name: str) -> Color:
        return Color.parse(self.app.theme_variables[name])


def _row_numbers(characters: int, rows: int) -> list[str]:
    """Number the rows that hold a round character; the first line is character 0."""
    numbers = [""] * rows
    for tick in linear_ticks(0, characters - 1, max(1, rows // 2)):
        if tick == int(tick):
            numbers[min(rows - 1, int(tick) * rows // characters)] = str(int(tick))
    return numbers


def _column_numbers(frames: int, columns: int) -> str:
    """Number the columns that hold a round frame."""
    scale = [" "] * (columns + 8)
    free = 0
    for tick in linear_ticks(0, frames - 1, max(1, columns // 8)):
        start = int(tick) * columns // frames
        number = str(int(tick))
        if tick == int(tick) and start >= free and start + len(number) <= columns:
            scale[start : start + len(number)] = number
            free = start + len(number) + 1
    return "".join(scale).rstrip()


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
