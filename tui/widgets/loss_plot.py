"""The loss over the steps, drawn with plotext."""

from rich.text import Text
from textual.color import Color
from textual.content import Content
from textual.widget import Widget

from engine.snapshot import LossCurve
from tui.widgets.curve import draw_curve


class LossPlot(Widget, can_focus=True):
    """The loss curve, and the held-out loss as dots on it."""

    BORDER_TITLE = "loss"

    def __init__(self, *, ascii_only: bool) -> None:
        super().__init__(id="loss", classes="panel")
        self._ascii_only = ascii_only
        self._curve = LossCurve()
        self._drawn: Text | None = None
        self._drawn_for: object = None

    def show(self, curve: LossCurve) -> None:
        """Draw another curve."""
        if curve is self._curve:
            return
        self._curve = curve
        self.refresh()

    def render(self) -> Text | Content:
        """Return the drawing, made anew only for another curve, size or theme."""
        if not self._curve.steps and not self._curve.held_out_steps:
            return Content.styled("the curve begins with the first logged step", "$quiet")
        colours = (self._colour("training"), self._colour("held-out"), self._colour("quiet"))
        wanted = (id(self._curve), self.content_size, colours)
        if self._drawn is None or self._drawn_for != wanted:
            self._drawn = draw_curve(self._curve, self.content_size, colours, self._ascii_only)
            self._drawn_for = wanted
        return self._drawn

    def on_mount(self) -> None:
        """Say which line is which."""
        dot, stroke = ("o", "*") if self._ascii_only else ("•", "─")
        self.border_subtitle = Content.assemble(
            (stroke, "$training"), " training  ", (dot, "$held-out"), " held-out"
        )

    def _colour(self, name: str) -> tuple[int, int, int]:
        return Color.parse(self.app.theme_variables[name]).rgb
