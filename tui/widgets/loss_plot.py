"""The loss over the steps, drawn with plotext."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.content import Content
from textual.geometry import Size
from textual.strip import Strip

from engine.run.curves import RECENT_STEPS, LossCurve
from tui import formatting
from tui.widgets.axes import Scale, step_labels, value_labels
from tui.widgets.drawing import Drawing, colour

if TYPE_CHECKING:
    from textual_plotext.plot import Plot

RGB = tuple[int, int, int]
Points = list[tuple[float, float]]

_MAX_FINITE = 1e30
_MIN_SKIPPED, _MAX_SKIPPED = 4, 10
"""Curves that may pass undrawn, one a second, while the growth of the run is small, or cannot be
seen: a drawing costs as much as all else that a screen does in two seconds."""
_MUCH = 10
"""Cells: a curve that has grown by half a cell of so many is drawn at once."""
LAST_STEPS = f"last {RECENT_STEPS:,} steps"
SPANS = ("", "last half", LAST_STEPS)
"""What of the curve can be shown; the first is all of it."""
_DOT = "•"
_HEIGHTS = "▁▂▃▅▆▇"
_BLOCKS = 16
_CORNERS = 4
"""Cells of the border above the plot that no title takes."""


class LossPlot(Drawing):
    """The loss curve, the held-out loss as dots, and the best held-out loss in the title."""

    BORDER_TITLE = "loss"

    def __init__(self) -> None:
        super().__init__("loss")
        self._drawn = self._newest = LossCurve()
        self._skipped = 0
        self._span = ""
        """Which part is shown, as `SPANS` names it."""
        self._heading = "loss"
        self._beside: tuple[str, LossCurve] | None = None

    def on_mount(self) -> None:
        self._show_legend()

    def _show_legend(self) -> None:
        """Show which line is which, and the other network's curve in a row of blocks."""
        stroke = "*" if self.ascii_only else "─"
        legend = Content.assemble(
            (stroke, "$training"), " training  ", (_DOT, "$held-out"), " held-out"
        )
        room = self.size.width - _CORNERS
        if self._beside is not None:
            name, curve = self._beside
            small = Content.assemble(f"{name} ", (blocks(curve), "$training"), f" {_last(curve)}  ")
            if small.cell_length + legend.cell_length <= room:
                legend = small + legend
            elif small.cell_length <= room:
                legend = small
        if legend != self.border_subtitle:
            self.border_subtitle = legend

    def show(
        self, curve: LossCurve, name: str = "loss", beside: tuple[str, LossCurve] | None = None
    ) -> None:
        """Draw another curve, unless it looks like the one before.

        Args:
            curve: what to draw.
            name: of which network it is, where the run trains both.
            beside: the name and the curve of the other one.
        """
        if beside != self._beside:
            self._beside = beside
            self._show_legend()
        is_other = name != self._heading
        if curve is self._newest and not is_other:
            return
        self._newest, self._heading = curve, name
        self._skipped += 1
        moves = self._span == LAST_STEPS or grew_visibly(self._drawn, curve, self.size.width)
        is_due = self._skipped >= (_MIN_SKIPPED if moves else _MAX_SKIPPED)
        if is_other or is_due or grew_visibly(self._drawn, curve, _MUCH):
            self.redraw()

    def zoom(self) -> None:
        """Show all steps, the last half or the last 1,000, in turn."""
        self._span = SPANS[(SPANS.index(self._span) + 1) % len(SPANS)]
        self.redraw()

    def on_resize(self) -> None:
        super().on_resize()
        self._show_legend()

    def draw(self) -> list[Strip]:
        """Draw the newest curve, with the best held-out loss and its step in the title."""
        curve = self._drawn = self._newest
        self._skipped = 0
        # Another title draws the whole panel anew: it comes with another drawing.
        self._show_best(curve)
        if not curve.steps and not curve.held_out_steps:
            return self.quietly("appears after the first 10 steps")
        line, dots, axes = (colour(self, name).rgb for name in ("training", "held-out", "quiet"))
        drawing = draw_curve(
            part(curve, self._span), self.content_size, (line, dots, axes), self.ascii_only
        )
        return [
            Strip(_few_colours(list(line.render(self.app.console, end="")), self.rich_style))
            for line in drawing.split("\n")
        ]

    def _show_best(self, curve: LossCurve) -> None:
        name = f"{self._heading} · {self._span}" if self._span else self._heading
        title = Content(name)
        if curve.best is not None:
            best = f"{formatting.loss(curve.best)} at {curve.best_step:,}"
            title = Content(f"{name} · best held-out {best}")
            if title.cell_length > self.size.width - _CORNERS:
                title = Content.assemble(f"{name} · best ", (_DOT, "$held-out"), f" {best}")
            if title.cell_length > self.size.width - _CORNERS:
                title = Content(name)
        if title != self.border_title:
            self.border_title = title


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
    line = finite(curve.steps, curve.losses)
    dots = finite(curve.held_out_steps, curve.held_out)
    if not line and not dots:
        return Text("no finite loss yet")
    if size.width < 12 or size.height < 3:
        return Text("")
    every = line + dots
    heights = Scale(min(y for _, y in every), max(y for _, y in every))
    widths = Scale(min(x for x, _ in every), max(x for x, _ in every))
    plot = _empty_plot(size, colours[2])
    series = ((line, "*" if ascii_only else "braille"), (dots, _DOT))
    for (points, marker), rgb in zip(series, colours, strict=False):
        if points:
            draw = plot.plot if points is line else plot.scatter
            x, y = [widths.place(x) for x, _ in points], [heights.place(y) for _, y in points]
            draw(x, y, marker=marker, color=rgb)
    ticks = heights.ticks(max(2, size.height // 2))
    plot.yticks(
        [heights.place(tick) for tick in ticks], [f"{label} " for label in value_labels(ticks)]
    )
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


def blocks(curve: LossCurve) -> str:
    """Draw a training loss in a row of blocks, each the mean of as many points."""
    losses = [loss for _, loss in finite(curve.steps, curve.losses)]
    count = min(_BLOCKS, len(losses))
    edges = [place * len(losses) // count for place in range(count + 1)] if count else []
    means = [sum(losses[a:b]) / (b - a) for a, b in pairwise(edges)]
    if not means:
        return ""
    scale = Scale(min(means), max(means))
    return "".join(_HEIGHTS[round(scale.place(mean) * (len(_HEIGHTS) - 1))] for mean in means)


def _last(curve: LossCurve) -> str:
    return formatting.loss(curve.losses[-1]) if curve.losses else "–"


def part(curve: LossCurve, span: str) -> LossCurve:
    """Return the part of a curve that a span of `SPANS` names."""
    if not span or not curve.steps:
        return curve
    last = max(curve.steps[-1], *curve.recent_steps[-1:], *curve.held_out_steps[-1:])
    if span == LAST_STEPS:
        first, every = last - RECENT_STEPS, (curve.recent_steps, curve.recent_losses)
    else:
        first, every = (curve.steps[0] + last) // 2, (curve.steps, curve.losses)
    lines = [_from(first, *points) for points in (every, (curve.held_out_steps, curve.held_out))]
    return LossCurve(*lines[0], *lines[1])


def _from(
    first: int, steps: Sequence[int], losses: Sequence[float]
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    start = bisect_left(steps, first)
    return tuple(steps[start:]), tuple(losses[start:])


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
