from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.speech.attention_window import look

LENGTHS = st.integers(2, 40)
SEEDS = st.integers(0, 2**32)


def walk(scores: torch.Tensor, window) -> list[int]:
    """Where attention goes, frame after frame, for scores (T, N)."""
    attended = 0
    places = []
    for row in scores:
        weights, attended = look(row, attended, window)
        assert weights.argmax() == attended
        assert weights.sum().item() == pytest.approx(1, abs=1e-5)
        places.append(attended)
    return places


def random_scores(length: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 5 * torch.randn(60, length, generator=generator)


@given(LENGTHS, SEEDS)
def test_the_papers_window_goes_back_by_one_and_ahead_by_three_at_most(length, seed):
    places = [0, *walk(random_scores(length, seed), "paper")]
    assert all(-1 <= b - a <= 3 for a, b in pairwise(places))


@given(LENGTHS, SEEDS)
def test_the_bbcs_window_never_goes_back_and_ahead_by_two_at_most(length, seed):
    places = [0, *walk(random_scores(length, seed), "bbc")]
    assert all(0 <= b - a <= 2 for a, b in pairwise(places))


@given(LENGTHS, SEEDS)
def test_the_bbcs_window_shows_three_characters_only(length, seed):
    previous = seed % length
    weights, _ = look(random_scores(length, seed)[0], previous, "bbc")
    assert set(weights.nonzero()[:, 0].tolist()) <= set(range(previous, previous + 3))


@pytest.mark.parametrize("stray", [0, 3, 9])
def test_attention_that_leaves_the_papers_window_is_forced_to_the_next_character(stray):
    scores = torch.zeros(10)
    scores[stray] = 9
    weights, attended = look(scores, 5, "paper")
    assert attended == 6
    assert weights.tolist() == [0, 0, 0, 0, 0, 0, 1, 0, 0, 0]


@pytest.mark.parametrize("near", [4, 5, 8])
def test_attention_inside_the_papers_window_stays_as_it_is(near):
    scores = torch.zeros(10)
    scores[near] = 9
    weights, attended = look(scores, 5, "paper")
    assert attended == near
    torch.testing.assert_close(weights, torch.softmax(scores, dim=0))


def test_attention_forced_at_the_end_stays_on_the_last_character():
    scores = torch.zeros(10)
    scores[0] = 9
    assert look(scores, 9, "paper")[1] == 9
