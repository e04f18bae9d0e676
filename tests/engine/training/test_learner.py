"""A training step, and what is kept between runs."""

from dataclasses import replace

import pytest
import torch
from saved import same

from engine.checkpoints.checkpoint import Checkpoint
from engine.data.batches import Batch
from engine.networks.specs import SSRNSpec, Text2MelSpec
from engine.run.recipe import Recipe
from engine.training.learner import Learner
from engine.training.optimizer import move_unless

CPU = torch.device("cpu")
TEXT2MEL = Text2MelSpec(34, n_mels=6, embedding=8, hidden=8)
SSRN = SSRNSpec(6, 9, hidden=8)
RECIPE = Recipe(frame_drop=0.1, warmup_steps=10)
BIAS = "audio_encoder.layers.0.convolution.bias"


def make_learner(spec=TEXT2MEL, recipe=RECIPE, precision=torch.float32, seed=1):
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


def state_of(learner):
    """Copies of weights, EMA and optimizer state."""
    live = learner.live_state()
    return {(group, name): t.clone() for group in live for name, t in live[group].items()}


def weights_of(learner):
    return {name: t.clone() for name, t in learner.live_state()["weights"].items()}


def checkpoint_of(learner, step=5):
    """A checkpoint of copies, as the disk would return it."""
    live = learner.live_state()
    tensors = {group: {n: t.clone() for n, t in live[group].items()} for group in live}
    return Checkpoint(
        network="text2mel", spec=learner.spec, symbols="", step=step, base_step=0,
        recipe="standard", seed=1, optimizer_start_step=0,
        weights=tensors["weights"], ema=tensors["ema"], optimizer=tensors["optimizer"],
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("spec", [TEXT2MEL, SSRN])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16, torch.float16])
def test_steps_reduce_the_loss(spec, precision, batch):
    learner = make_learner(spec, precision=precision)
    losses = [float(learner.step(batch, step).total) for step in range(1, 31)]
    assert losses[-1] < 0.95 * losses[0]
    weights = weights_of(learner).values()
    assert all(weight.isfinite().all() for weight in weights)
    assert {weight.dtype for weight in weights} == {torch.float32}


def test_a_step_depends_on_seed_and_step_alone(batch):
    one, other = make_learner(), make_learner()
    torch.rand(1000)
    assert float(one.step(batch, 5).total) == float(other.step(batch, 5).total)
    assert same(state_of(one), state_of(other))
    assert not same(weights_of(make_learner(seed=2)), weights_of(make_learner(seed=1)))
    # Dropout of another step is another.
    one, other = make_learner(), make_learner()
    assert float(one.step(batch, 5).total) != float(other.step(batch, 6).total)


@pytest.mark.slow
@pytest.mark.parametrize("spec", [TEXT2MEL, SSRN])
def test_a_restored_learner_makes_the_same_steps(spec, batch):
    one = make_learner(spec)
    for step in range(1, 6):
        one.step(batch, step)
    other = make_learner(spec)
    other.restore(checkpoint_of(one))
    for step in range(6, 10):
        assert float(one.step(batch, step).total) == float(other.step(batch, step).total)
    assert same(state_of(one), state_of(other))


def test_evaluation_uses_the_ema_which_moves_slowly(batch):
    learner = make_learner()
    first = weights_of(learner)
    for step in range(100, 110):
        learner.step(batch, step)
    name = "audio_encoder.layers.0.convolution.weight"
    moved = (weights_of(learner)[name] - first[name]).abs().mean()
    ema_moved = (learner.copy_ema_weights()[1][name] - first[name]).abs().mean()
    assert 0 < ema_moved < moved
    without_ema = make_learner(recipe=replace(RECIPE, ema_decay=None))
    without_ema.load_weights(learner.copy_ema_weights()[1])
    expected = float(learner.evaluate(batch)[0].total)
    assert float(without_ema.evaluate(batch)[0].total) == pytest.approx(expected)


@pytest.mark.slow
def test_ema_soon_leaves_the_weights_that_training_began_with(batch):
    learner = make_learner(recipe=replace(RECIPE, restart_steps=1))
    first = weights_of(learner)
    learner.restore(replace(checkpoint_of(learner, 10_000), base_step=10_000, ema={}, optimizer={}))
    for step in range(10_001, 10_041):
        learner.step(batch, step)
    ema, name = learner.copy_ema_weights()[1], "audio_encoder.layers.0.convolution.weight"
    moved = (weights_of(learner)[name] - first[name]).norm()
    assert (ema[name] - first[name]).norm() > 0.5 * moved


def test_evaluation_changes_nothing(batch):
    learner = make_learner()
    learner.step(batch, 1)
    before, random = state_of(learner), torch.get_rng_state()
    assert float(learner.evaluate(batch)[0].total) == float(learner.evaluate(batch)[0].total)
    assert same(state_of(learner), before)
    assert torch.equal(torch.get_rng_state(), random)


@pytest.mark.slow
@pytest.mark.parametrize("count", [float("nan"), -1.0, 1e30])
def test_an_impossible_step_count_of_adam_is_refused(batch, count):
    learner = make_learner()
    learner.step(batch, 1)
    checkpoint = checkpoint_of(learner)
    checkpoint.optimizer[f"step/{BIAS}"] = torch.tensor(count)
    with pytest.raises(RuntimeError, match="step count"):
        make_learner().restore(checkpoint)


@pytest.mark.parametrize("damage", ["missing", "shape", "ema"])
def test_tensors_that_do_not_fit_are_refused(batch, damage):
    learner = make_learner()
    learner.step(batch, 1)
    checkpoint = checkpoint_of(learner)
    if damage == "missing":
        del checkpoint.optimizer[f"exp_avg/{BIAS}"]
    elif damage == "shape":
        checkpoint.optimizer[f"exp_avg/{BIAS}"] = torch.zeros(1)
    else:
        checkpoint.ema[BIAS] = torch.zeros(1)
    with pytest.raises((KeyError, RuntimeError)):
        make_learner().restore(checkpoint)


@pytest.mark.parametrize("epsilon_hat", [False, True])
def test_adams_epsilon_is_added_where_the_recipe_says(batch, epsilon_hat):
    # Large enough to matter; TensorFlow's own is only seen where gradients are tiny.
    recipe = Recipe(warmup_steps=10, adam_epsilon=1e-3, epsilon_hat=epsilon_hat, ema_decay=None)
    learner = make_learner(replace(TEXT2MEL, dropout=0.0), recipe)
    name = "audio_encoder.layers.3.convolution.weight"
    first = second = torch.zeros_like(weights_of(learner)[name])
    for count in range(1, 4):
        before = weights_of(learner)[name]
        learner.step(batch, 100 + count)
        gradient = learner.gradients[name]
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        root, correction = second.sqrt(), (1 - 0.999**count) ** 0.5
        divisor = (root + 1e-3) / correction if epsilon_hat else root / correction + 1e-3
        change = learner.learning_rate(100 + count) / (1 - 0.9**count) * first / divisor
        torch.testing.assert_close(weights_of(learner)[name], before - change, rtol=1e-5, atol=1e-7)


def test_the_device_moves_the_ema_as_the_host_does():
    ema, weights = torch.rand(3, 4), torch.rand(3, 4)
    before = ema.clone()
    move_unless(torch.ones(()), ema, weights, 0.3)
    assert torch.equal(ema, before)
    move_unless(torch.zeros(()), ema, weights, 0.3)
    torch.testing.assert_close(ema, torch.lerp(before, weights, 0.3))
