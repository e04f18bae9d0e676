"""A training step on a GPU: as on a CPU, repeatable, and never waited for."""

from dataclasses import replace

import pytest
import torch
from on_gpu import (
    checkpoint_of,
    make_batch,
    make_learner,
    state_of,
    worst_difference,
)
from saved import same

from engine.checkpoints.state import Unlogged
from engine.errors import EngineError
from engine.machine.device import explains_lack_of_memory
from engine.training.checkpoint_writer import StateCopy
from engine.training.metrics import LossSums

pytestmark = pytest.mark.gpu
CPU = torch.device("cpu")
PRECISIONS = [torch.float32, torch.bfloat16, torch.float16]


@pytest.mark.parametrize("micro_batches", [1, 3])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_no_step_waits_for_the_gpu(device, network, precision, micro_batches):
    learner, batch = make_learner(network, device, precision), make_batch(network, device)
    learner.micro_batches = micro_batches
    sums = LossSums(Unlogged(), device)
    for step in range(1, 5):
        sums.add(learner.step(batch, step))
    torch.cuda.synchronize(device)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for step in range(5, 9):
            sums.add(learner.step(batch, step))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert sums.means().total > 0


@pytest.mark.parametrize("recipe", ["standard", "bbc"])
def test_gradients_are_those_of_a_cpu(device, network, recipe):
    batch, found = make_batch(network, device, clips=4, frames=48, characters=40), []
    for place in (CPU, device):
        learner = make_learner(network, place, recipe=recipe, dropout=0.0, frame_drop=0.0)
        loss = float(learner.step(batch, 1).total)
        found.append((loss, {name: one.cpu() for name, one in learner.gradients.items()}))
    (loss, gradients), (ours, our_gradients) = found
    assert ours == pytest.approx(loss, rel=1e-4)
    assert worst_difference(gradients, our_gradients) < 2e-2


@pytest.mark.parametrize("precision", PRECISIONS[1:])
def test_sixteen_bits_learn_as_fp32_does(device, network, precision):
    batch, losses = make_batch(network, device), []
    for one in (torch.float32, precision):
        learner = make_learner(network, device, one)
        for step in range(1, 151):
            learner.step(batch, step)
        assert learner.take_skips().steps == 0
        losses.append(float(learner.evaluate(batch.to(device))[0].total))
    assert losses[1] == pytest.approx(losses[0], rel=0.01)


def test_dropout_is_the_same_in_micro_batches(device, network):
    batch, found = make_batch(network, device, clips=6), []
    for micro_batches in (1, 3):
        learner = make_learner(network, device, dropout=0.3)
        learner.micro_batches = micro_batches
        loss = float(learner.step(batch, 7).total)
        found.append((loss, {name: one.clone() for name, one in learner.gradients.items()}))
    assert found[1][0] == pytest.approx(found[0][0], rel=1e-4)
    assert worst_difference(found[0][1], found[1][1]) < 2e-2


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_copy_under_way_is_whole_and_resumes_to_the_bit(device, network, precision):
    lengths = (48, 80, 37)
    batches = [make_batch(network, device, frames=frames, seed=frames) for frames in lengths]

    def train(learner, first, last):
        for step in range(first, last + 1):
            learner.step(batches[step % len(batches)], step)

    unbroken, broken, resumed = (make_learner(network, device, precision) for _ in range(3))
    train(unbroken, 1, 20)
    train(broken, 1, 10)
    copy, before = StateCopy(broken), state_of(broken)
    assert copy.pinned
    tensors, wait = copy.take()
    train(broken, 11, 14)  # overwrites what is being copied
    wait()
    assert same({key: tensors[key[0]][key[1]] for key in before}, before)
    resumed.restore(checkpoint_of(broken, network, 10, tensors))
    train(resumed, 11, 20)
    assert same(state_of(resumed), state_of(unbroken))


def test_a_copy_of_the_ema_is_of_one_step(device, network, best):
    learner, batch = make_learner(network, device, best), make_batch(network, device)
    learner.step(batch, 1)
    before = {name: t.cpu().clone() for name, t in learner.live_state()["ema"].items()}
    step, copies = learner.copy_ema_weights()
    learner.step(batch, 2)
    assert (step, same(before, copies)) == (1, True)


def test_a_step_that_is_not_finite_changes_nothing(device, network, best):
    learner, batch = make_learner(network, device, best), make_batch(network, device)
    for step in (1, 2, 3):
        learner.step(batch, step)
    learner.take_skips()
    before = state_of(learner)
    mel = torch.full_like(batch.mel, float("nan"))
    learner.step(replace(batch, mel=mel), 4)
    assert learner.take_skips().steps == 1
    after = state_of(learner)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert {name for _, name in changed} <= {"loss_scale", "loss_scale_steps"}
    learner.step(batch, 5)
    assert not same(state_of(learner), before)


def test_all_operations_are_deterministic(device, network, best):
    torch.use_deterministic_algorithms(True)
    try:
        make_learner(network, device, best).step(make_batch(network, device), 1)
    finally:
        torch.use_deterministic_algorithms(False)


def test_too_little_memory_makes_micro_batches(device, network, best):
    learner = make_learner(network, device, best)
    batch = make_batch(network, device, clips=32, frames=210, characters=180)
    torch.cuda.reset_peak_memory_stats(device)
    learner.probe_memory(batch)
    used, peak = (
        torch.cuda.memory_allocated(device),
        torch.cuda.max_memory_reserved(device),
    )
    assert learner.micro_batches == 1
    torch.cuda.empty_cache()
    whole = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction((used + 0.4 * (peak - used)) / whole, device)
    learner.probe_memory(batch)
    assert learner.micro_batches > 1
    assert torch.isfinite(learner.step(batch, 1).total)


def test_a_full_gpu_is_told_in_words(device):
    torch.cuda.set_per_process_memory_fraction(0.0001, device)
    with (
        pytest.raises(EngineError, match="Out of memory on cuda:0 before the first step"),
        explains_lack_of_memory(device, "before the first step"),
    ):
        make_learner("text2mel", device)
