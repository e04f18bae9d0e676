"""What paired comparisons say, held against what is known of the listener."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.advice.preference import MARGIN, SURE, Duel, Ranking

COUNTS = st.integers(0, 30)


@pytest.mark.parametrize(
    ("undecided", "decided"),
    [((5, 0, 0), (6, 0, 0)), ((9, 1, 0), (10, 1, 0)), ((0, 0, 10), (0, 0, 11))],
)
def test_a_duel_is_decided_once_the_answers_support_it(undecided, decided):
    assert not Duel(*undecided).decided
    assert Duel(*undecided).fewest_more == 1
    assert Duel(*decided).decided
    assert Duel(*decided).fewest_more == 0


def test_a_lack_of_answers_shows_no_likeness():
    for few in (Duel(), Duel(1, 1, 1), Duel(0, 0, 5), Duel(20, 20, 0)):
        assert not few.alike
    assert Duel(60, 60, 0).alike
    assert not Duel(60, 0, 60).alike


@given(COUNTS, COUNTS, COUNTS)
def test_an_interval_has_two_sides_alike(wins, losses, ties):
    low, high = Duel(wins, losses, ties).interval
    mirrored = Duel(losses, wins, ties).interval
    assert mirrored == pytest.approx((1 - high, 1 - low))
    share = (wins + ties / 2) / max(1, wins + losses + ties)
    assert 0 <= low < high <= 1
    assert not wins + losses + ties or low <= share <= high


@pytest.mark.parametrize("true", [0.5, 0.65, 0.8])
def test_who_looks_after_every_answer_is_seldom_wrong(true):
    """Exactly: the chance that the interval misses the truth at some time during 40 answers."""
    missed, states = 0.0, {0: 1.0}
    for answers in range(1, 41):
        after: Counter[int] = Counter()
        for wins, chance in states.items():
            after[wins + 1] += chance * true
            after[wins] += chance * (1 - true)
        states = {}
        for wins, chance in after.items():
            low, high = Duel(wins, answers - wins).interval
            if low <= true <= high:
                states[wins] = chance
            else:
                missed += chance
    assert missed < 0.055


def simulate(strengths, random, limit=120):
    """Let a listener with true preferences answer until a best one is named."""
    results: list[tuple[int, int, float]] = []
    while True:
        ranking = Ranking(len(strengths), results)
        good = [one for one, sure in enumerate(ranking.good_enough) if sure >= SURE]
        if good or len(results) == limit:
            return good[0] if good else ranking.order[0], len(results)
        one, other = ranking.next_pair(random)
        likes = 1 / (1 + np.exp(strengths[other] - strengths[one]))
        results.append((one, other, float(random.random() < likes)))


@pytest.mark.slow
def test_a_tournament_finds_a_good_one_with_few_plays():
    random = np.random.default_rng(5)
    # As voices learn: fast at first, then hardly, and worse in the end.
    strengths = [0.0, 1.0, 2.0, 3.0, 3.6, 3.8, 3.4, 2.2]
    found = [simulate(strengths, random) for _ in range(25)]
    good = [strengths[best] > max(strengths) - np.log(1.3 / 0.7) for best, _ in found]
    assert sum(good) >= 22
    # Each of the 28 pairs until it is decided takes six answers at least.
    assert np.median([plays for _, plays in found]) < 28 * 6 / 3


def test_one_that_loses_is_not_played_any_more():
    results = [(0, one, 0.0) for one in (1, 2, 3)] * 3
    ranking = Ranking(4, results)
    random = np.random.default_rng(1)
    assert ranking.order[-1] == 0
    assert sum(0 in ranking.next_pair(random) for _ in range(50)) <= 3


def test_ties_make_many_alike():
    results = [(a, b, 0.5) for a, b in ((0, 1), (1, 2), (0, 2))] * 8
    assert min(Ranking(3, results).good_enough) >= SURE
    assert Ranking(3, results).preference(0, 1)[0] > 0.5 - 1.5 * MARGIN
