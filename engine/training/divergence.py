"""When a run is sick: steps that are no numbers, and losses far above their recent range."""

import math
from collections import deque
from statistics import median

from engine.training.finite import Skips

MAX_SKIPPED = 5
"""Steps in a row that may be skipped before a run goes back to its last good checkpoint."""
MAX_ROLLBACKS = 3
"""Times that a run goes back by itself; the next time it waits for a person."""

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
