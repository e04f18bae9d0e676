"""The status: the lines that a person reads first."""

from datetime import datetime

from textual.app import ComposeResult
from textual.containers import Vertical

from engine.snapshot import Snapshot
from tui.widgets import status_words as words
from tui.widgets.status_line import StatusLine


class Status(Vertical):
    """Where the run stands, when it ends, what it costs and how it learns."""

    def __init__(self, *, ascii_only: bool) -> None:
        super().__init__(id="status")
        self._ascii_only = ascii_only

    def compose(self) -> ComposeResult:
        """Lay one line under the other."""
        for name in ("title", "step", "stop", "money", "loss"):
            yield StatusLine(id=f"status-{name}")

    def show(self, snapshot: Snapshot, now: datetime, time: str, silent: float | None) -> None:
        """Say how it stands; `silent` is how long no step was made, where that is worth saying."""
        width = self.content_size.width
        if width == 0:
            return
        lines = (
            words.title_line(snapshot, time, width),
            words.step_line(snapshot, silent, width),
            words.stop_line(snapshot, now, width, self._ascii_only),
            words.money_line(snapshot, width),
            words.loss_line(snapshot, width),
        )
        for widget, content in zip(self.query(StatusLine), lines, strict=True):
            widget.show(content)
