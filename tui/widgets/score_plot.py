"""One measure over the checkpoints: its mean, how sure that is, and what it means."""

from collections.abc import Mapping
from itertools import groupby, pairwise
from textwrap import wrap

from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.geometry import Size
from textual.strip import Strip

from engine.advice.measures import ScoreCurve
from tui import formatting
from tui.widgets.axes import Scale, step_labels, value_labels
from tui.widgets.dots import Dots, braille
from tui.widgets.drawing import Drawing, style

_MIN_ROWS, _MIN_WIDTH = 3, 12
"""Of the smallest plot: what it means gives way."""
_CORNERS = 4
"""Cells of a border that no title takes."""
_BEST, _OTHER, _CEILING = "★", "○", "╌"


class ScorePlot(Drawing):
    """Draws the means as a line, their intervals as bars, and marks the best."""

    def __init__(self, name: str) -> None:
        super().__init__(f"score-{name}")
        self._shown: ScoreCurve | None = None
        self._best_step: int | None = None

    def show(self, curve: ScoreCurve, best_step: int | None) -> None:
        """Show other scores, and mark the checkpoint to export."""
        if (curve, best_step) != (self._shown, self._best_step):
            self._shown, self._best_step = curve, best_step
            self.redraw()

    def _show_titles(self, shown: ScoreCurve) -> None:
        title = Content.assemble(shown.measure.title, (f" · {newest_words(shown)}", "$foreground"))
        (best_step, best), unit = shown.best, shown.measure.unit
        told = [f"{_OTHER} training"] if shown.beside else []
        if shown.ceiling is not None:
            told.append(f"{_CEILING} recordings {formatting.figure(shown.ceiling, unit)}")
        if len(shown.scores) > 1:
            at_best = f"{formatting.figure(best.mean, unit)} at {formatting.short_steps(best_step)}"
            is_newest = best == shown.scores[-1][1]
            told.append("the newest is best" if is_newest else f"best {at_best}")
        fits = len(" · ".join(told)) <= self.size.width - _CORNERS
        self.border_title, self.border_subtitle = (
            title,
            Content(" · ".join(told if fits else told[:1])),
        )

    def draw(self) -> list[Strip]:
        """Draw the plot over its steps over what it means."""
        if self._shown is None:
            return []
        self._show_titles(self._shown)
        width, height = self.content_size
        if height < 2 or width < _MIN_WIDTH:
            return []
        room = max(1, height - 1 - _MIN_ROWS)
        text = wrap(meaning(self._shown), width, max_lines=room, placeholder="…")
        rows = max(1, height - 1 - len(text))
        size = Size(width, rows)
        plot = _Plot(self._shown, self._best_step, size, ascii_only=self.ascii_only)
        lines = plot.lines({name: style(self, name) for name in ("quiet", "training", "held-out")})
        return lines + [line for words in text for line in self.quietly(words)]


def newest_words(shown: ScoreCurve) -> str:
    """Write its mean at the newest checkpoint."""
    return formatting.figure(shown.scores[-1][1].mean, shown.measure.unit)


def meaning(shown: ScoreCurve) -> str:
    """Say what a measure means, and which way is better."""
    return f"{shown.measure.means.rstrip('.')}; {shown.measure.better} is better."


class _Plot:
    """Places a measure in cells: intervals as bars, means as a line, and marks above both."""

    def __init__(
        self, shown: ScoreCurve, best_step: int | None, size: Size, *, ascii_only: bool
    ) -> None:
        self._ascii = ascii_only
        self._rows = size.height
        self._heights = _heights(shown)
        others = shown.beside.scores if shown.beside else ()
        steps = [step for step, _ in (*shown.scores, *others)]
        self._widths = Scale(float(min(steps)), float(max(steps)))
        ticks = self._heights.ticks(max(2, size.height // 2))
        labels = [f"{tick:g}" for tick in ticks] if shown.measure.unit else value_labels(ticks)
        self._gutter = max(map(len, labels)) + 1
        self._columns = max(1, size.width - self._gutter)
        self._bars, self._curve = (
            Dots(self._columns, self._rows, ascii_only=ascii_only) for _ in range(2)
        )
        rows = [self._bars.cell(0.0, self._heights.place(tick))[1] for tick in ticks]
        self._labels = dict(zip(rows, labels, strict=True))
        self._marks: dict[tuple[int, int], str] = {}
        self._place(shown, best_step)

    def _place(self, shown: ScoreCurve, best_step: int | None) -> None:
        if shown.ceiling is not None:
            row = self._bars.cell(0.0, self._heights.place(shown.ceiling))[1]
            self._marks |= {(column, row): _CEILING for column in range(self._columns)}
        for step, score in shown.scores:
            self._bars.line(self._spot(step, score.low), self._spot(step, score.high))
        means = [self._spot(step, score.mean) for step, score in shown.scores]
        for start, end in pairwise([means[0], *means]):
            self._curve.line(start, end)
        for step, score in shown.beside.scores if shown.beside else ():
            self._marks[self._curve.cell(*self._spot(step, score.mean))] = _OTHER
        for (step, _), mean in zip(shown.scores, means, strict=True):
            if step == best_step:
                self._marks[self._curve.cell(*mean)] = _BEST

    def _spot(self, step: int, value: float) -> tuple[float, float]:
        return self._widths.place(step), self._heights.place(value)

    def lines(self, styles: Mapping[str, Style]) -> list[Strip]:
        """Return the rows of the plot, and the steps below it."""
        quiet = styles["quiet"]
        lines = []
        for row in range(self._rows):
            cells = (self._drawn(column, row) for column in range(self._columns))
            runs = groupby(cells, key=lambda cell: cell[1])
            label = self._labels.get(row, "").rjust(self._gutter - 1)
            drawn = [Segment("".join(text for text, _ in run), styles[name]) for name, run in runs]
            lines.append(Strip([Segment(f"{label} ", quiet), *drawn]))
        return [*lines, Strip([Segment(" " * self._gutter + self._steps(), quiet)])]

    def _drawn(self, column: int, row: int) -> tuple[str, str]:
        """Return the character of a cell, and the name of its colour."""
        mark = self._marks.get((column, row), " ")
        curve, bar = self._curve.at(column, row), self._bars.at(column, row)
        if mark in (_BEST, _OTHER) or not (curve or bar):
            return mark, "quiet" if mark == _OTHER else "held-out"
        if self._ascii:
            return ("*", "training") if curve else ("|", "quiet")
        return braille(curve | bar), "training" if curve else "quiet"

    def _steps(self) -> str:
        """Name round steps below their places, as many as have room."""
        ticks = [one for one in self._widths.ticks(max(2, self._columns // 14)) if one.is_integer()]
        scale, free = [" "] * self._columns, 0
        for tick, label in zip(ticks, step_labels(ticks), strict=True):
            middle = round(self._widths.place(tick) * (self._columns - 1))
            start = max(0, min(middle - len(label) // 2, self._columns - len(label)))
            if start >= free:
                scale[start : start + len(label)] = label
                free = start + len(label) + 1
        return "".join(scale[: self._columns]).rstrip()


def _heights(shown: ScoreCurve) -> Scale:
    """Return the scale of the values; on that of a share is also its best."""
    values = [value for _, one in shown.scores for value in (one.mean, one.low, one.high)]
    values += [score.mean for _, score in shown.beside.scores] if shown.beside else []
    values += [] if shown.ceiling is None else [shown.ceiling]
    if shown.measure.unit == "%":
        values.append(0.0 if shown.measure.better == "lower" else 100.0)
    return Scale(min(values), max(values))
