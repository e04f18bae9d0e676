"""A loss curve as text."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text
from textual.geometry import Size

from engine.snapshot import LossCurve
from tui.widgets.axes import linear_ticks, log_ticks, step_labels, value_labels

if TYPE_CHECKING:
    from textual_plotext.plot import Plot

RGB = tuple[int, int, int]
Points = list[tuple[float, float]]

MOST_POINTS = 200
"""More than the cells of a plot can show; plotext's time grows with the points."""

_LOG_FROM = 8.0
"""A curve whose ends differ by more than this factor is drawn on a logarithmic axis: the start
of a run from scratch would otherwise press everything after it flat."""


def draw_curve(
    curve: LossCurve, size: Size, colours: tuple[RGB, RGB, RGB], ascii_only: bool
) -> Text:
    """Draw the training loss as a line, the held-out loss as dots on it.

    `colours` are those of the line, of the dots and of the axes. Losses that are not finite
    are left out.
    """
    line = thin(finite(curve.steps, curve.losses), MOST_POINTS)
    dots = thin(finite(curve.held_out_steps, curve.held_out), MOST_POINTS)
    if not line and not dots:
        return Text("no finite loss to draw")
    if size.width < 12 or size.height < 3:
        return Text("")
    low, high = min(y for _, y in line + dots), max(y for _, y in line + dots)
    logarithmic = low > 0 and high / low > _LOG_FROM
    plot = _empty_plot(size, colours[2])
    series = ((line, "*" if ascii_only else "braille"), (dots, "o" if ascii_only else "•"))
    for (points, marker), colour in zip(series, colours, strict=False):
        if points:
            x, y = zip(*points, strict=True)
            height = [math.log10(value) for value in y] if logarithmic else list(y)
            draw = plot.plot if points is line else plot.scatter
            draw(list(x), height, marker=marker, color=colour)
    most = max(2, size.height // 2)
    ticks = (log_ticks if logarithmic else linear_ticks)(low, high, most)
    plot.yticks([math.log10(t) for t in ticks] if logarithmic else ticks, value_labels(ticks))
    first, last = min(x for x, _ in line + dots), max(x for x, _ in line + dots)
    across = linear_ticks(first, last, max(2, size.width // 14))
    plot.xticks(across, step_labels(across))
    return Text.from_ansi(plot.build())


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
    return plot


def grew_visibly(drawn: LossCurve, newest: LossCurve, width: int) -> bool:
    """Say whether the end of a curve moved by a dot, two of which make a cell across."""
    if not drawn.steps or not newest.steps or drawn.steps[0] != newest.steps[0]:
        return True
    span = newest.steps[-1] - newest.steps[0]
    return (newest.steps[-1] - drawn.steps[-1]) * 2 * width >= span


def finite(steps: Sequence[int], losses: Sequence[float]) -> Points:
    """Pair steps with losses, leaving out what is not a number or not finite."""
    return [
        (float(step), float(loss))
        for step, loss in zip(steps, losses, strict=False)
        if math.isfinite(loss)
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
