"""A step, and what is kept between runs."""

from dataclasses import replace

import pytest
import torch

from engine.data.batches import Batch
from engine.networks.specs import SSRNSpec, Text2MelSpec
from engine.training.learner import Learner
from engine.training.recipe import Recipe

CPU = torch.device("cpu")
TEXT2MEL = Text2MelSpec(34, n_mels=6, embedding=8, hidden=8)
SSRN = SSRNSpec(6, 9, hidden=8)
RECIPE = Recipe(frame_drop=0.1, warmup_steps=10)


def learner(spec=TEXT2MEL, recipe=RECIPE, precision=torch.float32, seed=1):
    return Learner(spec, recipe, device=CPU, precision=precision, seed=seed)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(4)
    return Batch(
        torch.randint(2, 34, (3, 7), generator=generator),
        torch.tensor([7, 7, 7]),
        torch.rand(3, 12, 6, generator=generator),
        torch.tensor([12, 12, 12]),
        torch.rand(3, 48, 9, generator=generator),
    )


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


@pytest.mark.parametrize("spec", [TEXT2MEL, SSRN])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_steps_make_the_loss_smaller(spec, precision, batch):
    one = learner(spec, precision=precision)
    losses = [float(one.step(batch, step).total) for step in range(1, 61)]
    assert losses[-1] < 0.9 * losses[0]
    assert all(weight.isfinite().all() for weight in one.weights().values())
    assert all(weight.dtype == torch.float32 for weight in one.weights().values())


def test_a_step_depends_on_seed_and_step_alone(batch):
    one, other = learner(), learner()
    torch.rand(1000)
    assert float(one.step(batch, 5).total) == float(other.step(batch, 5).total)
    assert same(one.weights(), other.weights())
    assert not same(learner(seed=2).weights(), learner(seed=1).weights())
    # Dropout of another step is another.
    one, other = learner(), learner()
    assert float(one.step(batch, 5).total) != float(other.step(batch, 6).total)


@pytest.mark.parametrize("spec", [TEXT2MEL, SSRN])
def test_weights_average_and_moments_taken_over_go_on_as_if_nothing_was(spec, batch):
    one = learner(spec)
    for step in range(1, 6):
        one.step(batch, step)
    other = learner(spec, seed=1)
    other.load_weights(one.weights(), one.average())
    other.load_optimizer_state(one.optimizer_state())
    for step in range(6, 10):
        assert float(one.step(batch, step).total) == float(other.step(batch, step).total)
    assert same(one.weights(), other.weights())
    assert same(one.average(), other.average())
    assert same(one.optimizer_state(), other.optimizer_state())


def test_what_was_handed_out_is_not_changed_by_later_steps(batch):
    one = learner()
    one.step(batch, 1)
    weights, average, moments = one.weights(), one.average(), one.optimizer_state()
    before = [{n: t.clone() for n, t in kept.items()} for kept in (weights, average, moments)]
    one.step(batch, 2)
    assert all(same(a, b) for a, b in zip(before, (weights, average, moments), strict=True))


def test_the_average_speaks_and_moves_slowly(batch):
    one = learner()
    first = one.weights()
    for step in range(100, 110):
        one.step(batch, step)
    name = "audio_encoder.layers.0.convolution.weight"
    moved = (one.weights()[name] - first[name]).abs().mean()
    spoken = (one.speaking_weights()[name] - first[name]).abs().mean()
    assert 0 < spoken < moved
    judged, _ = one.judge(batch)
    speaker = learner(recipe=replace(RECIPE, average_decay=None))
    speaker.load_weights(one.average())
    assert float(speaker.judge(batch)[0].total) == pytest.approx(float(judged.total))


def test_judging_changes_nothing(batch):
    one = learner()
    one.step(batch, 1)
    before, state = one.weights(), torch.get_rng_state()
    assert float(one.judge(batch)[0].total) == float(one.judge(batch)[0].total)
    assert same(one.weights(), before)
    assert torch.equal(torch.get_rng_state(), state)


def test_an_early_average_is_not_noise(batch):
    one = learner()
    for step in range(1, 41):
        one.step(batch, step)
    training = learner(recipe=replace(RECIPE, average_decay=None))
    training.load_weights(one.weights())
    fresh, _ = learner().judge(batch)
    averaged, now = one.judge(batch)[0], training.judge(batch)[0]
    assert float(averaged.total) < float(fresh.total)
    assert float(averaged.total) < float(now.total) + 0.5 * float(fresh.total - now.total)


@pytest.mark.parametrize("count", [float("nan"), -1.0, 1e30])
def test_a_count_of_steps_that_is_none_is_refused(batch, count):
    one = learner()
    one.step(batch, 1)
    moments = one.optimizer_state()
    moments["step/audio_encoder.layers.0.convolution.bias"] = torch.tensor(count)
    with pytest.raises(RuntimeError, match="no number of steps"):
        learner().load_optimizer_state(moments)


@pytest.mark.parametrize("damage", ["missing", "shape"])
def test_moments_that_do_not_fit_are_refused(batch, damage):
    one = learner()
    one.step(batch, 1)
    moments = one.optimizer_state()
    name = "exp_avg/audio_encoder.layers.0.convolution.bias"
    if damage == "missing":
        del moments[name]
    else:
        moments[name] = torch.zeros(1)
    with pytest.raises((KeyError, RuntimeError)):
        learner().load_optimizer_state(moments)


def test_an_average_that_does_not_fit_is_refused():
    one = learner()
    average = {**one.average(), "audio_encoder.layers.0.convolution.bias": torch.zeros(1)}
    with pytest.raises(RuntimeError):
        one.load_weights(one.weights(), average)


@pytest.mark.parametrize("epsilon_hat", [False, True])
def test_adams_epsilon_is_added_where_the_recipe_says(batch, epsilon_hat):
    # Large enough to matter; TensorFlow's own is only seen where gradients are tiny.
    recipe = Recipe(warmup_steps=10, adam_epsilon=1e-3, epsilon_hat=epsilon_hat, average_decay=None)
    one = learner(replace(TEXT2MEL, dropout=0.0), recipe)
    name = "audio_encoder.layers.3.convolution.weight"
    first = second = torch.zeros_like(one.weights()[name])
    for count in range(1, 4):
        before = one.weights()[name]
        one.losses(batch).total.backward()
        gradient = dict(one.network.named_parameters())[name].grad.clone()
        one.step(batch, 100 + count)
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        root, correction = second.sqrt(), (1 - 0.999**count) ** 0.5
        divisor = (root + 1e-3) / correction if epsilon_hat else root / correction + 1e-3
        change = one.learning_rate(100 + count) / (1 - 0.9**count) * first / divisor
        torch.testing.assert_close(one.weights()[name], before - change, rtol=1e-5, atol=1e-7)
        one.network.zero_grad()
