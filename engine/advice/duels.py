"""Checkpoints compared by what the judge measured: sentence by sentence, in several measures.

In each sentence and measure the better of two checkpoints wins a duel. So neither a measure in
decibels nor one sentence that failed outweighs the others.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.advice.intervals import compare, interval, values_of
from engine.advice.measures import MEASURES
from engine.run.evaluation import Evaluation

# Fewer sentences or measures say nothing of a checkpoint.
_MIN_SENTENCES, _MIN_MEASURES = 3, 2
# Of a dozen measures, one of 95 % seems clear by chance alone now and then.
_MIN_CLEAR = 2
# Differences below this share of a measure's size are rounding, not reading.
_TIE = 1e-6


@dataclass(frozen=True)
class Duels:
    """The duels among some checkpoints."""

    evaluations: tuple[Evaluation, ...]
    """Of the checkpoints, the first step first."""
    measures: tuple[str, ...]
    """Those that are not the same for all."""
    outcomes: NDArray[np.float64]
    """`(steps, steps, sentences)`: by how much more of the measures the first did better than the
    second. Each measure counts the same in their mean, however few sentences have it."""

    @property
    def steps(self) -> tuple[int, ...]:
        """The steps of the checkpoints."""
        return tuple(one.step for one in self.evaluations)

    @property
    def best(self) -> int:
        """The step that won most; of equal ones the earliest, which cost less."""
        return max(self.steps, key=lambda step: (round(self.won(step), 9), -step))

    def won(self, step: int) -> float:
        """The share of its duels that a step won, a tie being half of one."""
        own = self.steps.index(step)
        others = [other for other in range(len(self.steps)) if other != own]
        return float((1 + self.outcomes[own, others].mean()) / 2)

    def runner_up(self, step: int) -> int:
        """The step that won most besides one."""
        return max((one for one in self.steps if one != step), key=self.won)

    def clearly_worse_than(self, step: int) -> list[int]:
        """The steps that lose to one, all measures together, whichever sentences are drawn."""
        won = self.outcomes[self.steps.index(step)]
        pairs = zip(self.steps, won, strict=True)
        return [other for other, wins in pairs if other != step and interval(wins).low > 0]

    def beaten_by(self, step: int) -> set[int]:
        """The steps that are clearly worse than one, or are so in some measures, better in none."""
        worse = set(self.clearly_worse_than(step))
        for other in {*self.steps} - {step} - worse:
            won, lost = self._clear(step, other)
            if won >= _MIN_CLEAR and not lost:
                worse.add(other)
        return worse

    def _clear(self, step: int, other: int) -> tuple[int, int]:
        """In how many measures a step is clearly better than another, and clearly worse."""
        one, two = (self.evaluations[self.steps.index(each)] for each in (step, other))
        better = worse = 0
        for name in self.measures:
            score = compare(one, two, name)
            assert score is not None  # they have all of these in common
            low, high = sorted((_sign(name) * score.low, _sign(name) * score.high))
            better, worse = better + (low > 0), worse + (high < 0)
        return better, worse

    def against(self, step: int, other: int) -> str:
        """How sure it is that a step is better than another, as a clause."""
        better, worse = self._clear(step, other)
        count, number = f"of {len(self.measures)} measures", f"{other:,}"
        if not self.measures:
            return f"the judge finds no difference from {number}"
        if not better and not worse:
            if other in self.clearly_worse_than(step):
                return f"clearly better than {number}, all {count[3:]} together"
            return f"the judge cannot tell it from {number} in any {count}"
        if not better:
            return f"clearly worse than {number} in {worse} {count}, better in none"
        words = f"clearly better than {number} in {better} {count}"
        return f"{words}, clearly worse in {worse}" if worse else words


def duels_between(evaluations: Sequence[Evaluation], without: Collection[str] = ()) -> Duels | None:
    """Compare checkpoints in the ranked measures and the sentences that all of them have.

    Args:
        evaluations: one of each checkpoint.
        without: measures that do not count this time.

    Returns:
        None where there are not two, or too little of them was measured alike.
    """
    evaluations = sorted(evaluations, key=lambda one: one.step)
    if len(evaluations) < 2:
        return None
    ranked = (name for name, one in MEASURES.items() if one.ranked and name not in without)
    tables = {name: table for name in ranked if (table := _table(evaluations, name))}
    sentences = sorted(set().union(*tables.values()))
    if len(tables) < _MIN_MEASURES or len(sentences) < _MIN_SENTENCES:
        return None
    outcomes = np.zeros((len(evaluations), len(evaluations), len(sentences)))
    places = {sentence: place for place, sentence in enumerate(sentences)}
    # One measure at a time: a voice may keep hundreds of checkpoints.
    for table in tables.values():
        share = len(sentences) / len(table) / len(tables)
        outcomes[..., [places[one] for one in table]] += share * _wins(np.array([*table.values()]))
    differ = tuple(name for name, table in tables.items() if any(map(np.ptp, table.values())))
    return Duels(tuple(evaluations), differ, outcomes)


def _wins(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of values `(sentences, steps)`, 1 where the first of two steps won, -1 where it lost:
    `(steps, steps, sentences)`."""
    differences = values.T[:, None] - values.T[None]
    differences[np.abs(differences) <= _TIE * np.abs(values).max()] = 0.0
    return np.sign(differences)


def _table(evaluations: Sequence[Evaluation], name: str) -> dict[str, NDArray[np.float64]]:
    """A measure by sentence, a value for each evaluation, the higher the better.

    Only of sentences of which all have it; of the sound only where the same SSRN made all of it.
    """
    sounds = {one.ssrn_step for one in evaluations if one.network == "text2mel"}
    if MEASURES[name].sound and len(sounds) > 1:
        return {}
    first, *others = (values_of(one, name) for one in evaluations)
    return {
        sentence: _sign(name) * np.array([first[sentence], *(one[sentence] for one in others)])
        for sentence in first
        if all(sentence in one for one in others)
    }


def _sign(name: str) -> float:
    return 1.0 if MEASURES[name].better == "higher" else -1.0
