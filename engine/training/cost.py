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
from dataclasses import dataclass, replace

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
class _Closed:
    """What of this run is in entries; replaced as a whole, since other threads read it."""

    since: str
    """When the open periods began, in UTC."""
    step: int
    training: float = 0.0
    """Seconds."""
    idle: float = 0.0
    """Seconds."""
    usd: float = 0.0
    """US dollars, idle time included."""
    idle_usd: float = 0.0


class CostMeter:
    """Counts training, idle time, the speed of steps, and what all of it costs.

    Any thread may read; training is started and paused by the trainer alone, and periods are closed
    by the `SpendRecorder` alone.
    """

    def __init__(self, network: NetworkName, step: int, price: float, past: SpendLog) -> None:
        """Begin to count idle time; raises `EngineError` where the past cannot be read."""
        self._network = network
        self.price = price
        """US dollars an hour; 0 where it is not known."""
        self._past_seconds, self._past_idle_usd = past.seconds, past.idle_usd
        self.spent_before = past.usd
        """What the voice had cost when this run began, in US dollars."""
        self.clock = RunningClock()
        self._began = self.clock.read()
        self._ended: float | None = None
        self._closed = _Closed(timestamp(), step)
        # One value, so that another thread never meets half of a change.
        self._training: tuple[float, float | None] = (0.0, None)
        self._marks: deque[tuple[float, int]] = deque()

    def start_training(self) -> None:
        """Count time as training from here on."""
        before, started = self._training
        if started is None:
            self._training = (before, self.clock.read())

    def pause_training(self) -> None:
        """Count time as idle from here on; the speed is measured anew afterwards."""
        self._training = (self.run_training_seconds, None)
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
        before, started = self._training
        return before if started is None else before + self.clock.read() - started

    @property
    def run_seconds(self) -> float:
        """Seconds for which this run has been paid, in which it was suspended included."""
        if self._ended is not None:
            return self._ended
        return self.clock.read() - self._began + self.clock.suspended

    @property
    def training_seconds(self) -> float:
        """Training time of the voice, all its runs together."""
        return self._past_seconds + self.run_training_seconds

    @property
    def run_idle_seconds(self) -> float:
        """Idle time of this run."""
        # Training first: what passes between the two readings is then idle, and not less than 0.
        training = self.run_training_seconds
        return max(0.0, self.run_seconds - training)

    @property
    def spent(self) -> float:
        """Spend of the voice in US dollars, all its runs together, idle time included."""
        closed = self._closed
        return self.spent_before + closed.usd + sum(self._open(closed)) / 3600 * self.price

    @property
    def idle_usd(self) -> float:
        """The part of the spend that was for idle time, in US dollars."""
        closed = self._closed
        _, idle = self._open(closed)
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
        return sum(self._open(self._closed)) >= _MAX_OPEN_SECONDS

    def open_entries(self, step: int) -> list[SpendEntry]:
        """The open periods as if they ended now."""
        training, idle = self._open(self._closed)
        entries = self._entry("training", training, step), self._entry("idle", idle, step)
        return [entry for entry in entries if entry.seconds > _MIN_SECONDS]

    def close(self, step: int, *, last: bool = False) -> list[SpendEntry]:
        """Close the open periods and return them as entries.

        Time without a step, and a moment of idle time, stay open, unless these are the `last`
        entries, or the last at their price.
        """
        entries = []
        # A new price comes with the step on the screen, which is up to ten behind.
        step = max(step, self._closed.step)
        training, idle = self._open(self._closed)
        if idle >= (_MIN_SECONDS if last else _MIN_IDLE_SECONDS):
            entries.append(self._close("idle", idle, step))
        if step != self._closed.step or (last and training > _MIN_SECONDS):
            entries.append(self._close("training", training, step))
        return entries

    def roll_back(self, step: int) -> None:
        """Begin the next entry at an earlier step, whose steps are made anew."""
        self._closed = replace(self._closed, step=step)

    def end(self) -> None:
        """Stop counting: from here on all sums stay as they are."""
        self.pause_training()
        self._ended = self.run_seconds

    def _open(self, closed: _Closed) -> tuple[float, float]:
        """Seconds of training and of idle time that are in no entry yet."""
        training = max(0.0, self.run_training_seconds - closed.training)
        return training, max(0.0, self.run_idle_seconds - closed.idle)

    def _close(self, kind: SpendKind, seconds: float, step: int) -> SpendEntry:
        entry, closed = self._entry(kind, seconds, step), self._closed
        closed = replace(closed, since=entry.end, usd=closed.usd + entry.usd)
        if kind == "training":
            training = closed.training + seconds
            self._closed = replace(closed, step=step, training=training)
        else:
            idle, idle_usd = closed.idle + seconds, closed.idle_usd + entry.usd
            self._closed = replace(closed, idle=idle, idle_usd=idle_usd)
        return entry

    def _entry(self, kind: SpendKind, seconds: float, step: int) -> SpendEntry:
        first = self._closed.step if kind == "training" else step
        since, price = self._closed.since, self.price
        return SpendEntry(since, timestamp(), self._network, first, step, seconds, price, kind)
