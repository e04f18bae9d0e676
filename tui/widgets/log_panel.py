"""The log: oldest first, the newest in sight until the person scrolls back."""

from rich.segment import Segment
from rich.text import Text
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from engine.formatting import printable
from engine.run.snapshot import Event
from tui import formatting
from tui.widgets.drawing import style

MAX_EVENTS = 500
_TIME_WIDTH = len("14:02 ")

_COLOURS = {"information": "foreground", "warning": "warning", "error": "error"}


class LogPanel(ScrollView, can_focus=True):
    """The events of the engine and of the app, in order."""

    BORDER_TITLE = "log"

    def __init__(self) -> None:
        super().__init__(id="log", classes="panel")
        self._from_engine: tuple[Event, ...] = ()
        self._events: list[Event] = []
        self._lines: list[tuple[str, str, str]] = []
        """Time, text and severity of each line as it is wrapped now."""

    def show(self, events: tuple[Event, ...]) -> list[Event]:
        """Add the engine's new events, and return them."""
        if events is self._from_engine:
            return []
        known = {id(event) for event in self._from_engine}
        new = [event for event in events if id(event) not in known]
        self._from_engine = events
        if new:
            self.add(*new)
        return new

    @property
    def lines(self) -> list[str]:
        """The log as it reads."""
        return [f"{time:5} {text}" for time, text, _ in self._lines]

    def add(self, *events: Event) -> None:
        """Add events at the end, which stays in sight unless the person scrolled back."""
        following = self.scroll_offset.y >= self.max_scroll_y
        self._events = [*self._events, *events][-MAX_EVENTS:]
        self._wrap()
        if following:
            self.scroll_end(animate=False)

    def on_resize(self) -> None:
        self._wrap()
        self.scroll_end(animate=False)

    @property
    def is_line(self) -> bool:
        """Whether there is room for the newest event alone."""
        return self.size.height == 1

    def shows(self, event: Event) -> bool:
        """Whether the newest event can be read in full."""
        fits = not self.is_line or len(event.text) <= self.size.width - _TIME_WIDTH
        return self.is_on_screen and fits and self._events[-1:] == [event]

    def _wrap(self) -> None:
        width = self.scrollable_content_region.width
        console = self.app.console
        self._lines = []
        for event in self._events:
            text = Text(printable(event.text))
            time = formatting.clock(event.time)
            for line in text.wrap(console, max(8, width - _TIME_WIDTH)):
                self._lines.append((time, line.plain.rstrip(), event.severity))
                time = ""
        self.virtual_size = Size(width, len(self._lines))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        if self.is_line:
            return self._newest(width)
        place = self.scroll_offset.y + y
        if place >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        return self._strip(*self._lines[place], width)

    def _newest(self, width: int) -> Strip:
        """Return the newest event in one line, cut off if it is longer."""
        if not self._events:
            return Strip.blank(width, self.rich_style)
        event = self._events[-1]
        text = Text(printable(event.text))
        text.truncate(max(1, width - _TIME_WIDTH), overflow="ellipsis")
        return self._strip(formatting.clock(event.time), text.plain, event.severity, width)

    def _strip(self, time: str, text: str, severity: str, width: int) -> Strip:
        segments = [
            Segment(f"{time:5} ", style(self, "quiet")),
            Segment(text, style(self, _COLOURS.get(severity, "foreground"))),
        ]
        return Strip(segments).adjust_cell_length(width, self.rich_style)
