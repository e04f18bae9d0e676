"""The panels of the main screen: two plots over two lists, one of them alone, or three columns."""

from enum import Enum

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget

_ONE_PANEL_BELOW = Size(60, 20)
_LOG_PANEL_FROM = Size(112, 34)
"""Columns that make room for a log beside the samples, rows that make room for one below them."""
_THREE_COLUMNS_FROM = 180


class Arrangement(Enum):
    """How much stands side by side; the value is the class that style sheets know."""

    TABS = "-tabs"
    """One panel at a time."""
    LOG_LINE = "-log-line"
    """Two plots over the samples, and the newest line of the log."""
    STACKED = "-stacked"
    """Two plots over the samples over the log."""
    BESIDE = "-beside"
    """Two plots over the samples and the log."""
    COLUMNS = "-columns"
    """Three columns, with the checkpoints."""

    @classmethod
    def of(cls, size: Size) -> "Arrangement":
        """Choose what a screen has room for."""
        if size.width < _ONE_PANEL_BELOW.width or size.height < _ONE_PANEL_BELOW.height:
            return cls.TABS
        if size.width >= _THREE_COLUMNS_FROM:
            return cls.COLUMNS
        if size.width >= _LOG_PANEL_FROM.width:
            return cls.BESIDE
        return cls.STACKED if size.height >= _LOG_PANEL_FROM.height else cls.LOG_LINE


class Tabs(Widget):
    """Which panel is on the screen, and which others there are."""

    class Chosen(Message):
        """A name was clicked."""

        def __init__(self, place: int) -> None:
            super().__init__()
            self.place = place

    def __init__(self) -> None:
        super().__init__(id="tabs")
        self._names: tuple[str, ...] = ()
        self._current = ""

    def show(self, names: tuple[str, ...], current: str) -> None:
        """Name the panels, and mark the one in sight."""
        if (names, current) != (self._names, self._current):
            self._names, self._current = names, current
            self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Bring the panel whose name was clicked into sight."""
        end = 0
        for place, name in enumerate(self._names):
            end += len(name) + 2
            if event.get_content_offset_capture(self).x < end:
                self.post_message(self.Chosen(place))
                return

    def render(self) -> Content:
        """Write the names, that of the panel in sight as on a label of its own."""
        here = "bold reverse $primary"
        return Content("").join(
            Content.styled(f" {name} ", here if name == self._current else "$quiet")
            for name in self._names
        )


class Panels(Vertical):
    """Lays panels out as the screen has room, and can give one of them all of it."""

    def __init__(
        self, plots: tuple[Widget, ...], lists: tuple[Widget, ...], log: Widget, table: Widget
    ) -> None:
        """Take the plots, the lists below them, and of both the one that needs no panel.

        The log, among the lists, may be a line; the table, among the plots, is only seen in three
        columns.
        """
        super().__init__(id="panels")
        self._rows = {"plots": plots, "lists": lists}
        self._order = [*plots, *lists]
        self._log, self._table = log, table
        self._tabs = Tabs()
        self._arrangement = Arrangement.LOG_LINE
        self._current: Widget = lists[0]
        """The panel that has all the room when there is only one."""
        self._maximised = False
        """Whether the person asked for one panel alone."""
        self._left_out: Widget | None = None

    def compose(self) -> ComposeResult:
        self._arrangement = Arrangement.of(self.app.size)
        # A class that came after the panels would have them all styled again.
        self.add_class(self._arrangement.value)
        yield self._tabs
        for name, panels in self._rows.items():
            with Horizontal(id=name):
                yield from panels

    @property
    def one_at_a_time(self) -> bool:
        """Whether the screen has room for one panel only."""
        return self._arrangement is Arrangement.TABS

    def on_mount(self) -> None:
        """Begin with the samples in focus, or, if alone, with the first panel."""
        if self.one_at_a_time:
            self._current = self._order[0]
        self._show()

    def on_resize(self) -> None:
        """Lay out for another size of the screen."""
        arrangement = Arrangement.of(self.app.size)
        if arrangement is not self._arrangement:
            self._arrangement = arrangement
            for each in Arrangement:
                self.set_class(each is arrangement, each.value)
            self._show()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Remember which panel keys are for; one that is alone stays until a key turns it."""
        if event.widget in self._order and not self._is_alone:
            self._current = event.widget

    def maximise(self) -> None:
        """Give the focused panel all the room, or give the room back."""
        alone = self._is_alone
        self._maximised = not alone
        if alone and self._current is self._log:
            self._current = self._rows["lists"][0]
        self._show()

    def turn(self, by: int) -> None:
        """Go to the next panel (+1) or the one before (−1)."""
        there = self._there
        at = there.index(self._current) if self._current in there else -by
        self._current = there[(at + by) % len(there)]
        self._show()

    def on_tabs_chosen(self, message: Tabs.Chosen) -> None:
        self.bring(self._there[message.place])

    def bring(self, panel: Widget) -> None:
        """Bring a panel into sight, if another has all the room."""
        if self._is_alone and panel is not self._current and panel in self._there:
            self._current = panel
            self._show()

    def leave_out(self, panel: Widget | None) -> None:
        """Hide a panel that has nothing to show in this run."""
        if panel is not self._left_out:
            self._left_out = panel
            for each in self._order:
                each.set_class(each is panel, "-left-out")
            self._show()

    @property
    def _there(self) -> list[Widget]:
        """The panels of this arrangement, in the order of the tabulator key."""
        hidden = {self._left_out}
        if self._arrangement is not Arrangement.COLUMNS:
            hidden.add(self._table)
        return [panel for panel in self._order if panel not in hidden]

    @property
    def _is_alone(self) -> bool:
        line = self._arrangement is Arrangement.LOG_LINE
        return self.one_at_a_time or self._maximised or (line and self._current is self._log)

    def _show(self) -> None:
        if self._current not in self._there:
            self._current = self._there[0]
        alone = self._is_alone
        self.set_class(alone, "-maximised")
        for name, members in self._rows.items():
            self.query_one(f"#{name}").set_class(self._current in members, "-holds")
            for member in members:
                member.set_class(alone and member is self._current, "-whole")
        names = tuple(panel.id or "" for panel in self._there)
        self._tabs.show(names, self._current.id or "")
        self.call_after_refresh(self._focus)

    def _focus(self) -> None:
        self._current.focus()
