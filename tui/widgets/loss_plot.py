"""The loss over the steps, drawn with plotext."""

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.color import Color
from textual.content import Content
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from engine.run.snapshot import LossCurve
from tui import formatting
from tui.widgets.curve import draw_curve, grew_visibly

_LEFT_FOR = 10
"""Curves that may pass undrawn, one a second, while the growth of the run cannot be seen."""

# Cells of the border above the plot that no title takes.
_CORNERS = 4


class LossPlot(Widget, can_focus=True):
    """The loss curve, the held-out loss as dots on it, and in the title the least of these."""

    BORDER_TITLE = "loss"

    def __init__(self, *, ascii_only: bool) -> None:
        super().__init__(id="loss", classes="panel")
        self._ascii_only = ascii_only
        self._curve = LossCurve()
        self._newest = self._curve
        self._left = 0
        self._lines: list[Strip] = []

    def on_mount(self) -> None:
        """Say which line is which."""
        stroke = "*" if self._ascii_only else "─"
        self.border_subtitle = Content.assemble(
            (stroke, "$training"), " training  ", (self._dot, "$held-out"), " held-out"
        )

    @property
    def _dot(self) -> str:
        return "o" if self._ascii_only else "•"

    def _say_best(self) -> None:
        """Say in the title how small the held-out loss has been, and at which step."""
        title, best = Content(self.BORDER_TITLE), self._newest.best
        if best is not None:
            said = f"{formatting.loss(best)} at {self._newest.best_step:,}"
            title = Content.assemble(self.BORDER_TITLE, f" · best held-out {said}")
            if title.cell_length > self.size.width - _CORNERS:
                title = Content.assemble(
                    self.BORDER_TITLE, " · best ", (self._dot, "$held-out"), f" {said}"
                )
        if title != self.border_title:
            self.border_title = title

    def show(self, curve: LossCurve) -> None:
        """Draw another curve, unless nobody could tell it from the one before."""
        if curve is self._newest:
            return
        self._newest = curve
        self._left += 1
        if self._left < _LEFT_FOR and not grew_visibly(self._curve, curve, self.size.width):
            return
        self._curve, self._left = curve, 0
        # Another title draws the whole panel anew: it comes with another drawing.
        self._say_best()
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
        self._say_best()
        self._draw_again()

    def notify_style_update(self) -> None:
        """Draw in other colours."""
        super().notify_style_update()
        self._draw_again()

    def _draw_again(self) -> None:
        self._curve, self._left = self._newest, 0
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
            words = Text("drawn from the first logged step on")
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
    """Let blanks take the colour of what stands before them: a change of colour costs bytes."""
    style, coloured = ground, []
    for text, own, _ in segments:
        if own is not None and not text.isspace():
            style = ground + own
        coloured.append(Segment(text, style))
    return list(Segment.simplify(coloured))
