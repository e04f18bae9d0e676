"""What a run costs: its hours of training and of idle time, times the price of the machine.

The machine is paid for from the start of the process on: time without steps, because they are being
prepared or the run waits, is idle and costs as much.

Durations come from CLOCK_MONOTONIC, which no change of the time of day touches. Unlike
CLOCK_BOOTTIME it stands still while the machine sleeps: a virtual machine that its cloud suspends,
and a laptop that is closed, cost nothing by the hour.
"""

import threading
import time
from collections import deque
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field, replace

from engine.choices import NetworkName
from engine.formatting import timestamp
from engine.voice.spend import SpendEntry, SpendKind, SpendLog

# Speed is that of about this many seconds, so that it follows changes without trembling.
_SPEED_SECONDS = 15.0
# A process that reads the clock every second and has not done so for this long was suspended.
_SUSPENDED_SECONDS = 10.0
# Time without an entry that a lost machine may hide; of a killed process `spend.open` knows more.
_MAX_OPEN_SECONDS = 60.0
# Idle time that is worth an entry while the run goes on, and that of a last entry: less is what
# lies between two readings of a clock.
_MIN_IDLE_SECONDS = 1.0
_MIN_SECONDS = 0.001


class RunningClock:
    """Seconds in which this process could run, without those in which Ctrl+Z had suspended it.

    The kernel tells nobody of a SIGSTOP. Somebody has to read the clock once a second: a gap
    between two readings that is far longer is time in which the process did not run.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = time.monotonic()
        self.suspended = 0.0
        """Seconds in which the process was suspended, as far as that was noticed."""

    def read(self) -> float:
        """Return the seconds on the clock."""
        with self._lock:
            now = time.monotonic()
            if now - self._last > _SUSPENDED_SECONDS:
                self.suspended += now - self._last
            self._last = now
            return now - self.suspended


@dataclass(frozen=True, slots=True)
class _Periods:
    """Training up to a moment; replaced as a whole, since other threads read it."""

    at: float
    """The moment, by the clock."""
    seconds: float = 0.0
    """In which any network was trained."""
    shares: Mapping[str, float] = field(default_factory=dict)
    """The same seconds, divided among the networks that were trained at the time."""
    training: frozenset[str] = frozenset()
    """The networks that are being trained since."""

    def until(self, now: float) -> "_Periods":
        """The same up to a later moment."""
        if not self.training:
            return replace(self, at=now)
        passed = now - self.at
        more = {
            one: self.shares.get(one, 0.0) + passed / len(self.training) for one in self.training
        }
        return replace(self, at=now, seconds=self.seconds + passed, shares={**self.shares, **more})


@dataclass(frozen=True, slots=True)
class _Closed:
    """What of this run is in entries; replaced as a whole, since other threads read it."""

    training: float = 0.0
    """Seconds."""
    idle: float = 0.0
    """Seconds."""
    usd: float = 0.0
    """US dollars, idle time included."""
    idle_usd: float = 0.0


class _Run:
    """What the machine of a run costs, whichever of its networks are trained."""

    def __init__(self, price: float) -> None:
        self.price = price
        self.clock = RunningClock()
        self.began = self.clock.read()
        self.ended: float | None = None
        self.closed = _Closed()
        self.periods = _Periods(self.began)
        # Held by those who change the periods.
        self._changing = threading.Lock()

    def now(self) -> _Periods:
        """The periods up to this moment."""
        periods = self.periods
        return periods.until(self.clock.read()) if periods.training else periods

    def set_training(self, network: str, training: bool) -> None:
        """Count time as training of a network from here on, or no longer."""
        with self._changing:
            if (network in self.periods.training) is not training:
                periods = self.periods.until(self.clock.read())
                self.periods = replace(periods, training=periods.training ^ {network})

    @property
    def seconds(self) -> float:
        if self.ended is not None:
            return self.ended
        return self.clock.read() - self.began + self.clock.suspended

    def open(self, closed: _Closed) -> tuple[float, float]:
        """Seconds of training and of idle time that are in no entry yet."""
        # Training first: what passes between two readings is then idle, and not less than 0.
        training = self.now().seconds
        idle = max(0.0, self.seconds - training)
        return max(0.0, training - closed.training), max(0.0, idle - closed.idle)


class CostMeter:
    """Counts training, idle time, the speed of steps, and what all of it costs.

    Of two networks that are trained at once each has its own, of the same machine: the sums are of
    the machine, and its hour counts once; steps, speed and entries are the network's. Any thread
    may read; training is started and paused by the network's trainer alone, and periods are closed
    by the `SpendRecorder` alone.
    """

    def __init__(self, network: NetworkName, step: int, price: float, past: SpendLog) -> None:
        """Begin to count idle time; raises `EngineError` where the past cannot be read."""
        self._past_seconds, self._past_idle_usd = past.seconds, past.idle_usd
        self.spent_before = past.usd
        """What the voice had cost when this run began, in US dollars."""
        self._run = _Run(price)
        self.clock = self._run.clock
        self._begin(network, step)

    def _begin(self, network: NetworkName, step: int) -> None:
        self.network: NetworkName = network
        self._first_step = step
        self._since = timestamp()
        self._closed_seconds = 0.0
        self._marks: deque[tuple[float, int]] = deque()

    def for_network(self, network: NetworkName, step: int) -> "CostMeter":
        """Return the meter of another network that this machine trains."""
        other = copy(self)
        other._begin(network, step)
        return other

    @property
    def price(self) -> float:
        """US dollars an hour; 0 where it is not known."""
        return self._run.price

    @price.setter
    def price(self, usd: float) -> None:
        self._run.price = usd

    def start_training(self) -> None:
        """Count time as training of this network from here on."""
        self._run.set_training(self.network, True)

    def pause_training(self) -> None:
        """Do so no longer; the speed is measured anew afterwards."""
        self._run.set_training(self.network, False)
        self._marks.clear()

    def measure_speed_anew(self) -> None:
        """Leave the step that is about to be marked, and those before it, out of the speed."""
        self._marks.clear()

    def mark_step(self, step: int) -> None:
        """Note that a step is done; after one that was done before, the speed is measured anew."""
        now = self.clock.read()
        if self._marks and step <= self._marks[-1][1]:
            self._marks.clear()
        self._marks.append((now, step))
        while len(self._marks) > 2 and now - self._marks[0][0] > _SPEED_SECONDS:
            self._marks.popleft()

    @property
    def steps_per_second(self) -> float | None:
        """Recent speed; None before two steps."""
        if len(self._marks) < 2:
            return None
        (first_time, first), (last_time, last) = self._marks[0], self._marks[-1]
        return (last - first) / (last_time - first_time) if last_time > first_time else None

    @property
    def run_training_seconds(self) -> float:
        """Training time of this run."""
        return self._run.now().seconds

    @property
    def run_seconds(self) -> float:
        """Seconds for which this run has been paid, in which it was suspended included."""
        return self._run.seconds

    @property
    def training_seconds(self) -> float:
        """Training time of the voice, all its runs together."""
        return self._past_seconds + self.run_training_seconds

    @property
    def run_idle_seconds(self) -> float:
        """Idle time of this run."""
        # Training first, as in `_Run.open`.
        training = self.run_training_seconds
        return max(0.0, self.run_seconds - training)

    @property
    def spent(self) -> float:
        """Spend of the voice in US dollars, all its runs together, idle time included."""
        closed = self._run.closed
        return self.spent_before + closed.usd + sum(self._run.open(closed)) / 3600 * self.price

    @property
    def idle_usd(self) -> float:
        """The part of the spend that was for idle time, in US dollars."""
        closed = self._run.closed
        _, idle = self._run.open(closed)
        return self._past_idle_usd + closed.idle_usd + idle / 3600 * self.price

    def figures(self) -> dict[str, float]:
        """The sums, as a `Snapshot` names them."""
        return {
            "run_seconds": self.run_training_seconds,
            "voice_seconds": self.training_seconds,
            "spent": self.spent,
            "idle_usd": self.idle_usd,
        }

    @property
    def entry_due(self) -> bool:
        """Whether so much is open that a lost machine would hide it."""
        return self._open_seconds() + self._open_idle() >= _MAX_OPEN_SECONDS

    def _open_seconds(self) -> float:
        """Training of this network that is in no entry yet."""
        return max(0.0, self._run.now().shares.get(self.network, 0.0) - self._closed_seconds)

    def _open_idle(self) -> float:
        return self._run.open(self._run.closed)[1]

    def open_entries(self, step: int, *, idle: bool = True) -> list[SpendEntry]:
        """The open periods as if they ended now; the idle one is the whole machine's."""
        entries = [self._entry("training", self._open_seconds(), step)]
        if idle:
            entries.append(self._entry("idle", self._open_idle(), step))
        return [entry for entry in entries if entry.seconds > _MIN_SECONDS]

    def close(self, step: int, *, last: bool = False) -> list[SpendEntry]:
        """Close the open periods and return them as entries.

        Time without a step, and a moment of idle time, stay open, unless these are the `last`
        entries, or the last at their price.
        """
        entries = []
        step = max(step, self._first_step)
        training, idle = self._open_seconds(), self._open_idle()
        if idle >= (_MIN_SECONDS if last else _MIN_IDLE_SECONDS):
            entries.append(self._close("idle", idle, step))
        if step != self._first_step or (last and training > _MIN_SECONDS):
            entries.append(self._close("training", training, step))
        return entries

    def roll_back(self, step: int) -> None:
        """Begin the next entry at an earlier step, whose steps are made anew."""
        self._first_step = step

    def end(self) -> None:
        """Stop counting: from here on all sums stay as they are."""
        for network in self._run.periods.training:
            self._run.set_training(network, False)
        self._run.ended = self.run_seconds

    def _close(self, kind: SpendKind, seconds: float, step: int) -> SpendEntry:
        entry, closed = self._entry(kind, seconds, step), self._run.closed
        closed = replace(closed, usd=closed.usd + entry.usd)
        self._since = entry.end
        if kind == "training":
            self._first_step = step
            self._closed_seconds += seconds
            self._run.closed = replace(closed, training=closed.training + seconds)
        else:
            idle, idle_usd = closed.idle + seconds, closed.idle_usd + entry.usd
            self._run.closed = replace(closed, idle=idle, idle_usd=idle_usd)
        return entry

    def _entry(self, kind: SpendKind, seconds: float, step: int) -> SpendEntry:
        first = self._first_step if kind == "training" else step
        return SpendEntry(
            self._since, timestamp(), self.network, first, step, seconds, self.price, kind
        )
