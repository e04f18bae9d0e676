"""Where the engine's threads write what they do, and readers find the newest snapshot."""

import logging
import threading
import time
from dataclasses import replace
from typing import Any

from engine.run.snapshot import AttentionPlot, Event, Sample, Snapshot

_log = logging.getLogger(__name__)

# Older ones go: the screen shows a few dozen, the log file has all.
_MAX_EVENTS = 300
_MAX_PLOTS = 200
_MAX_SAMPLES = 500
_MAX_WARNINGS = 50

_LEVELS = {"information": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class Publisher:
    """Holds one immutable snapshot and replaces it as a whole.

    Writers (the trainer, auditions, the GPU monitor) take turns for the microseconds of a
    replacement; readers never wait.
    """

    def __init__(self, first: Snapshot) -> None:
        self._snapshot = first
        self._turn = threading.Lock()
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

    def event(self, text: str, severity: str = "information") -> None:
        """Tell the person, and the log file, that something happened."""
        self._tell(text, severity)

    def warn(self, text: str, short: str = "", severity: str = "warning") -> None:
        """Tell what the person must have seen: a screen shows it until they dismiss it.

        Args:
            text: what happened, for the log.
            short: the same in a sentence that fits two lines of a screen; the text where that does.
            severity: as an event has it.
        """
        self._tell(text, severity)
        with self._turn:
            warning = Event(time.time(), short or text, severity)
            warnings = (*self._snapshot.warnings, warning)[-_MAX_WARNINGS:]
            self._snapshot = replace(self._snapshot, warnings=warnings)

    def _tell(self, text: str, severity: str) -> None:
        _log.log(_LEVELS[severity], "%s", text)
        with self._turn:
            events = (*self._snapshot.events, Event(time.time(), text, severity))
            self._snapshot = replace(self._snapshot, events=events[-_MAX_EVENTS:])

    def add_plot(self, plot: AttentionPlot) -> None:
        """Append a plot of the attention."""
        with self._turn:
            plots = (*self._snapshot.attention, plot)[-_MAX_PLOTS:]
            self._snapshot = replace(self._snapshot, attention=plots)

    def add_sample(self, sample: Sample) -> None:
        """Append a sample."""
        with self._turn:
            samples = (*self._snapshot.samples, sample)[-_MAX_SAMPLES:]
            self._snapshot = replace(self._snapshot, samples=samples)
