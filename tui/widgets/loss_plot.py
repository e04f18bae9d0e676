"""The loss over the steps, drawn with plotext."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.color import Color
from textual.content import Content
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from engine.run.snapshot import LossCurve
from tui import formatting
from tui.widgets.axes import Scale, step_labels, value_labels

if TYPE_CHECKING:
    from textual_plotext.plot import Plot

RGB = tuple[int, int, int]
Points = list[tuple[float, float]]

_MAX_FINITE = 1e30
MAX_POINTS = 200
"""More than the cells of a plot can show; plotext's time grows with the points."""
_MAX_SKIPPED = 10
"""Curves that may pass undrawn, one a second, while the growth of the run cannot be seen."""
_CORNERS = 4
"""Cells of the border above the plot that no title takes."""


class LossPlot(Widget, can_focus=True):
    """The loss curve, the held-out loss as dots, and the best held-out loss in the title."""

    BORDER_TITLE = "loss"

    def __init__(self, *, ascii_only: bool) -> None:
        super().__init__(id="loss", classes="panel")
        self._ascii_only = ascii_only
        self._curve = LossCurve()
        self._newest = self._curve
        self._skipped = 0
        self._lines: list[Strip] = []

    def on_mount(self) -> None:
        """Show which line is which."""
        stroke = "*" if self._ascii_only else "─"
        self.border_subtitle = Content.assemble(
            (stroke, "$training"), " training  ", (self._dot, "$held-out"), " held-out"
        )

    @property
    def _dot(self) -> str:
        return "o" if self._ascii_only else "•"

    def _show_best(self) -> None:
        """Show the best held-out loss and its step in the title."""
        title, best = Content(self.BORDER_TITLE), self._newest.best
        if best is not None:
            best_words = f"{formatting.loss(best)} at {self._newest.best_step:,}"
            title = Content.assemble(self.BORDER_TITLE, f" · best held-out {best_words}")
            if title.cell_length > self.size.width - _CORNERS:
                title = Content.assemble(
                    self.BORDER_TITLE, " · best ", (self._dot, "$held-out"), f" {best_words}"
                )
        if title != self.border_title:
            self.border_title = title

    def show(self, curve: LossCurve) -> None:
        """Draw another curve, unless it looks like the one before."""
        if curve is self._newest:
            return
        self._newest = curve
        self._skipped += 1
        if self._skipped < _MAX_SKIPPED and not grew_visibly(self._curve, curve, self.size.width):
            return
        self._curve, self._skipped = curve, 0
        # Another title draws the whole panel anew: it comes with another drawing.
        self._show_best()
        before, self._lines = self._lines, self._draw()
        width = self.content_size.width
        changed = [
            Region(0, y, width, 1)
            for y, line in enumerate(self._lines)
            if y >= len(before) or line != before[y]
        ]
        if changed:
            self.refresh(*changed)

    def on_resize(self, event: events.Resize) -> None:
        """Draw at another size."""
        self._show_best()
        self._draw_again()

    def notify_style_update(self) -> None:
        """Draw in other colours."""
        super().notify_style_update()
        self._draw_again()

    def _draw_again(self) -> None:
        self._curve, self._skipped = self._newest, 0
        self._lines = self._draw()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return one line of the drawing."""
        return (
            self._lines[y]
            if y < len(self._lines)
            else Strip.blank(self.size.width, self.rich_style)
        )

    def _draw(self) -> list[Strip]:
        if not self.is_attached or not self.content_size:
            return []
        if not self._curve.steps and not self._curve.held_out_steps:
            words = Text("appears after the first 10 steps")
            words.stylize(Style(color=self._colour("quiet").rich_color))
            return self._strips(words)
        colours = [self._colour(name).rgb for name in ("training", "held-out", "quiet")]
        drawing = draw_curve(
            self._curve, self.content_size, (colours[0], colours[1], colours[2]), self._ascii_only
        )
        return self._strips(drawing)

    def _strips(self, drawing: Text) -> list[Strip]:
        ground, width = self.rich_style, self.content_size.width
        return [
            Strip(_few_colours(list(line.render(self.app.console, end="")), ground))
            .adjust_cell_length(width, ground)
            .simplify()
            for line in drawing.split("\n")
        ]

    def _colour(self, name: str) -> Color:
        return Color.parse(self.app.theme_variables[name])


def _few_colours(segments: list[Segment], ground: Style) -> list[Segment]:
    """Give blanks the colour of what precedes them: a change of colour costs bytes."""
    style, coloured = ground, []
    for text, own, _ in segments:
        if own is not None and not text.isspace():
            style = ground + own
        coloured.append(Segment(text, style))
    return list(Segment.simplify(coloured))


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
        return Text("no finite loss yet")
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
    """Return whether the end of a curve moved by a dot; a cell is two dots wide."""
    if not drawn.steps or not newest.steps or drawn.steps[0] != newest.steps[0]:
        return True
    span = newest.steps[-1] - newest.steps[0]
    return (newest.steps[-1] - drawn.steps[-1]) * 2 * width >= span


def finite(steps: Sequence[int], losses: Sequence[float]) -> Points:
    """Pair steps with losses, leaving out what is not finite, or as good as infinite."""
    return [
        (float(step), float(loss))
        for step, loss in zip(steps, losses, strict=False)
        if math.isfinite(loss) and abs(loss) < _MAX_FINITE
    ]


def thin(points: Points, max_points: int) -> Points:
    """Keep the lowest and the highest point of each stretch, so that no peak is lost."""
    if len(points) <= max_points:
        return points
    stretches = max_points // 2
    kept: Points = []
    for index in range(stretches):
        start = index * len(points) // stretches
        stretch = points[start : (index + 1) * len(points) // stretches]
        kept += sorted({min(stretch, key=lambda p: p[1]), max(stretch, key=lambda p: p[1])})
    return kept
