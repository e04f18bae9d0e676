"""Which checkpoint of a network is the best: by held-out loss, by the judge and by listening.

No measure decides alone. The one with the lowest held-out loss is recommended, unless the judge
finds its best clearly better by other measures; what a person answered in blind comparisons comes
first.
The base is none of them unless training has only raised its held-out loss.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from engine.advice.comparisons import Standing, standing_of
from engine.advice.duels import Duels, duels_between
from engine.checkpoints.state import read_state
from engine.choices import NetworkName
from engine.errors import InputError
from engine.formatting import plural
from engine.run.evaluation import BestBy, Evaluation, Recommendation
from engine.voice.comparisons import read_comparisons
from engine.voice.evaluations import read_evaluations
from engine.voice.folder import Voice
from engine.voice.history import held_out_losses
from engine.voice.layout import CheckpointEntry


@dataclass(frozen=True, slots=True)
class Best:
    """Which checkpoints of a network on disk are the best, and what is known of them."""

    losses: Mapping[int, float] = field(default_factory=dict)
    """Held-out losses of the EMA weights by step, as far as they are known."""
    by: Mapping[BestBy, int] = field(default_factory=dict)
    """The step that is the best by each; without those that cannot say it yet."""
    recommended: Recommendation | None = None
    """The one to export; None where nothing was measured."""
    base: int | None = None
    """The step of the weights that training began from; None where that is not known."""


def best_steps(voice: Voice, network: NetworkName, steps: Iterable[int] | None = None) -> set[int]:
    """The checkpoints that must never be pruned: the best by anything, and the one to export.

    Args:
        voice: the voice.
        network: the network.
        steps: those that there are; without them, those on disk.

    Raises:
        InputError: the history, the evaluations or the answers cannot be read.
    """
    found = find_best(voice, network, steps)
    advised = {found.recommended.step} if found.recommended else set()
    return {*found.by.values(), *advised}


def recommend(voice: Voice, network: NetworkName) -> Recommendation | None:
    """The checkpoint to export, why, and how sure that is; None where nothing was measured.

    Raises:
        InputError: as `best_steps`.
    """
    return find_best(voice, network).recommended


def find_best(voice: Voice, network: NetworkName, steps: Iterable[int] | None = None) -> Best:
    """Find the best of a network's checkpoints; for arguments and errors see `best_steps`."""
    entries = voice.checkpoints(network)
    steps = sorted((entry.step for entry in entries) if steps is None else steps)
    if not steps:
        return Best()
    base = _base_step(entries)
    evaluations = [one for one in read_evaluations(voice, network) if one.step in steps]
    measured = {one.step: one.held_out for one in evaluations if one.held_out is not None}
    # The base and what a killed run left have no loss in the history.
    losses = measured | held_out_losses(voice.history(network), steps)
    if len(steps) > 1 and base != min(losses, key=losses.__getitem__, default=None):
        # It may be another speaker's: none that listens would know.
        steps = [step for step in steps if step != base]
    answers = [one for one in read_comparisons(voice) if one.network == network]
    known = _Known(
        steps,
        losses,
        [one for one in evaluations if one.step in steps],
        frozenset(step for one in answers for step in (one.a, one.b)),
        standing_of(answers, sorted({step for one in answers for step in (one.a, one.b)})),
    )
    return Best(losses, known.by(), known.recommendation(network), base)


def _base_step(entries: Sequence[CheckpointEntry]) -> int | None:
    """The step of the weights that training began from, as the newest readable one has it."""
    for entry in reversed(entries):
        try:
            return read_state(entry.path).base_step
        except InputError:
            continue  # it is damaged; whoever loads it says so
    return None


