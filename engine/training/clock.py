"""Time that counts, by a clock that nobody sets: training, and all that this process lives through.

Durations come from CLOCK_MONOTONIC, which a change of the time of day, by a person, NTP or the
end of summer time, does not touch. It stands still while the machine sleeps, and that is meant:
a virtual machine that its cloud suspends, and a laptop that is closed, cost nothing by the hour.
CLOCK_BOOTTIME would count those hours.
"""

import threading
import time
from collections import deque
from collections.abc import Callable

# Speed is that of about this many seconds, so that it follows changes without trembling.
_SPEED_SECONDS = 15.0
# A process that looks at the clock every second and has not done so for this long was stopped.
_STOPPED_SECONDS = 10.0


def _monotonic() -> float:
    return time.monotonic()


class RunningTime:
    """The time in which this process could run, without that in which Ctrl+Z had stopped it.

    The kernel tells nobody of a SIGSTOP. Somebody has to look once a second: a gap between two
    looks that is far longer is time in which the process did not run.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._last = _monotonic()
        self._stopped = 0.0

    @property
    def stopped(self) -> float:
        """Seconds in which the process was stopped, as far as that was noticed."""
        return self._stopped

    def look(self) -> float:
        """Return the seconds on the clock, those left out in which the process was stopped."""
        with self._turn:
            now = _monotonic()
            if now - self._last > _STOPPED_SECONDS:
                self._stopped += now - self._last
            self._last = now
            return now - self._stopped


class TrainingClock:
    """Counts training time and the speed of steps."""

    def __init__(self, now: Callable[[], float] = _monotonic) -> None:
        """Take the time from `now`, in seconds."""
        self._now = now
        # One value, so that another thread never meets half of a change.
        self._state: tuple[float, float | None] = (0.0, None)
        self._marks: deque[tuple[float, int]] = deque()

    @property
    def seconds(self) -> float:
        """Training time so far, in seconds."""
        before, started = self._state
        return before if started is None else before + self._now() - started

    def start(self) -> None:
        """Begin to count, or go on."""
        before, started = self._state
        if started is None:
            self._state = (before, self._now())

    def pause(self) -> None:
        """Stop counting until `start`; the speed is measured anew from there."""
        self._state = (self.seconds, None)
        self._marks.clear()

    def mark(self, step: int) -> None:
        """Note that a step is done; after one that was done before, the speed is measured anew."""
        now = self._now()
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
