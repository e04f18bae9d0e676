"""The four panels: two plots over two lists, or one of them alone."""

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widget import Widget


class Panels(Vertical):
    """Lays panels out in two rows and can give one of them all the room."""

    def __init__(self, plots: tuple[Widget, ...], lists: tuple[Widget, ...]) -> None:
        super().__init__(id="panels")
        self._rows = {"plots": plots, "lists": lists}
        self._order = [*plots, *lists]
        self._whole: Widget | None = None
        self._maximised = False
        """Whether the person asked for one panel alone."""
        self._left_out: Widget | None = None

    def compose(self) -> ComposeResult:
        for name, panels in self._rows.items():
            with Horizontal(id=name):
                yield from panels

    def maximise(self) -> None:
        """Give the focused panel, else the first, all the room; or give the room back."""
        chosen = self._focused or self._order[0]
        self._maximised = self._whole is None
        self._show_alone(chosen if self._maximised else None)

    def next(self) -> None:
        """Focus the next panel; one that has no room beside the others is shown alone."""
        there = [panel for panel in self._order if panel is not self._left_out]
        now = self._whole or self._focused
        panel = there[(there.index(now) + 1) % len(there)] if now in there else there[0]
        if self._maximised or (panel in self._rows["lists"] and self._lists_have_no_room):
            self._show_alone(panel)
        else:
            self._show_alone(None)
            panel.focus()

    @property
    def _lists_have_no_room(self) -> bool:
        return self.screen.has_class("-short")

    def leave_out(self, panel: Widget | None) -> None:
        """Hide a panel that has nothing to show in this run."""
        if panel is not self._left_out:
            self._left_out = panel
            for each in self._order:
                each.set_class(each is panel, "-left-out")

    @property
    def _focused(self) -> Widget | None:
        return next((panel for panel in self._order if panel.has_focus), None)

    def _show_alone(self, panel: Widget | None) -> None:
        self._whole = panel
        self.set_class(panel is not None, "-maximised")
        for name, members in self._rows.items():
            self.query_one(f"#{name}").set_class(panel in members, "-holds")
            for member in members:
                member.set_class(member is panel, "-whole")
        if panel is not None:
            self.call_after_refresh(panel.focus)
