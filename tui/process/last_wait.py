"""What the end of a run waits for, told on a terminal that shows no screen any more."""

import time
from collections.abc import Callable

from engine.run.snapshot import Snapshot
from tui import formatting as wording

_AGAIN = 30.0
"""Seconds from one sentence to the next about the same wait."""


class LastWait:
    """Says why the end takes long, for how long at most, and what can be given up."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """Take the time of day, in seconds since the epoch, from `clock`."""
        self._clock = clock
        self._told = ""
        self._next = 0.0

    def look(self, snapshot: Snapshot, give_up: str = "Ctrl+C") -> str:
        """Return what there is to say now; empty where all that is to be said has been.

        Args:
            snapshot: the run.
            give_up: what ends the wait; empty where nothing does here.
        """
        now = self._clock()
        waits_for = snapshot.end_waits_for
        if not waits_for or (waits_for == self._told and now < self._next):
            self._told = waits_for
            return ""
        self._told, self._next = waits_for, now + _AGAIN
        left = wording.countdown(snapshot.end_waits_until - now).strip()
        if waits_for == "mirror":
            words = f"waiting for the mirror, {left} at most"
            return f"{words}; {give_up} leaves it behind" if give_up else words
        words = f"saving… {wording.printable(snapshot.saving_trouble)} Tried for {left} more"
        steps = wording.count_of_steps(snapshot.unsaved)
        return f"{words}; {give_up} gives up {steps}" if give_up else words
