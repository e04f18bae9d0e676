"""Where the engine's threads write what they do, and readers find the newest snapshot."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from engine.run.curves import AttentionPlot
from engine.run.evaluation import Notice, NoticeKind
from engine.run.sample import Sample
from engine.run.snapshot import Event, Snapshot

_log = logging.getLogger(__name__)

_LEVELS = {"information": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class Publisher:
    """Holds one immutable snapshot and replaces it as a whole.

    Writers (the trainer, auditions, the GPU monitor) take turns for the microseconds of a
    replacement; readers never wait.
    """

    def __init__(self, first: Snapshot) -> None:
        self._snapshot = first
        self._turn = threading.Lock()
        self.on_speaking: Callable[[], None] = lambda: None
        """Called when a sample begins or ends to be heard: who listens is waiting for it."""
        self.on_notice: Callable[[Notice], None] = lambda _: None
        """Called with each notice; it must return at once."""
        self.beats = 0
        """How often the engine's thread has shown that it moves; see `beat`."""

    def beat(self) -> None:
        """Show that the engine's thread moves, also where nothing changes; for that thread alone.

        It calls this between steps and wherever it waits, so that a watchdog tells a wait that is
        meant from a thread that hangs.
        """
        self.beats += 1

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot."""
        return self._snapshot

    def update(self, **changes: Any) -> None:  # noqa: ANN401 (any field of Snapshot)
        """Replace fields of the snapshot."""
        with self._turn:
            self._snapshot = replace(self._snapshot, **changes)
        if "speaking" in changes:
            self.on_speaking()

    def event(self, text: str, severity: str = "information") -> None:
        """Tell the person, and the log file, that something happened."""
        _log.log(_LEVELS[severity], "%s", text)
        self._append("events", Event(time.time(), text, severity), 300)

    def warn(self, text: str, short: str = "", severity: str = "warning") -> None:
        """Tell what the person must have seen: a screen shows it until they dismiss it.

        Args:
            text: what happened, for the log.
            short: the same in a sentence that fits two lines of a screen; the text where that does.
            severity: as an event has it.
        """
        self.event(text, severity)
        self._append("warnings", Event(time.time(), short or text, severity), 50)

    def notify(self, kind: NoticeKind, text: str) -> None:
        """Tell the person wherever they are; the log is told by `event` or `warn`."""
        notice = Notice(time.time(), kind, text)
        self._append("notices", notice, 50)
        self.on_notice(notice)

    def add_plot(self, plot: AttentionPlot) -> None:
        """Append a plot of the attention."""
        self._append("attention", plot, 200)

    def add_sample(self, sample: Sample) -> None:
        """Append a sample."""
        self._append("samples", sample, 500)

    def change_samples(self, change: Callable[[Sample], Sample | None]) -> None:
        """Replace each sample by what `change` makes of it; None takes it off the list."""
        with self._turn:
            before = self._snapshot.samples
            samples = tuple(new for old in before if (new := change(old)) is not None)
            if any(new is not old for new, old in zip_longest(samples, before)):
                self._snapshot = replace(self._snapshot, samples=samples)

    def _append(self, name: str, item: object, most: int) -> None:
        """Append to a tuple of the snapshot; of more than `most` items the oldest go."""
        with self._turn:
            changes: dict[str, Any] = {name: (*getattr(self._snapshot, name), item)[-most:]}
            self._snapshot = replace(self._snapshot, **changes)
