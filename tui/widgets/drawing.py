"""What panels share that draw their own lines."""

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget


def colour(widget: Widget, name: str) -> Color:
    """Return a colour of the theme."""
    return Color.parse(widget.app.theme_variables[name])


def style(widget: Widget, name: str) -> Style:
    """Return the style of text in a colour of the theme, on the widget's ground."""
    return widget.rich_style + Style(color=colour(widget, name).rich_color)


class Drawing(Widget, can_focus=True):
    """A panel whose lines are drawn when something changed, and kept until then."""

    def __init__(self, id: str) -> None:
        super().__init__(id=id, classes="panel")
        self._lines: list[Strip] = []

    def draw(self) -> list[Strip]:
        """Return the lines, from the top."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Draw anew; what looks as before is not sent again."""
        before, self._lines = self._lines, []
        if self.is_attached and self.content_size:
            width, height = self.content_size
            lines = self.draw() + [Strip.blank(width, self.rich_style)] * height
            ground = self.rich_style
            self._lines = [line.adjust_cell_length(width, ground) for line in lines[:height]]
        changed = [
            Region(0, y, line.cell_length, 1)
            for y, line in enumerate(self._lines)
            if y >= len(before) or line != before[y]
        ]
        if changed:
            self.refresh(*changed)

    def on_resize(self) -> None:
        self.redraw()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self.redraw()

    def render_line(self, y: int) -> Strip:
        if y < len(self._lines):
            return self._lines[y]
        return Strip.blank(self.content_size.width, self.rich_style)

    @property
    def ascii_only(self) -> bool:
        """Whether nothing but ASCII may be drawn."""
        return self.app.has_class("-ascii")

    def quietly(self, words: str) -> list[Strip]:
        """Return a quiet line of words."""
        return [Strip([Segment(words, style(self, "quiet"))])]
