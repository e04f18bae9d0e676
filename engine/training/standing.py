"""Where a run stands: at which step, for whom, and whether it makes steps or waits."""

import time

from engine.run.publisher import Publisher
from engine.run.snapshot import Phase
from engine.training.cost import CostMeter, RunningClock

MAX_WAIT_SECONDS = 300.0
"""Without a key for so long, a run that waits for a person ends by itself: the machine costs as
much as one that trains, and a screen in a terminal that nobody looks at is no reason to pay."""

# What is shown of the end of a wait may be so far off, in seconds, before it is corrected: the
# time of day can be set, and a process that was stopped goes on where it stood.
_SHOWN_WITHIN = 5.0


class Standing:
    """What the loop, the person's commands and a sickness of the run have in common."""

    def __init__(
        self,
        step: int,
        publisher: Publisher,
        cost: CostMeter,
        *,
        attended: bool,
        hold: bool = False,
    ) -> None:
        """Stand at a global step, ready to make the next.

        Args:
            step: the global step that was made last.
            publisher: where the phase is shown, and when a wait ends.
            cost: counts training, and not waits.
            attended: whether a screen that can steer is there.
            hold: whether to wait for a person without limit.
        """
        self._publisher = publisher
        self._cost = cost
        self.step = step
        """The global step that was made last."""
        self.restarts = 0
        """How often the run went back, or on with other batches: those made ahead are of no use
        then."""
        self.attended = attended
        """Whether a person is waited for."""
        self.screens_read = True
        """Whether the terminal of any screen that can steer takes output."""
        self.paused = False
        """Whether no steps are made, for whatever reason."""
        self.at_stop = False
        """Whether that is because the stop is reached."""
        self.finishing = False
        """Whether it is time to end."""
        self.given_up = False
        """Whether that is because a person, who has seen where the run stands, wants no more."""
        self._hold = hold
        self._time = RunningClock()
        self._wait_ends: float | None = None
        self._unread_since: float | None = None

    def wait(self, phase: Phase, *, asked: bool = False) -> None:
        """Make no more steps until `go_on`; the phase says why.

        A wait that nobody `asked` for has a limit, unless the order says to hold: see
        `why_wait_ends`.
        """
        self.paused = True
        self._cost.pause_training()
        self._publisher.update(phase=phase, steps_per_second=None)
        if asked or self._hold or self._wait_ends is not None:
            return
        if self.screens_read:
            self._publisher.event(
                f"the run ends by itself after {_minutes()} without a key; --hold waits without "
                f"limit"
            )
        self._set_wait_end(self._time.read() + MAX_WAIT_SECONDS)

    def note_key(self) -> None:
        """Somebody pressed a key: a wait for them lasts as long again."""
        if self._wait_ends is not None:
            self._set_wait_end(self._time.read() + MAX_WAIT_SECONDS)

    def why_wait_ends(self) -> str:
        """Say why the wait for a person is over, in a clause; empty while it lasts."""
        if self._wait_ends is None:
            return self._why_pause_ends()
        if not self.screens_read:
            return "no terminal takes the screen's output"
        left = self._wait_ends - self._time.read()
        shown = self._publisher.snapshot.wait_ends_at
        if shown is None or abs(time.time() + left - shown) > _SHOWN_WITHIN:
            self._set_wait_end(self._wait_ends)
        return f"nobody pressed a key for {_minutes()}" if left <= 0 else ""

    def _why_pause_ends(self) -> str:
        """Say why a pause that somebody asked for is over: it lasts while a terminal is read."""
        if self._hold or self.screens_read:
            self._unread_since = None
            return ""
        now = self._time.read()
        if self._unread_since is None:
            self._unread_since = now
        if now - self._unread_since < MAX_WAIT_SECONDS:
            return ""
        return f"no terminal has taken the screen's output for {_minutes()}"

    def go_on(self) -> None:
        """Make steps again."""
        self.paused = self.at_stop = False
        self._set_wait_end(None)
        self._publisher.update(phase=Phase.TRAINING)

    def _set_wait_end(self, at: float | None) -> None:
        """Let the wait end at a moment of the running time, None for never, and show it."""
        self._wait_ends = at
        shown = None if at is None else time.time() + at - self._time.read()
        self._publisher.update(wait_ends_at=shown)


def _minutes() -> str:
    return f"{MAX_WAIT_SECONDS / 60:g} minutes"
