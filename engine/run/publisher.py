"""Where the engine's threads write what they do, and readers find the newest snapshot."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from engine.choices import NETWORK_TITLES, NETWORKS, NetworkName
from engine.run.curves import AttentionPlot
from engine.run.evaluation import Notice, NoticeKind
from engine.run.sample import Sample
from engine.run.snapshot import Event, Snapshot

_log = logging.getLogger(__name__)

COMMON = frozenset(
    {
        *("voice_folder", "check", "left_out", "sentences", "checkpoints", "samples"),
        *("spent", "idle_usd", "run_seconds", "voice_seconds", "wait_seconds", "wait_usd"),
        *("budget", "price", "price_source", "machine", "spot_notice", "interrupted"),
        *("events", "warnings", "notices", "auditioning", "speaking", "auditions"),
        *("failure", "ended_because", "screens", "readers"),
    }
)
"""What is of the run or the voice: it is the same in the snapshots of both networks."""
_LEVELS = {"information": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class Publisher:
    """Holds one immutable snapshot and replaces it as a whole.

    Writers (the trainer, auditions, the GPU monitor) take turns for the microseconds of a
    replacement; readers never wait.
    """

    def __init__(self, first: Snapshot) -> None:
        self._run = self
        self._snapshots = [first]
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
        """The newest snapshot; where both networks are trained, Text2Mel's with SSRN's in it."""
        return self._snapshot

    @property
    def run_snapshot(self) -> Snapshot:
        """The newest snapshot of the whole run."""
        return self._run._snapshot

    def show_other(self, first: Snapshot) -> None:
        """Show another network, too, from here on."""
        with self._turn:
            common = {name: getattr(self._snapshot, name) for name in COMMON}
            self._snapshots.append(replace(first, **common))
            self._join()

    def update(self, **changes: Any) -> None:  # noqa: ANN401 (any field of Snapshot)
        """Replace fields of the snapshot, of all networks."""
        with self._turn:
            self._change(changes)
        if "speaking" in changes:
            self._run.on_speaking()

    def _change(self, changes: dict[str, Any], only: int | None = None) -> None:
        """Replace fields; those that are not common, of one network `only`, where it is given."""
        common = {name: value for name, value in changes.items() if name in COMMON}
        for place, before in enumerate(self._snapshots):
            mine = changes if only in (None, place) else common
            if mine:
                self._snapshots[place] = replace(before, **mine)
        self._join()

    def _join(self) -> None:
        first, *others = self._snapshots
        self._snapshot = replace(first, other=others[0]) if others else first

    def event(self, text: str, severity: str = "information") -> None:
        """Tell the person, and the log file, that something happened."""
        text = self._named(text)
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
        self._append("warnings", Event(time.time(), self._named(short or text), severity), 50)

    def notify(self, kind: NoticeKind, text: str) -> None:
        """Tell the person wherever they are; the log is told by `event` or `warn`."""
        notice = Notice(time.time(), kind, self._named(text))
        self._append("notices", notice, 50)
        self._run.on_notice(notice)

    def add_plot(self, plot: AttentionPlot) -> None:
        """Append a plot of the attention."""
        self._append("attention", plot, 200)

    def add_sample(self, sample: Sample) -> None:
        """Append a sample."""
        self._append("samples", sample, 500)

    def change_samples(self, change: Callable[[Sample], Sample | None]) -> None:
        """Replace each sample by what `change` makes of it; None takes it off the list."""
        with self._turn:
            before = self.snapshot.samples
            samples = tuple(new for old in before if (new := change(old)) is not None)
            if any(new is not old for new, old in zip_longest(samples, before)):
                self._change({"samples": samples})

    def _named(self, text: str) -> str:
        """A text that says of which network it is, where that is not known without."""
        return text

    def _append(self, name: str, item: object, most: int) -> None:
        """Append to a tuple of the snapshot; of more than `most` items the oldest go."""
        with self._turn:
            self._change({name: (*getattr(self.snapshot, name), item)[-most:]})


class NetworkPublisher(Publisher):
    """Publishes what one of the networks of a run does; beside another, events say which one."""

    def __init__(self, run: Publisher, network: NetworkName) -> None:
        """Publish in the snapshots of a run, which shows the network already."""
        self._run = run
        self._place = next(i for i, one in enumerate(run._snapshots) if one.network == network)
        self._turn = run._turn
        self.beats = 0
        self.of_voice = self._place == 0
        """Whether events are of the voice: what the first network meets before its steps."""

    def beat(self) -> None:
        """Show that the thread moves which prepares or trains this network."""
        self.beats += 1
        self._run.beats += 1

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot of this network."""
        return self._run._snapshots[self._place]

    def _named(self, text: str) -> str:
        clear = self.of_voice or len(self._run._snapshots) == 1
        if clear or text.lower().startswith(tuple(NETWORKS)):
            return text
        return f"{NETWORK_TITLES[self.snapshot.network]}: {text}"

    def _change(self, changes: dict[str, Any], only: int | None = None) -> None:
        self._run._change(changes, self._place)
