"""When a run is sick: steps that are no numbers, and losses far above their recent range."""

import math
from collections import deque
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from engine.run.stop import MAX_STEPS
from engine.training.finite import Skips

MAX_SKIPPED = 5
"""Steps in a row that may be skipped before a run goes back to its last good checkpoint."""
MAX_ROLLBACKS = 3
"""Times that a run goes back by itself; the next time it waits for a person."""
RATE_FACTOR = 0.5
"""What the learning rate is multiplied by each time."""
FORGIVEN_AFTER = 5000
"""Steps beyond the trouble after which going back is not counted any more. The learning rate
stays as low as it has become."""

# Logged losses that are the recent range, and how few of them are none yet.
_RANGE = 200
_YOUNG = 50
# A loss is far above its range where it exceeds the median by so many deviations (the median
# absolute one, times 1.4826 as for a normal distribution) and by this share of it besides. In
# healthy runs of some ten thousand steps no logged loss was above the median by 2 deviations or
# by 1 %; where a network has collapsed the loss is about twice as high.
_DEVIATIONS = 12.0
_NORMAL = 1.4826
_SHARE = 0.25
# A young run, or one in its warm-up, has no range yet: there a loss is far above what it should be
# where it is so many times the lowest of the last ones, once there are a few. In healthy runs no
# logged loss was more than 3 % above the lowest before it, the warm-up included.
_TIMES = 2.0
_FEW = 5
# Times that a run may have gone back, in all.
_MAX_COUNT = 10**6


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of a run that fell sick; part of every later checkpoint."""

    rate_factor: float = 1.0
    """The learning rate of the recipe is multiplied by this."""
    rollbacks: int = 0
    """Times that the run went back, of the `MAX_ROLLBACKS` that are allowed."""
    salt: int = 0
    """Part of the seed of batches and dropout where it is not 0: a run that made the very same
    steps again would run into the same trouble."""
    sick_step: int = 0
    """The step at which the last trouble was noticed."""

    def after(self, step: int) -> "Recovery":
        """Return what holds after going back once more, from trouble at a step."""
        return Recovery(self.rate_factor * RATE_FACTOR, self.rollbacks + 1, self.salt + 1, step)

    def tried_again(self) -> "Recovery":
        """Return what holds where a person wants another try after the last one."""
        return replace(self.after(self.sick_step), rollbacks=1)

    def forgiven(self, step: int) -> "Recovery":
        """Return what holds at a step: after a long sound stretch nothing is counted."""
        if self.rollbacks and step >= self.sick_step + FORGIVEN_AFTER:
            return replace(self, rollbacks=0)
        return self


def recovery_from(said: dict[str, Any]) -> Recovery:
    """Read what `state.json` says; nothing means that the run was never sick.

    Raises:
        ValueError, TypeError: it says nonsense.
    """
    recovery = Recovery(**said)
    for name, most in (("rollbacks", _MAX_COUNT), ("salt", _MAX_COUNT), ("sick_step", MAX_STEPS)):
        count = getattr(recovery, name)
        if type(count) is not int or not 0 <= count <= most:
            raise ValueError(f"recovery.{name} in state.json is no whole number up to {most:,}")
    if type(recovery.rate_factor) not in (int, float) or not 0 < recovery.rate_factor <= 1:
        raise ValueError("recovery.rate_factor in state.json is no number above 0, up to 1")
    return recovery


class Health:
    """Watches the logged losses of one run and what it skips.

    The recent range is that of this process: a run that was taken up again is young again, and so
    no change of the corpus or the settings in between can look like a sickness.
    """

    def __init__(self, warm_from: int) -> None:
        """Take the range from steps after `warm_from`, where the warm-up ends."""
        self._warm_from = warm_from
        self._recent: deque[tuple[int, float]] = deque(maxlen=_RANGE)

    @property
    def limit(self) -> float | None:
        """The loss from which on it is far above its recent range; None for a very young run."""
        losses = [loss for step, loss in self._recent if step > self._warm_from]
        if len(losses) < _YOUNG:
            lowest = min((loss for _, loss in self._recent), default=0.0)
            return _TIMES * lowest if len(self._recent) >= _FEW else None
        middle = median(losses)
        deviation = _NORMAL * median(abs(loss - middle) for loss in losses)
        return middle + max(_DEVIATIONS * deviation, _SHARE * abs(middle))

    def trouble(self, skips: Skips, loss: float | None) -> str:
        """Say what is sick, in words that follow "at step s"; nothing where all is well.

        Args:
            skips: what was skipped since the last look.
            loss: the mean since the last logged step; None where there is none that is finite.
        """
        if skips.in_a_row >= MAX_SKIPPED:
            return f"{skips.in_a_row} steps in a row had a loss or a gradient that is not finite"
        limit = self.limit
        if loss is not None and limit is not None and not loss <= limit:
            middle = median(one for _, one in self._recent)
            return f"the loss is {loss:.3f}, far above its recent {middle:.3f}"
        return ""

    def remember(self, step: int, loss: float | None) -> None:
        """Take a logged loss into the recent range."""
        if loss is not None and math.isfinite(loss):
            self._recent.append((step, loss))

    def go_back(self, step: int) -> None:
        """Forget what came after a step."""
        kept = [(at, loss) for at, loss in self._recent if at <= step]
        self._recent = deque(kept, maxlen=_RANGE)
