"""A loss curve as text."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text
from textual.geometry import Size

from engine.run.snapshot import LossCurve
from tui.widgets.axes import Scale, step_labels, value_labels

if TYPE_CHECKING:
    from textual_plotext.plot import Plot

RGB = tuple[int, int, int]
Points = list[tuple[float, float]]

_AS_GOOD_AS_INFINITE = 1e30

MAX_POINTS = 200
"""More than the cells of a plot can show; plotext's time grows with the points."""


def draw_curve(
    curve: LossCurve, size: Size, colours: tuple[RGB, RGB, RGB], ascii_only: bool
) -> Text:
    """Draw the training loss as a line, the held-out loss as dots on it.

    `colours` are those of the line, of the dots and of the axes. Losses that are not finite
    are left out. plotext is given places from 0 to 1: it divides by ranges that can be 0.
    """
    line = thin(finite(curve.steps, curve.losses), MAX_POINTS)
    dots = thin(finite(curve.held_out_steps, curve.held_out), MAX_POINTS)
    if not line and not dots:
        return Text("no finite loss to draw")
    if size.width < 12 or size.height < 3:
        return Text("")
    every = line + dots
    heights = Scale(min(y for _, y in every), max(y for _, y in every))
    widths = Scale(min(x for x, _ in every), max(x for x, _ in every))
    plot = _empty_plot(size, colours[2])
    series = ((line, "*" if ascii_only else "braille"), (dots, "o" if ascii_only else "•"))
    for (points, marker), colour in zip(series, colours, strict=False):
        if points:
            draw = plot.plot if points is line else plot.scatter
            x, y = [widths.place(x) for x, _ in points], [heights.place(y) for _, y in points]
            draw(x, y, marker=marker, color=colour)
    ticks = heights.ticks(max(2, size.height // 2))
    plot.yticks([heights.place(tick) for tick in ticks], value_labels(ticks))
    ticks = [tick for tick in widths.ticks(max(2, size.width // 14)) if tick.is_integer()]
    plot.xticks([widths.place(tick) for tick in ticks], step_labels(ticks))
    return Text.from_ansi(plot.build().rstrip("\n"))


def _empty_plot(size: Size, axes: RGB) -> "Plot":
    # Late: plotext takes longer to import than the first screen to draw.
    from textual_plotext.plot import Plot

    plot = Plot()
    plot.clear_figure()
    plot.plotsize(size.width, size.height)
    plot.frame(False)
    plot.canvas_color("default")
    plot.axes_color("default")
    plot.ticks_color(axes)
    plot.xlim(0, 1)
    plot.ylim(0, 1)
    return plot


def grew_visibly(drawn: LossCurve, newest: LossCurve, width: int) -> bool:
    """Say whether the end of a curve moved by a dot, two of which make a cell across."""
    if not drawn.steps or not newest.steps or drawn.steps[0] != newest.steps[0]:
        return True
    span = newest.steps[-1] - newest.steps[0]
    return (newest.steps[-1] - drawn.steps[-1]) * 2 * width >= span


def finite(steps: Sequence[int], losses: Sequence[float]) -> Points:
    """Pair steps with losses, leaving out what is not a number, or as good as infinite."""
    return [
        (float(step), float(loss))
        for step, loss in zip(steps, losses, strict=False)
        if math.isfinite(loss) and abs(loss) < _AS_GOOD_AS_INFINITE
    ]


def thin(points: Points, most: int) -> Points:
    """Keep the lowest and the highest point of each stretch, so that no peak is lost."""
    if len(points) <= most:
        return points
    stretches = most // 2
    kept: Points = []
    for index in range(stretches):
        start = index * len(points) // stretches
        stretch = points[start : (index + 1) * len(points) // stretches]
        kept += sorted({min(stretch, key=lambda p: p[1]), max(stretch, key=lambda p: p[1])})
    return kept
