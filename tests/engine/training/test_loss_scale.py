"""Training in fp16: gradients that overflow, and what a resumed run remembers of them."""

from dataclasses import replace

import pytest
import torch
from saved import same

from engine.checkpoints.checkpoint import Checkpoint
from engine.data.batches import Batch
from engine.networks.specs import SSRNSpec
from engine.run.recipe import Recipe
from engine.training.learner import Learner

SPEC = SSRNSpec(6, 9, hidden=8)


def make_learner(precision=torch.float16):
    settings = {"device": torch.device("cpu"), "precision": precision, "seed": 1}
    return Learner(SPEC, Recipe(warmup_steps=10), **settings)


@pytest.fixture
def batch():
    numbers = torch.Generator().manual_seed(4)
    lengths = torch.full((3,), 12)
    return Batch(
        torch.ones(3, 7, dtype=torch.int64), lengths, torch.rand(3, 12, 6, generator=numbers),
        lengths, torch.rand(3, 48, 9, generator=numbers),
    )  # fmt: skip


def state_of(learner):
    live = learner.live_state()
    return {(group, name): t.clone() for group in live for name, t in live[group].items()}


def at_scale(learner, scale, **optimizer):
    """Restore what a learner has, with another loss scale."""
    live = learner.live_state()
    tensors = {group: {name: t.clone() for name, t in live[group].items()} for group in live}
    tensors["optimizer"] |= {"loss_scale": torch.tensor(scale)} | optimizer
    checkpoint = Checkpoint(
        network="ssrn", spec=SPEC, symbols="", step=1, base_step=0, recipe="standard", seed=1,
        **tensors,
    )  # fmt: skip
    learner.restore(checkpoint)
    return checkpoint


def test_an_overflow_lowers_the_scale_and_is_no_fault(batch):
    learner = make_learner()
    learner.step(batch, 1)
    at_scale(learner, 2.0**30)
    before = state_of(learner)
    assert torch.isfinite(learner.step(batch, 2).total)
    after = state_of(learner)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed <= {("optimizer", "loss_scale"), ("optimizer", "loss_scale_steps")}
    assert after["optimizer", "loss_scale"] == 2.0**29
    assert learner.take_skips() == (0, 0, 1)
    while learner.step(batch, 3) and learner.take_skips().overflows:
        pass
    assert state_of(learner)["optimizer", "loss_scale"] >= 2.0**10
    assert not same(state_of(learner), after)


def test_a_loss_that_is_not_finite_is_a_fault_at_any_scale(batch):
    learner = make_learner()
    learner.step(batch, 1)
    for step in (2, 3):
        learner.step(replace(batch, mel=torch.full_like(batch.mel, float("nan"))), step)
    assert learner.take_skips() == (2, 2, 0)
    at_scale(learner, 1.0)
    learner.step(replace(batch, magnitude=batch.magnitude * 1e30), 4)
    assert learner.take_skips().steps == 1


def test_a_resumed_run_goes_on_with_its_scale(batch):
    one, other = make_learner(), make_learner()
    one.step(batch, 1)
    checkpoint = at_scale(one, 2.0**30, loss_scale_steps=torch.tensor(998))
    other.restore(checkpoint)
    for step in range(2, 6):
        assert float(one.step(batch, step).total) == float(other.step(batch, step).total)
    assert same(state_of(one), state_of(other))
    # After another precision it starts anew, and that one ignores it.
    make_learner(torch.float32).restore(checkpoint)
    del checkpoint.optimizer["loss_scale"]
    other.restore(checkpoint)
    assert other.live_state()["optimizer"]["loss_scale"] == 2.0**13


def test_the_scale_rises_after_many_steps_without_overflow(batch):
    learner = make_learner()
    learner.step(batch, 1)
    at_scale(learner, 8.0, loss_scale_steps=torch.tensor(998))
    learner.step(batch, 2)
    assert learner.live_state()["optimizer"]["loss_scale"] == 8.0
    learner.step(batch, 3)
    assert learner.live_state()["optimizer"]["loss_scale"] == 16.0


@pytest.mark.parametrize("scale", [float("nan"), float("inf"), 0.0, -2.0])
def test_an_impossible_scale_is_refused(batch, scale):
    learner = make_learner()
    learner.step(batch, 1)
    with pytest.raises(RuntimeError, match="loss scale"):
        at_scale(learner, scale)
