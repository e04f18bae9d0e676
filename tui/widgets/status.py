"""The status: the lines that a person reads first."""

from datetime import datetime

from textual.app import ComposeResult
from textual.containers import Vertical

from engine.run.snapshot import Snapshot
from tui.widgets import status_words as words
from tui.widgets.status_line import StatusLine


class Status(Vertical):
    """Where the run stands, when it ends, what it costs and how it learns."""

    def __init__(self, *, ascii_only: bool, reading: bool = False) -> None:
        super().__init__(id="status")
        self._reading = reading
        self._ascii_only = ascii_only
        self._width = 0
        names = ("title", "step", "stop", "money", "loss")
        self._lines = tuple(StatusLine(f"status-{name}") for name in names)

    def compose(self) -> ComposeResult:
        """Lay one line under the other."""
        yield from self._lines

    def show(
        self, snapshot: Snapshot, now: datetime, time: str, silent: float | None, *, losses: bool
    ) -> None:
        """Say how it stands.

        `silent` is how long no step was made, where that is worth saying. The line of losses,
        in which every figure changes at once, follows only where `losses`.
        """
        width = self.content_size.width
        if width == 0:
            return
        lines = (
            words.title_line(snapshot, time, width, reading=self._reading),
            words.step_line(snapshot, silent, width),
            words.stop_line(
                snapshot, now, width, ascii_only=self._ascii_only, reading=self._reading
            ),
            words.money_line(snapshot, width),
            words.loss_line(snapshot, width) if losses or width != self._width else None,
        )
        self._width = width
        for widget, line in zip(self._lines, lines, strict=True):
            if line is not None:
                widget.show(line)
