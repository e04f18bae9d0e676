"""Going back to the last good checkpoint where a run fell sick, and how often that is tried."""

from typing import NamedTuple

from engine.checkpoints.checkpoint import Checkpoint, Unlogged, load_checkpoint
from engine.checkpoints.folders import DamagedCheckpointError, move_aside
from engine.checkpoints.recovery import Recovery
from engine.errors import EngineError, InputError
from engine.formatting import plural
from engine.run.publisher import Publisher
from engine.training.divergence import MAX_ROLLBACKS, Health
from engine.training.finite import all_finite
from engine.training.setup import TrainingContext
from engine.voice.layout import CheckpointEntry


class SickError(EngineError):
    """The run is sick, and going back does not help."""


class GoneBack(NamedTuple):
    """Where a run stands after it went back."""

    step: int
    unlogged: Unlogged
    why: str
    """What happened, as a sentence."""


class Rollbacks:
    """Notices that a run is sick, and takes it back to weights that were sound."""

    def __init__(self, prepared: TrainingContext, publisher: Publisher) -> None:
        self._prepared = prepared
        self._learner = prepared.learner
        self._publisher = publisher
        recipe = self._learner.recipe
        start = self._learner.optimizer_start_step
        restart = start and start + recipe.restart_steps
        self._health = Health(warm_from=max(recipe.warmup_steps, restart))
        self._skipped = 0
        # Steps told of are 1, then at least twice as many each time: a run that skips again and
        # again must not fill the screen with it.
        self._told_at = 1
        self._show()

    def look(self, step: int, loss: float | None, *, logged: bool) -> str:
        """Return what is sick at a step, as the end of a sentence; nothing where all is well.

        Args:
            step: the global step.
            loss: the mean of the losses since the last logged step, None without one.
            logged: whether the mean is a logged one, which becomes part of the recent range.
        """
        skips = self._learner.take_skips()
        if skips.steps:
            self._tell_skipped(step, skips.steps)
        trouble = self._health.trouble(skips, loss)
        if not trouble and logged:
            self._health.remember(step, loss)
            forgiven = self._learner.recovery.forgiven(step)
            if forgiven != self._learner.recovery:
                self._set(forgiven)
        return trouble

    @property
    def exhausted(self) -> bool:
        """Whether the run has gone back as often as it may without a person's word."""
        return self._learner.recovery.rollbacks >= MAX_ROLLBACKS

    def go_back(self, step: int, trouble: str) -> GoneBack:
        """Take the weights of the last good checkpoint, or fresh ones where there never was any.

        Unless the tries are `exhausted`, the learning rate is lowered and the seeds of batches and
        dropout are salted from there.

        Raises:
            SickError: no checkpoint can be used.
        """
        exhausted = self.exhausted
        checkpoint = self._last_good()
        back, where = 0, "anew from fresh weights"
        if checkpoint is None:
            self._learner.reset()
        else:
            self._learner.restore(checkpoint)
            back, where = checkpoint.step, f"back to step {checkpoint.step:,}"
        self._health.go_back(back)
        terms = "for the last time"
        if not exhausted:
            self._set(self._learner.recovery.after(step))
            terms = self._terms()
        why = f"{self._prepared.network} fell sick at step {step:,}: {trouble}; {where}, {terms}"
        self._publisher.warn(why, severity="error")
        return GoneBack(back, checkpoint.unlogged if checkpoint else Unlogged(), why)

    def try_again(self) -> str:
        """Lower the rate once more because a person wants it; return on what terms it goes on."""
        self._set(self._learner.recovery.tried_again())
        return self._terms()

    def _terms(self) -> str:
        recovery = self._learner.recovery
        return (
            f"with {recovery.rate_factor:g} of the recipe's learning rate and other batches "
            f"({recovery.rollbacks} of {MAX_ROLLBACKS})"
        )

    def _set(self, recovery: Recovery) -> None:
        self._learner.recovery = recovery
        self._show()

    def _show(self) -> None:
        recovery = self._learner.recovery
        self._publisher.update(
            rate_factor=recovery.rate_factor, rollbacks=recovery.rollbacks, skipped=self._skipped
        )

    def _tell_skipped(self, step: int, steps: int) -> None:
        self._skipped += steps
        self._show()
        if self._skipped < self._told_at:
            return
        self._told_at = 2 * self._skipped
        what = plural(self._skipped, "step was", "steps were")
        self._publisher.event(
            f"{what} skipped up to step {step:,}: the loss or a gradient was not finite; the "
            f"weights are untouched by it",
            "warning",
        )

    def _last_good(self) -> Checkpoint | None:
        """The newest checkpoint that is whole and finite; None where there is none of any kind.

        Newer ones that are not are told and moved aside.

        Raises:
            SickError: there are some, but none is good, or one cannot be read.
        """
        self._prepared.voice.locate()
        entries = self._prepared.voice.checkpoints(self._prepared.network)
        bad: list[tuple[CheckpointEntry, str]] = []
        for entry in reversed(entries):
            try:
                checkpoint = load_checkpoint(entry.path)
            except DamagedCheckpointError as error:
                bad.append((entry, str(error)))
                continue
            except InputError as error:
                # A disk that refuses is no reason to put a good checkpoint aside.
                raise SickError(f"{self._prepared.network} fell sick: {error}") from error
            if _is_finite(checkpoint):
                self._put_aside(bad)
                return checkpoint
            bad.append((entry, f"The checkpoint {entry.path} has weights that are not finite"))
        if bad:
            raise SickError(
                f"{self._prepared.network} fell sick, and no checkpoint is sound: {bad[0][1]}"
            )
        return None

    def _put_aside(self, bad: list[tuple[CheckpointEntry, str]]) -> None:
        for entry, what in bad:
            try:
                kept = f"it is kept as {move_aside(entry.path).name}"
            except OSError as error:
                kept = f"it cannot be renamed ({error.strerror})"
            self._publisher.warn(
                f"{what.rstrip('.')}: {kept}",
                f"Checkpoint {entry.step:,} of {self._prepared.network} is not sound: {kept}.",
            )


def _is_finite(checkpoint: Checkpoint) -> bool:
    # By the same measure as what is to be saved: else it could be gone back to, and not saved.
    saved = all_finite((*checkpoint.weights.values(), *checkpoint.average.values()))
    return saved and all(bool(one.isfinite().all()) for one in checkpoint.optimizer.values())
