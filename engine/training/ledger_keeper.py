"""What the voice has cost up to this moment: the ledger on disk and the stretches under way."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.choices import NetworkName
from engine.formatting import timestamp
from engine.training.clock import TrainingClock
from engine.voice.folder import Voice
from engine.voice.open_spend import OpenSpend
from engine.voice.spend import SpendEntry, StretchKind

# Time that may be missing from the ledger when the machine is lost; of a process that is killed
# the file of open stretches knows more.
_LONGEST_SECONDS = 60.0
# Idle time that is worth a line of its own while the run goes on.
_WORTH_A_LINE = 1.0
# Less than this is what lies between two readings of a clock.
_NOTHING = 0.001


@dataclass(frozen=True, slots=True)
class _Closed:
    """Up to where this run is accounted for; replaced as a whole, for other threads look at it."""

    since: str
    """When the stretches under way began, in UTC."""
    step: int
    training: float = 0.0
    """Seconds of this run."""
    idle: float = 0.0
    """Seconds of this run."""
    usd: float = 0.0
    """What this run has closed, in US dollars."""
    idle_usd: float = 0.0
    """What of it was for idle time."""


class SpendRecorder:
    """Closes the stretches under way where training is saved, and adds them to the ledger.

    A stretch that is closed waits in memory for `flush`, which another thread may call.

    What is paid for is the machine, from the start of the process on: time in which no steps are
    made, because they are being prepared or the run waits, is idle, and costs as much.
    """

    def __init__(
        self,
        voice: Voice,
        network: NetworkName,
        clock: TrainingClock,
        step: int,
        paid: Callable[[], float] | None = None,
    ) -> None:
        """Take over what a killed process left open.

        Args:
            voice: whose ledger it is.
            network: what is trained.
            clock: counts training.
            step: the global step.
            paid: counts the seconds in which the machine is paid for, from 0; None where they
                are those of training.

        Raises:
            EngineError: the ledger cannot be read or written.
        """
        self._voice = voice
        self._ledger = voice.ledger
        self._open = OpenSpend(_path_of_open(voice))
        self._network = network
        self._clock = clock
        self._paid = paid
        self.price = voice.settings.price
        """US dollars an hour."""
        self.taken_over = self._open.take_over(self._ledger)
        """What a killed process had left open."""
        self.unreadable = self._ledger.unreadable
        """The numbers of the ledger's lines that say nothing, and are not counted."""
        self._past_seconds = self._ledger.seconds
        self._past_idle_seconds = self._ledger.idle_seconds
        self._past_usd = self._ledger.usd
        self._past_idle_usd = self._ledger.idle_usd
        self._closed = _Closed(timestamp(), step)
        # Who changes the ledger, which a slow disk may hold; never needed to close a stretch.
        self._writing = threading.Lock()
        # Who changes what is closed, what waits for the ledger, and what is on its way there.
        self._turn = threading.Lock()
        self._waiting: list[SpendEntry] = []
        self._leaving: list[SpendEntry] = []
        self._ledger_size = self._ledger.size

    @property
    def voice_seconds(self) -> float:
        """Training time of the voice, all its runs together."""
        return self._past_seconds + self._clock.seconds

    @property
    def spent(self) -> float:
        """Spend of the voice in US dollars, all its runs together, idle time included."""
        closed = self._closed
        training, idle = self._under_way(closed)
        return self._past_usd + closed.usd + (training + idle) / 3600 * self.price

    @property
    def spent_before(self) -> float:
        """Spend of the voice in US dollars when this run began."""
        return self._past_usd

    @property
    def idle_seconds(self) -> float:
        """Idle time of the voice, all its runs together."""
        return self._past_idle_seconds + self._idle()

    @property
    def idle_usd(self) -> float:
        """What of the spend was for idle time, in US dollars."""
        closed = self._closed
        _, idle = self._under_way(closed)
        return self._past_idle_usd + closed.idle_usd + idle / 3600 * self.price

    @property
    def run_seconds(self) -> float:
        """Seconds that this run has been paid for, training and idle time."""
        return self._clock.seconds + self._idle()

    @property
    def due(self) -> bool:
        """Whether so much is under way that a lost machine would hide it."""
        return sum(self._under_way(self._closed)) >= _LONGEST_SECONDS

    def _idle(self) -> float:
        # Training first: what passes between the two readings is then idle, and not less than 0.
        training = self._clock.seconds
        return 0.0 if self._paid is None else max(0.0, self._paid() - training)

    def _under_way(self, closed: _Closed) -> tuple[float, float]:
        """Seconds of training and of idle time that are in no closed stretch yet."""
        training = max(0.0, self._clock.seconds - closed.training)
        return training, max(0.0, self._idle() - closed.idle)

    def change_price(self, price: float, step: int) -> None:
        """Let the machine cost something else from here on, in US dollars an hour.

        What was before keeps the price that it had, unless none was known: then the stretch under
        way is taken to have cost as much all along.
        """
        if self.price > 0 and self.price != price:
            self.close_stretch(step, last=True)
        self.price = price

    def close_stretch(self, step: int, *, last: bool = False) -> None:
        """Let what has been since the last call wait for the ledger.

        Time without a step, and a moment of idle time, are part of the next stretch, unless it
        is the `last` one, or the last at its price.
        """
        with self._turn:
            training, idle = self._under_way(self._closed)
            if idle >= (_NOTHING if last else _WORTH_A_LINE):
                self._close("idle", idle, step)
            if step != self._closed.step or (last and training > _NOTHING):
                self._close("training", training, step)

    def _close(self, kind: StretchKind, seconds: float, step: int) -> None:
        closed = self._closed
        stretch = self._stretch(kind, seconds, step)
        self._waiting = _joined([*self._waiting, stretch])
        closed = replace(closed, usd=closed.usd + stretch.usd)
        if kind == "training":
            training = closed.training + seconds
            self._closed = replace(closed, since=stretch.end, step=step, training=training)
        else:
            idle_usd = closed.idle_usd + stretch.usd
            idle = closed.idle + seconds
            self._closed = replace(closed, since=stretch.end, idle=idle, idle_usd=idle_usd)

    def _stretch(self, kind: StretchKind, seconds: float, step: int) -> SpendEntry:
        closed = self._closed
        first = closed.step if kind == "training" else step
        return SpendEntry(
            closed.since, timestamp(), self._network, first, step, seconds, self.price, kind
        )

    def flush(self) -> None:
        """Bring to the ledger what waits for it, and wait until it is safe on the disk.

        Raises:
            EngineError: the ledger cannot be written; it is part of the next try.
        """
        with self._writing:
            with self._turn:
                if not self._waiting:
                    return
                self._leaving, self._waiting = self._waiting, []
            try:
                self._voice.locate()
                self._ledger.path = self._voice.ledger.path
                self._ledger.add(*self._leaving)
            except BaseException:
                with self._turn:
                    self._waiting = _joined([*self._leaving, *self._waiting])
                    self._leaving = []
                raise
            size = self._ledger.size
            with self._turn:
                self._ledger_size = size
                self._leaving = []

    def note_open(self, step: int) -> None:
        """Write down what the ledger has not, for the case that the process is killed.

        This may be called in another thread than the rest.

        Raises:
            OSError: it cannot be written.
            EngineError: the voice folder is gone.
        """
        with self._turn:
            training, idle = self._under_way(self._closed)
            kinds: tuple[tuple[StretchKind, float], ...] = (("training", training), ("idle", idle))
            under_way = [
                self._stretch(kind, seconds, step) for kind, seconds in kinds if seconds > _NOTHING
            ]
            stretches = (*self._leaving, *self._waiting, *under_way)
            size = self._ledger_size
        self._voice.locate()
        self._open.path = _path_of_open(self._voice)
        self._open.write(stretches, size)

    def end(self) -> None:
        """Forget what was under way: all is in the ledger.

        Raises:
            OSError: the file of it cannot be removed.
            EngineError: the voice folder is gone.
        """
        self._voice.locate()
        self._open.path = _path_of_open(self._voice)
        self._open.remove()

    def go_back(self, step: int) -> None:
        """Begin the next stretch at an earlier step, whose steps are made anew."""
        with self._turn:
            self._closed = replace(self._closed, step=step)


def _path_of_open(voice: Voice) -> Path:
    return voice.folder / "spend.open"


def _joined(stretches: Sequence[SpendEntry]) -> list[SpendEntry]:
    """Make one of each two that go on from one another, so that few wait for a disk that hangs."""
    joined: list[SpendEntry] = []
    for stretch in stretches:
        same = (place for place, one in enumerate(joined) if one.kind == stretch.kind)
        last = max(same, default=None)
        if last is None or not _goes_on(joined[last], stretch):
            joined.append(stretch)
            continue
        before = joined[last]
        first = stretch.first_step if stretch.kind == "idle" else before.first_step
        seconds = before.seconds + stretch.seconds
        joined[last] = replace(stretch, start=before.start, first_step=first, seconds=seconds)
    return joined


def _goes_on(before: SpendEntry, stretch: SpendEntry) -> bool:
    """Whether a stretch of the same kind is one with the last before it."""
    if before.price != stretch.price:
        return False
    return stretch.kind == "idle" or before.last_step == stretch.first_step
