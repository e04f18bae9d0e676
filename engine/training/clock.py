"""Time that counts: training time, pauses left out, by a clock that nobody sets."""

import time
from collections import deque

# Speed is that of about this many seconds, so that it follows changes without trembling.
_SPEED_SECONDS = 15.0


class TrainingClock:
    """Counts training time and the speed of steps."""

    def __init__(self) -> None:
        self._before = 0.0
        self._started: float | None = None
        self._marks: deque[tuple[float, int]] = deque()

    @property
    def seconds(self) -> float:
        """Training time so far, in seconds."""
        if self._started is None:
            return self._before
        return self._before + time.monotonic() - self._started

    def start(self) -> None:
        """Begin to count, or go on."""
        if self._started is None:
            self._started = time.monotonic()

    def pause(self) -> None:
        """Stop counting until `start`; the speed is measured anew from there."""
        self._before = self.seconds
        self._started = None
        self._marks.clear()

    def mark(self, step: int) -> None:
        """Note that a step is done."""
        now = time.monotonic()
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
