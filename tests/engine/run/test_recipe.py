"""The learning rate: a function of the global step alone."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.run.recipe import learning_rate, recipe_named

RECIPES = [recipe_named("standard"), recipe_named("bbc")]


def test_the_bbcs_curve_is_the_one_of_its_code():
    bbc = recipe_named("bbc")
    for step in (1, 2, 100, 3999, 4000, 4001, 855_000):
        theirs = 1e-3 * 4000**0.5 * min(step * 4000**-1.5, step**-0.5)
        assert learning_rate(step, bbc) == pytest.approx(theirs)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_voice_taken_up_at_855k_learns_slowly(recipe):
    assert learning_rate(855_000, recipe) == pytest.approx(6.84e-5, rel=1e-3)


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_peak_is_where_the_recipe_says(recipe):
    rates = {step: learning_rate(step, recipe) for step in range(1, 10_000)}
    peak = max(rates, key=rates.__getitem__)
    assert peak == recipe.warmup_steps
    assert rates[peak] == pytest.approx(recipe.peak_rate)
    assert rates[peak] / learning_rate(855_000, recipe) > 14


def test_nothing_but_the_global_step_decides_the_bbcs_rate():
    bbc = recipe_named("bbc")
    assert learning_rate(855_001, bbc, optimizer_start_step=855_000) == learning_rate(855_001, bbc)


@given(st.integers(1, 10**6), st.integers(1, 10**4))
def test_after_an_optimizer_reset_the_rate_rises_above_the_curve(base, more):
    recipe = recipe_named("standard")
    usual, rising = learning_rate(base + more, recipe), learning_rate(base + more, recipe, base)
    share = min(1.0, more / recipe.restart_steps)
    assert math.isclose(rising, share * min(3 * usual, recipe.peak_rate))


def test_the_bbcs_recipe_is_the_bbcs():
    bbc = recipe_named("bbc")
    assert (bbc.batch_size, bbc.betas, bbc.adam_epsilon) == (32, (0.9, 0.999), 1e-8)
    assert (bbc.clip_value, bbc.crop_frames, bbc.ema_decay) == (1, None, None)
    assert (bbc.frame_drop, bbc.tempo) == (0, 0)
    assert (bbc.masked, bbc.own_lengths, bbc.drop_logits, bbc.epsilon_hat) == (0, 0, 1, 1)
