"""The attention of a sentence: which character was read at which moment."""

from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.content import Content
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from engine.run.snapshot import AttentionPlot
from tui import formatting
from tui.widgets import attention_picture as picture
from tui.widgets.axes import linear_ticks


@dataclass(frozen=True, slots=True)
class _Drawing:
    """Finished lines, and what they were drawn for."""

    plot: AttentionPlot
    size: Size
    theme: str
    lines: list[Strip]

    def fits(self, plot: AttentionPlot, size: Size, theme: str) -> bool:
        """Say whether nothing has changed since; arrays are told apart by identity."""
        return self.plot is plot and (self.size, self.theme) == (size, theme)


class AttentionView(Widget, can_focus=True):
    """The newest attention plot, or an older one that the person went back to."""

    BORDER_TITLE = "attention"

    def __init__(self, *, plain: bool) -> None:
        """Draw with characters alone where `plain`: without colour or beyond ASCII."""
        super().__init__(id="attention", classes="panel")
        self._plain = plain
        self._plots: tuple[AttentionPlot, ...] = ()
        self._chosen: AttentionPlot | None = None
        self._drawing: _Drawing | None = None

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
        """Where the plot on show stands among all, counted from 0."""
        for index, plot in enumerate(self._plots):
            if plot is self._chosen:
                return index
        return len(self._plots) - 1

    def show(self, plots: tuple[AttentionPlot, ...]) -> None:
        """Take other plots; a chosen one stays on show as long as it is among them."""
        if plots is self._plots:
            return
        self._plots = plots
        if not any(plot is self._chosen for plot in plots):
            self._chosen = None
        self._say_which()

    def turn(self, by: int) -> None:
        """Go to an older (−1) or newer (+1) plot."""
        if self._plots:
            place = min(len(self._plots) - 1, max(0, self.place + by))
            # At the newest end again, the view follows what comes.
            self._chosen = None if place == len(self._plots) - 1 else self._plots[place]
            self._say_which()

    def _say_which(self) -> None:
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
            text = "drawn at every checkpoint, and on n" if y == 0 else ""
            quiet = self._quiet
            return Strip([Segment(text, quiet)]).adjust_cell_length(size.width, self.rich_style)
        drawing = self._drawing
        theme = self.app.theme
        if drawing is None or not drawing.fits(plot, size, theme):
            drawing = self._drawing = _Drawing(plot, size, theme, self._draw(plot, size))
        if y < len(drawing.lines):
            return drawing.lines[y].adjust_cell_length(size.width, self.rich_style)
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
            return picture.ramp_rows(plot.weights, rows, columns, self.rich_style)
        names = ("attention-ground", "attention-middle", "attention-peak")
        shades = picture.shades_between(*map(self._colour, names))
        return picture.half_block_rows(plot.weights, rows, columns, shades)

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
