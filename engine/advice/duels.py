"""Checkpoints compared by what the judge measured: sentence by sentence, in several measures.

In each measure and sentence the better of two checkpoints wins a duel. What they won is scale-free:
neither a measure in decibels nor one sentence that failed outweighs the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.advice.measures import MEASURES
from engine.run.evaluation import Evaluation

_DRAWS = 1_000
# Fewer sentences or measures say nothing of a checkpoint.
_MIN_SENTENCES, _MIN_MEASURES = 3, 2
# Differences below this share of a measure's size are rounding, not reading.
_TIE = 1e-6


@dataclass(frozen=True)
class Duels:
    """The duels among some checkpoints."""

    steps: tuple[int, ...]
    """The oldest first."""
    measures: tuple[str, ...]
    differences: NDArray[np.float64]
    """`(steps, steps, measures, sentences)`: how much better the first is than the second."""

    @property
    def best(self) -> int:
        """The step that won most; of equal ones the earliest, which cost less."""
        return self.steps[int(np.argmax([round(self.won(step), 9) for step in self.steps]))]

    def won(self, step: int) -> float:
        """The share of its duels that a step won, a tie being half of one."""
        own = self.steps.index(step)
        others = [other for other in range(len(self.steps)) if other != own]
        return float((1 + np.sign(self.differences[own, others])).mean() / 2)

    def runner_up(self, step: int) -> int:
        """The step that won most besides one."""
        return max((one for one in self.steps if one != step), key=self.won)

    def clearly_worse_than(self, step: int) -> list[int]:
        """The steps that lose to one, all measures together, whichever sentences are drawn."""
        return [other for other in self.steps if other != step and self._beats(step, other)]

    def _beats(self, step: int, other: int) -> bool:
        wins = np.sign(self._between(step, other)).mean(axis=0)
        return bool(_low(wins[None])[0] > 0)

    def against(self, step: int, other: int) -> str:
        """How sure it is that a step is better than another, as a clause."""
        differences = self._between(step, other)
        better = int((_low(differences) > 0).sum())
        worse = int((_low(-differences) > 0).sum())
        count, number = f"of {len(self.measures)} measures", f"{other:,}"
        if not better and not worse:
            return f"the judge cannot tell it from {number} in any {count}"
        words = f"clearly better than {number} in {better} {count}"
        return f"{words}, clearly worse in {worse}" if worse else words

    def _between(self, step: int, other: int) -> NDArray[np.float64]:
        own, others = self.steps.index(step), self.steps.index(other)
        return np.asarray(self.differences[own, others], np.float64)


def duels_between(evaluations: Sequence[Evaluation]) -> Duels | None:
    """Compare checkpoints in the measures and sentences that all of them have.

    Returns:
        None where there are not two, or too little of them was measured alike.
    """
    evaluations = sorted(evaluations, key=lambda one: one.step)
    if len(evaluations) < 2:
        return None
    by_sentence = [{one.sentence: one.measures for one in each.sentences} for each in evaluations]
    sentences = [one for one in by_sentence[0] if all(one in other for other in by_sentence)]
    taken = [each[one].keys() for each in by_sentence for one in sentences]
    names = [name for name in MEASURES if taken and all(name in one for one in taken)]
    if len(sentences) < _MIN_SENTENCES or len(names) < _MIN_MEASURES:
        return None
    signs = np.array([1.0 if MEASURES[name].better == "higher" else -1.0 for name in names])
    values = signs[:, None] * np.array(
        [[[each[one][name] for one in sentences] for name in names] for each in by_sentence]
    )  # (steps, measures, sentences)
    differences = values[:, None] - values[None]
    size = np.abs(values).max(axis=(0, 2), keepdims=True)
    differences[np.abs(differences) <= _TIE * size] = 0.0
    return Duels(tuple(one.step for one in evaluations), tuple(names), differences)


def _low(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The lower ends of 95 % bootstrap intervals of means over sentences, the last axis."""
    # The same figures must always give the same words.
    random = np.random.default_rng(0)
    drawn = random.integers(values.shape[-1], size=(_DRAWS, values.shape[-1]))
    low = np.quantile(values[..., drawn].mean(axis=-1), 0.025, axis=-1)
    return np.asarray(low, np.float64)
