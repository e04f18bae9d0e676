"""The last lines of a screen: what went wrong at the end, and what the machine costs from here on.

They are the same for the screen of a run's own process and for those of others.
"""

from collections.abc import Iterator

from engine.run.snapshot import Event, Snapshot
from tui.process.endings import sentence_about_rent


class Closing:
    """Knows what had happened before the end began: what came later nobody had time to read."""

    def __init__(self, before_end: Snapshot) -> None:
        self._known: Event | None = before_end.events[-1] if before_end.events else None

    def lines(self, last: Snapshot, how: str) -> Iterator[str]:
        """Yield what is to be said after the end.

        Args:
            last: the run at its end.
            how: the sentence that tells how it ended.
        """
        for event in self._new(last.events):
            # What ended the run is told with it.
            if event.severity != "information" and not last.failure.startswith(event.text):
                yield f"{event.severity}: {event.text}"
        yield how
        rent = sentence_about_rent(last)
        if rent:
            yield rent

    def _new(self, events: tuple[Event, ...]) -> tuple[Event, ...]:
        for index in range(len(events) - 1, -1, -1):
            if events[index] == self._known:
                return events[index + 1 :]
        return events
