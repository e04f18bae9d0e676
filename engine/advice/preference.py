"""What paired comparisons say: which of two a listener prefers, or which of many is the best.

An answer scores 1 for the one that was better, 0 for the other, and a half for each where the
listener could not tell. *Preference* is the mean of such scores in the long run: 0.5 for two that
sound alike.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

MARGIN = 0.15
"""Preferences within 0.5 ± this make no difference that is worth paying for."""

# A person looks after every answer and stops when they like the result. With this limit the true
# preference is outside the interval at some time during 40 answers with a chance of 5 % (computed
# exactly for answers without ties), and of 1/12 at any time however long it goes on (Ville).
_MAX_CAPITAL = 12.0
_MEANS = np.linspace(0.00125, 0.99875, 400)[None]
# Alternatives that are bet on: a mixture with Jeffreys's weights, the arcsine distribution.
_ALTERNATIVES = (np.sin((np.arange(41) + 0.5) / 41 * np.pi / 2) ** 2)[:, None]
_UP, _DOWN = np.log(_ALTERNATIVES / _MEANS), np.log((1 - _ALTERNATIVES) / (1 - _MEANS))
_MIDDLE = np.log((np.exp(_UP) + np.exp(_DOWN)) / 2)

MAX_MORE = 20
"""Further answers that are tried out to say how many decide it."""


@dataclass(frozen=True, slots=True)
class Duel:
    """How often one of two was better, worse, and neither."""

    wins: int = 0
    losses: int = 0
    ties: int = 0

    @property
    def answers(self) -> int:
        """How many there are."""
        return self.wins + self.losses + self.ties

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the preference for the first, however often one looks."""
        return _interval(self.wins, self.losses, self.ties)

    @property
    def decided(self) -> bool:
        """Whether one is better, or the two are alike as far as matters."""
        low, high = self.interval
        return low > 0.5 or high < 0.5 or self.alike

    @property
    def alike(self) -> bool:
        """Whether the answers show that any preference is small; a lack of them shows nothing."""
        low, high = self.interval
        return low >= 0.5 - MARGIN and high <= 0.5 + MARGIN

    @property
    def fewest_more(self) -> int:
        """Answers that it takes at least until it is decided; at most 20 are tried."""
        for more in range(MAX_MORE):
            outcomes = ((more, 0, 0), (0, more, 0), (0, 0, more))
            if any(self._plus(*outcome).decided for outcome in outcomes):
                return more
        return MAX_MORE

    def _plus(self, wins: int, losses: int, ties: int) -> "Duel":
        return Duel(self.wins + wins, self.losses + losses, self.ties + ties)


@lru_cache(maxsize=4_096)
def _interval(wins: int, losses: int, ties: int) -> tuple[float, float]:
    """Means at which a gambler who bets against them would not have become rich: a confidence
    sequence (Waudby-Smith and Ramdas 2024)."""
    logs = wins * _UP + losses * _DOWN + ties * _MIDDLE
    largest = logs.max(axis=0)
    capital = largest + np.log(np.exp(logs - largest).mean(axis=0))
    kept = _MEANS[0][capital < np.log(_MAX_CAPITAL)]
    half = float(_MEANS[0][0])
    return max(0.0, float(kept[0]) - half), min(1.0, float(kept[-1]) + half)


# Of the strengths before the first answer: two strangers are mostly within 95:5.
_PRIOR_SPREAD = 1.5
# Answers that the belief in a world without ties is worth.
_PRIOR_ANSWERS = 4.0
# Newton's method takes smaller steps where answers are nearly certain.
_MIN_VARIANCE = 0.02
_ROUNDS = 12
_DRAWS = 4_000
_MARGIN_OF_STRENGTH = float(np.log((0.5 + MARGIN) / (0.5 - MARGIN)))
SURE = 0.9
"""The probability from which on a best one is named."""


class Ranking:
    """Strengths of several competitors from comparisons of any two (Bradley and Terry 1952)."""

    def __init__(self, count: int, results: Sequence[tuple[int, int, float]]) -> None:
        """Fit the strengths of `count` competitors.

        A result has the two competitors' numbers and the score of the first.
        """
        self._results = tuple(results)
        self._mean, covariance = _fit(count, results)
        # The same answers must always give the same words.
        random = np.random.default_rng(0)
        self._draws = random.multivariate_normal(self._mean, covariance, size=_DRAWS)

    @property
    def order(self) -> list[int]:
        """The competitors, the most preferred first."""
        return [int(one) for one in np.argsort(-self._mean, kind="stable")]

    @property
    def chances(self) -> list[float]:
        """The probability of each to be the best."""
        firsts = np.bincount(self._draws.argmax(axis=1), minlength=len(self._mean))
        return [float(one) for one in firsts / _DRAWS]

    @property
    def good_enough(self) -> list[float]:
        """The probability of each to be the best or, as far as matters, as good."""
        behind = self._draws.max(axis=1)[:, None] - self._draws
        return [float(one) for one in (behind <= _MARGIN_OF_STRENGTH).mean(axis=0)]

    @property
    def decided(self) -> bool:
        """Whether one is the best, or as good as any as far as matters."""
        return max(*self.chances, *self.good_enough) >= SURE

    @property
    def fewest_more(self) -> int:
        """Answers that decide it about at the earliest: the best wins on; at most 20 are tried."""
        best, *rivals = self.order
        wins = [(best, rivals[number % len(rivals)], 1.0) for number in range(MAX_MORE)]

        def decided(more: int) -> bool:
            return Ranking(len(self._mean), [*self._results, *wins[:more]]).decided

        return bisect_left(range(MAX_MORE), True, key=decided)

    def preference(self, one: int, other: int) -> tuple[float, float]:
        """The 95 % interval of the preference for one over another."""
        values = 1 / (1 + np.exp(self._draws[:, other] - self._draws[:, one]))
        low, high = np.quantile(values, (0.025, 0.975))
        return float(low), float(high)

    def next_pair(self, random: np.random.Generator) -> tuple[int, int]:
        """The two whose comparison tells most about which is the best.

        Each is the best in some draw from what is known (Thompson sampling for duels): one that
        has lost its chances is not played any more.
        """
        firsts = self._draws[random.permutation(_DRAWS)].argmax(axis=1)
        others = firsts[firsts != firsts[0]]
        runner_up = next(one for one in self.order if one != firsts[0])
        return int(firsts[0]), int(others[0]) if len(others) else runner_up


def _fit(
    count: int, results: Sequence[tuple[int, int, float]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and covariance of the strengths: Laplace's approximation, by Newton's method."""
    design = np.zeros((len(results), count))
    scores = np.array([score for _, _, score in results])
    for row, (first, second, _) in enumerate(results):
        design[row, first], design[row, second] = 1, -1
    prior = np.eye(count) / _PRIOR_SPREAD**2
    # Ties scatter less than chance alone would have it.
    decisive = np.count_nonzero(scores != 0.5)
    scatter = (_PRIOR_ANSWERS + decisive) / (_PRIOR_ANSWERS + len(results))
    strengths, curvature = np.zeros(count), prior
    for _ in range(_ROUNDS if results else 0):
        expected = 1 / (1 + np.exp(-design @ strengths))
        variance = np.maximum(expected * (1 - expected), _MIN_VARIANCE)
        curvature = prior + design.T @ (design * variance[:, None]) / scatter
        slope = design.T @ (scores - expected) / scatter - prior @ strengths
        strengths = strengths + np.linalg.solve(curvature, slope)
    return strengths, np.linalg.inv(curvature).astype(np.float64)
