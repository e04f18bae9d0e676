"""The attention of a sentence: which character was read at which moment."""

from rich.segment import Segment
from textual.content import Content
from textual.strip import Strip

from engine.run.curves import AttentionPlot
from engine.serialization import Array
from tui import formatting
from tui.formatting import misreading_words
from tui.widgets.axes import linear_ticks
from tui.widgets.drawing import Drawing, colour, style

_MISREAD = "▌"
"""Stands beside the rows of a word that was skipped, repeated or stuck."""
_ROWS_WITH_WORDS = 4
"""Rows of a picture that can spare one."""


class AttentionView(Drawing):
    """The newest attention plot, or an older one that the person chose."""

    BORDER_TITLE = "attention"

    def __init__(self) -> None:
        super().__init__("attention")
        self.plots: tuple[AttentionPlot, ...] = ()
        """All plots there are, oldest first."""
        self._chosen: AttentionPlot | None = None

    @property
    def _place(self) -> int:
        """The index of the plot on show: the chosen one, else the newest."""
        chosen = (index for index, plot in enumerate(self.plots) if plot is self._chosen)
        return next(chosen, len(self.plots) - 1)

    def show(self, plots: tuple[AttentionPlot, ...]) -> None:
        """Take new plots; a chosen one stays on show as long as it is among them."""
        if plots is not self.plots:
            self.plots = plots
            self._show_chosen()

    def turn(self, by: int) -> None:
        """Go to an older (−1) or newer (+1) plot."""
        last = len(self.plots) - 1
        place = min(last, max(0, self._place + by))
        # At the newest end again, the view follows what comes.
        self._chosen = None if place == last else self.plots[place]
        self._show_chosen()

    def _show_chosen(self) -> None:
        if not self.plots:
            return
        plot = self.plots[self._place]
        self.border_title = Content.assemble(
            "attention",
            (f" · {formatting.short_steps(plot.step)}", "$foreground"),
            (f" · {plot.source}" if plot.source else "", "$quiet"),
        )
        among = f"{self._place + 1} of {len(self.plots)}" if len(self.plots) > 1 else ""
        rows, columns = plot.weights.shape
        self.border_subtitle = Content(f"{rows} characters × {columns} frames  {among}".rstrip())
        self.redraw()

    def draw(self) -> list[Strip]:
        """Draw the picture with its axes."""
        if not self.plots or self.plots[self._place].weights.size == 0:
            return self.quietly("appears at the first checkpoint, or on A")
        weights = self.plots[self._place].weights
        characters, frames = weights.shape
        gutter = len(str(characters)) + 1
        rows, columns = self.content_size.height - 1, self.content_size.width - gutter
        if rows < 1 or columns < 4:
            return []
        misread = self._misread(rows)
        rows -= len(misread)
        drawn = zip(self._gutter(rows, gutter), self._cells(weights, rows, columns), strict=True)
        lines = [Strip([*before, *segments]) for before, segments in drawn]
        return lines + self.quietly(" " * gutter + _column_numbers(frames, columns)) + misread

    def _gutter(self, rows: int, width: int) -> list[list[Segment]]:
        """Number the rows, and mark those of words that were misread."""
        plot = self.plots[self._place]
        quiet, mark = style(self, "quiet"), Segment(_MISREAD, style(self, "warning"))
        marked = _marked_rows(plot, rows)
        return [
            [Segment(number.rjust(width - 1), quiet), mark]
            if row in marked
            else [Segment(number.rjust(width - 1) + " ", quiet)]
            for row, number in enumerate(_row_numbers(len(plot.weights), rows))
        ]

    def _misread(self, rows: int) -> list[Strip]:
        """Return a line that says which words were misread, where there is room for it."""
        misread = self.plots[self._place].misreadings
        if not misread or rows < _ROWS_WITH_WORDS:
            return []
        words = misreading_words(misread, self.content_size.width)
        return [Strip([Segment(words, style(self, "warning"))])]

    def _cells(self, weights: Array, rows: int, columns: int) -> list[list[Segment]]:
        # Late: numpy takes longer to import than the first screen to draw.
        from tui.widgets.attention_picture import half_block_rows, ramp_rows, shades_between

        if self.ascii_only or self.app.no_color or self.app.console.color_system is None:
            return ramp_rows(weights, rows, columns, self.rich_style)
        names = ("attention-ground", "attention-middle", "attention-peak")
        shades = shades_between(*(colour(self, name) for name in names))
        return half_block_rows(weights, rows, columns, shades)


def _marked_rows(plot: AttentionPlot, rows: int) -> set[int]:
    """Return the rows in which a character of a misread word is drawn."""
    characters = len(plot.weights)
    return {
        row
        for row in range(rows)
        for first in (row * characters // rows,)
        for one in plot.misreadings
        if one.start < max(first + 1, (row + 1) * characters // rows) and first < one.end
    }


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