@dataclass(frozen=True)
class _Known:
    """All that was found out about the checkpoints of a network that could be the best."""

    steps: Sequence[int]
    losses: Mapping[int, float]
    evaluations: Sequence[Evaluation]
    """Of these checkpoints, as far as they were measured."""
    heard: frozenset[int]
    """Those that were compared blind, also with others that were pruned since."""
    standing: Standing
    """What the answers say."""

    @cached_property
    def duels(self) -> Duels | None:
        """Those among all that were measured; None where that says nothing."""
        return duels_between(self.evaluations)

    def by(self) -> dict[BestBy, int]:
        found: dict[BestBy, int | None] = {
            "held-out": self._lowest_loss(self.steps),
            "judge": self.duels.best if self.duels else None,
            "listening": self.standing.best if self.standing.best in self.steps else None,
        }
        return {by: step for by, step in found.items() if step is not None}

    def _lowest_loss(self, steps: Iterable[int]) -> int | None:
        known = [step for step in steps if step in self.losses]
        return min(known, key=lambda step: (self.losses[step], step), default=None)

    def recommendation(self, network: NetworkName) -> Recommendation | None:
        by = self.by()
        if not by:
            return None
        step = by["listening"] if "listening" in by else self._by_figures()
        if step == by.get("listening"):
            step = self._unheard_that_beats(step) or step
        reasons = (*self._heard(step), *self._loss_of(step), *self._judged(step))
        return Recommendation(network, step, reasons, self._certainty(step))

    def _by_figures(self) -> int:
        """The lowest held-out loss, unless the judge's best beats it in what can be heard.

        One that the judge has not measured yet must have the lowest of all.
        """
        lowest = self._lowest_loss(self.steps)
        if self.duels is None:
            assert lowest is not None  # something was measured
            return lowest
        best = self.duels.best
        if lowest is None:
            return best
        # The loss must not vote for its own choice.
        heard = duels_between(self.evaluations, without=("held_out",))
        beaten = heard.beaten_by(best) if heard is not None else set()
        return best if lowest in beaten else lowest

    def _unheard_that_beats(self, preferred: int) -> int | None:
        """A checkpoint that was not compared blind and that all figures prefer."""
        step, duels = self._by_figures(), self.duels
        if step in self.heard or duels is None or not {step, preferred} <= {*duels.steps}:
            return None
        known = step in self.losses and preferred in self.losses
        lower = known and self.losses[step] < self.losses[preferred]
        return step if lower and preferred in duels.clearly_worse_than(step) else None

    def _heard(self, step: int) -> list[str]:
        best = self.standing.best
        if step == best:
            return [self.standing.words]
        return [f"not heard yet; of those that were, {best:,} was preferred"] if best else []

    def _loss_of(self, step: int) -> list[str]:
        if step not in self.losses:
            return []
        loss, lowest = self.losses[step], self._lowest_loss(self.steps)
        if step == lowest:
            return [f"lowest held-out loss ({loss:.4f})"]
        assert lowest is not None
        return [f"held-out loss {loss:.4f}; the lowest is {self.losses[lowest]:.4f} at {lowest:,}"]

    def _judged(self, step: int) -> list[str]:
        if self.duels is None or step not in self.duels.steps:
            return []
        if step == self.duels.best:
            won = f"{100 * self.duels.won(step):.0f} %"
            return [f"wins {won} of the judge's comparisons with other checkpoints"]
        return [f"as good as the judge's best, {self.duels.best:,}, as far as it can tell"]

    def _certainty(self, step: int) -> str:
        if len(self.steps) == 1:
            return "there is no other new checkpoint to compare it with"
        if step == self.standing.best:
            return f"decided by {plural(self.standing.answers, 'blind answer')}"
        if self.duels is None:
            return "the judge has not measured enough checkpoints yet"
        if step not in self.duels.steps:
            return "the judge has not measured it yet"
        return self.duels.against(step, self._rival(step))

    def _rival(self, step: int) -> int:
        """The newest of those that the judge has measured, or the best other one."""
        assert self.duels is not None
        newest = self.duels.steps[-1]
        return newest if newest != step else self.duels.runner_up(step)
