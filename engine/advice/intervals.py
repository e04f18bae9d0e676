"""What was measured of sentences, as means with intervals: of a checkpoint, and between two.

Sentences are a small sample of what a voice will be asked to say, so means come with 95 % bootstrap
intervals over them. Two checkpoints are compared sentence by sentence: most of the scatter is that
of the sentences, which both have read.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from engine.advice.measures import MEASURES
from engine.run.evaluation import CheckpointScores, Evaluation, Score

_DRAWS = 2_000
_Floats = NDArray[np.float64]


def summarise(evaluation: Evaluation) -> CheckpointScores:
    """Return an evaluation in figures, in the order of the measures; the same ones each time."""
    scores = {name: score for name in MEASURES if (score := _score(evaluation, name)) is not None}
    return CheckpointScores(
        evaluation.network,
        evaluation.step,
        scores,
        sentences=len(evaluation.sentences),
        misread=sum(bool(one.misreadings) for one in evaluation.sentences),
        ceilings={
            name: evaluation.ceilings[name] for name in scores if name in evaluation.ceilings
        },
    )


def compare(a: Evaluation, b: Evaluation, measure: str) -> Score | None:
    """Return how much higher a measure is for `a` than for `b`, over the sentences of both.

    Returns:
        None where no sentence has it in both, or it is taken of the sound, and that was made by
        different SSRNs.
    """
    if MEASURES[measure].sound and a.network == "text2mel" and a.ssrn_step != b.ssrn_step:
        return None
    first, second = values_of(a, measure), values_of(b, measure)
    common = [sentence for sentence in first if sentence in second]
    if not common:
        return None
    return interval([first[sentence] - second[sentence] for sentence in common])


def values_of(evaluation: Evaluation, measure: str) -> dict[str, float]:
    """The values of a measure by sentence; without those of which it was not taken."""
    return {
        one.sentence: one.measures[measure]
        for one in evaluation.sentences
        if measure in one.measures
    }


def interval(values: Sequence[float]) -> Score:
    """Return the mean of a sample and its 95 % bootstrap interval; the same each time.

    Of one value, and of equal ones, it has no width: what did not happen in a few sentences may
    still happen in others.
    """
    sample = np.asarray(values, np.float64)
    if not len(sample):
        raise ValueError("an interval needs a value")
    means = _drawn(len(sample)) @ sample
    tail = _tail(len(sample))
    low, high = np.quantile(means, (tail, 1 - tail))
    mean = float(sample.mean())
    return Score(mean, min(mean, float(low)), max(mean, float(high)))


def _score(evaluation: Evaluation, name: str) -> Score | None:
    whole = {
        "held_out": evaluation.held_out, "held_out_training": evaluation.held_out_training
    }.get(name)  # fmt: skip
    values = [*values_of(evaluation, name).values()]
    if not values:
        return None if whole is None else Score(whole, whole, whole)
    score = interval(values)
    # That of all clips together weights them by their length, as training reports it.
    shift = 0.0 if whole is None else whole - score.mean
    return Score(score.mean + shift, score.low + shift, score.high + shift)


@lru_cache(maxsize=64)
def _drawn(count: int) -> _Floats:
    """How much each of so many values counts in the mean of each draw, `(draws, count)`."""
    # The same figures must always give the same words.
    random = np.random.default_rng(count)
    shares = random.multinomial(count, np.full(count, 1 / count), size=_DRAWS)
    return shares.astype(np.float64) / count


@lru_cache(maxsize=64)
def _tail(count: int) -> float:
    """The share of draws beyond each end of a 95 % interval.

    Less than 2.5 %: few values scatter less than what they were drawn from (Hesterberg 2015, the
    expanded percentile interval).
    """
    if count < 2:
        return 0.0
    from scipy.special import ndtr, stdtrit  # not before it is needed: the first screen waits

    width = stdtrit(count - 1, 0.975) * math.sqrt(count / (count - 1))
    return float(ndtr(-width))
