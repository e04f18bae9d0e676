"""Detects that training diverged, and finds the checkpoint to roll back to."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor

from engine.checkpoints.checkpoint import Checkpoint, find_newest_good
from engine.checkpoints.state import Recovery, Unlogged
from engine.errors import InputError, VoicecoachError
from engine.formatting import plural
from engine.run.curves import Losses
from engine.run.publisher import Publisher
from engine.training.setup import TrainingContext

MAX_SKIPPED = 5
"""After so many skipped steps in a row, a run is rolled back."""
MAX_ROLLBACKS = 3
"""Rollbacks that a run makes by itself; after the next one it waits for a person."""
ADVICE = (
    f"The learning rate was lowered {MAX_ROLLBACKS} times already: check the recordings, make a "
    f"voice with another preset, or train with --precision fp32."
)
"""What a person can do after the last one, as a sentence."""

# How many logged losses are the recent range, and below how many there is none yet.
_RANGE = 200
_MIN_RANGE = 50
# A loss is far above the range where it exceeds the median by so many deviations (the median
# absolute one, times 1.4826 as for a normal distribution) and by this share of it besides. In
# healthy runs of some ten thousand steps no logged loss was above the median by 2 deviations or
# by 1 %; where a network has collapsed the loss is about twice as high.
_DEVIATIONS = 12.0
_NORMAL = 1.4826
_SHARE = 0.25
# Without a range, in a young run or a warm-up: so many times the lowest of the last losses, once
# there are a few. In healthy runs none was more than 3 % above the lowest before it.
_TIMES = 2.0
_FEW = 5


class DivergedError(VoicecoachError):
    """The run diverged, and rolling back does not help."""


@dataclass(frozen=True)
class Rollback:
    """Where a run that diverged is to continue, and how."""

    checkpoint: Checkpoint | None
    """The last good one; None to start again from fresh weights."""
    recovery: Recovery
    """The lowered learning rate, and the salt of batches and dropout."""
    final: bool
    """Whether the run was rolled back often enough by itself, and a person has to decide."""
    text: str
    """What happened."""

    @property
    def step(self) -> int:
        """The global step from which training continues."""
        return self.checkpoint.step if self.checkpoint else 0

    @property
    def unlogged(self) -> Unlogged:
        """The losses between there and the last logged step before it."""
        return self.checkpoint.unlogged if self.checkpoint else Unlogged()


class LossRange:
    """The logged losses of one run, and how high the next may be.

    It knows this process's losses alone: a resumed run is young again, so that no change of the
    corpus or the settings in between looks like divergence.
    """

    def __init__(self, warm_from: int) -> None:
        """Take the range from steps after `warm_from`, where the warm-up ends."""
        self._warm_from = warm_from
        self._recent: deque[tuple[int, float]] = deque(maxlen=_RANGE)

    @property
    def limit(self) -> float | None:
        """The highest loss that is not far above the range; None for a very young run."""
        losses = [loss for step, loss in self._recent if step > self._warm_from]
        if len(losses) < _MIN_RANGE:
            lowest = min((loss for _, loss in self._recent), default=0.0)
            return _TIMES * lowest if len(self._recent) >= _FEW else None
        middle = median(losses)
        deviation = _NORMAL * median(abs(loss - middle) for loss in losses)
        return middle + max(_DEVIATIONS * deviation, _SHARE * abs(middle))

    def fault(self, loss: float) -> str:
        """Return what is wrong with a logged loss, to follow "at step s"; empty for nothing."""
        limit = self.limit
        if limit is None or loss <= limit:
            return ""
        middle = median(one for _, one in self._recent)
        return f"the loss is {loss:.3f}, far above the recent median of {middle:.3f}"

    def add(self, step: int, loss: float) -> None:
        """Make a logged loss part of the range."""
        self._recent.append((step, loss))

    def roll_back(self, step: int) -> None:
        """Forget what came after a step."""
        kept = [(at, loss) for at, loss in self._recent if at <= step]
        self._recent = deque(kept, maxlen=_RANGE)


class Divergence:
    """Says whether a run diverged, and where it is to continue; the trainer rolls it back."""

    def __init__(self, context: TrainingContext, publisher: Publisher) -> None:
        self._context = context
        self._learner = learner = context.learner
        self._publisher = publisher
        restart = learner.optimizer_start_step
        if restart:
            restart += learner.recipe.restart_steps
        self._range = LossRange(warm_from=max(learner.recipe.warmup_steps, restart))
        self._skipped = 0
        # Skipped steps are reported at 1, then each time there are twice as many.
        self._report_at = 1
        self._show(learner.recovery)

    def check(self, step: int, losses: Losses | None) -> str:
        """Check a logged step; return what is wrong, empty where nothing is.

        The losses are means since the last logged step; None where none was finite.
        """
        fault = self._fault(step, losses)
        if not fault:
            if losses is not None:
                self._range.add(step, losses.total)
            forgiven = self._learner.recovery.forgiven(step)
            if forgiven != self._learner.recovery:
                self._learner.recovery = forgiven
                self._show(forgiven)
        return fault

    def check_before_save(self, step: int, losses: Losses | None) -> str:
        """Check a step that is to be saved, the weights included; as `check` does."""
        if fault := self._fault(step, losses):
            return fault
        live = self._learner.live_state()
        sound = all_finite((*live["weights"].values(), *live["ema"].values()))
        return "" if sound else "weights are not finite"

    def _fault(self, step: int, losses: Losses | None) -> str:
        skips = self._learner.take_skips()
        if skips.steps:
            self._report_skips(step, skips.steps)
        if skips.in_a_row >= MAX_SKIPPED:
            return f"{skips.in_a_row} steps in a row had a loss or a gradient that is not finite"
        return "" if losses is None else self._range.fault(losses.total)

    def rollback(self, step: int, fault: str) -> Rollback:
        """Find the last good checkpoint, and the terms on which to continue from it.

        Raises:
            DivergedError: there are checkpoints, but none can be used.
        """
        context, recovery = self._context, self._learner.recovery
        final = recovery.rollbacks >= MAX_ROLLBACKS
        checkpoint = self._last_good()
        if not final:
            recovery = recovery.after(step)
        self._range.roll_back(checkpoint.step if checkpoint else 0)
        self._show(recovery)
        where = f"to {checkpoint.step:,}" if checkpoint else "to fresh weights"
        text = f"{context.network} diverged at step {step:,}: {fault}; rolled back {where}, "
        if not final:
            return Rollback(checkpoint, recovery, final, text + _terms(recovery))
        return Rollback(checkpoint, recovery, final, f"{text}for the last time")

    def try_again(self, step: int) -> Recovery:
        """Return the terms of another try that a person asked for."""
        recovery = self._learner.recovery.tried_again()
        self._show(recovery)
        self._publisher.update(alarm="")
        self._publisher.event(f"trying again from step {step:,}, {_terms(recovery)}")
        return recovery

    def _show(self, recovery: Recovery) -> None:
        self._publisher.update(
            rate_factor=recovery.rate_factor, rollbacks=recovery.rollbacks, skipped=self._skipped
        )

    def _report_skips(self, step: int, steps: int) -> None:
        self._skipped += steps
        self._show(self._learner.recovery)
        if self._skipped < self._report_at:
            return
        self._report_at = 2 * self._skipped
        self._publisher.event(
            f"{plural(self._skipped, 'step')} skipped up to step {step:,}, with a loss or gradient "
            f"that is not finite; the weights are unaffected",
            "warning",
        )

    def _last_good(self) -> Checkpoint | None:
        """The newest checkpoint that is whole and finite; None where there is none of any kind.

        Newer ones that are not are reported and moved aside.

        Raises:
            DivergedError: there are some, but none is good, or one cannot be read.
        """
        voice, network = self._context.voice, self._context.network
        try:
            found = find_newest_good(voice, network, self._publisher, is_sound=_is_finite)
            return found.checkpoint
        except InputError as error:
            raise DivergedError(f"{network} diverged: {error}") from error


def _terms(recovery: Recovery) -> str:
    return (
        f"learning rate × {recovery.rate_factor:g}, new batch order "
        f"({recovery.rollbacks} of {MAX_ROLLBACKS})"
    )


def _is_finite(checkpoint: Checkpoint) -> bool:
    # By the same measure as before a save: else a run could roll back to it, and not save it.
    sound = all_finite((*checkpoint.weights.values(), *checkpoint.ema.values()))
    return sound and all(bool(one.isfinite().all()) for one in checkpoint.optimizer.values())


def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether every number is finite; waits for the device once, not once a tensor.

    Sums squares, which is many times faster than checking each number; those beyond 1e19, which
    no sound weight comes near, count as infinite too.
    """
    norms = torch._foreach_norm(list(tensors))
    return bool(torch.stack(list(norms)).isfinite().all())
