"""CUDA graphs: the same numbers as without, also while other threads use the GPU."""

import threading

import pytest
import torch
from on_gpu import make_batch, make_learner, state_of, worst_difference

pytestmark = pytest.mark.gpu
SHAPES = (48, 80, 48, 64, 80, 48, 64, 80)


def train(learner, network, device):
    for step, frames in enumerate(SHAPES, 1):
        learner.step(make_batch(network, device, frames=frames, seed=frames), step)
    return state_of(learner)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16, torch.float16])
def test_graphs_give_the_weights_of_steps_without(device, network, precision):
    with_graphs = make_learner(network, device, precision)
    found = train(with_graphs, network, device)
    assert with_graphs.graphs.trouble == ""
    assert with_graphs.graphs.recorded >= 1
    plain = train(make_learner(network, device, precision, graphs=False), network, device)
    assert worst_difference(plain, found) < (1e-4 if precision == torch.float32 else 1e-2)


def test_other_threads_use_the_gpu_during_a_recording(device, network, best):
    learner, ended, copies = make_learner(network, device, best), threading.Event(), []

    def copy_again_and_again():
        while not ended.is_set():
            copies.append(learner.copy_ema_weights()[0])

    thread = threading.Thread(target=copy_again_and_again)
    thread.start()
    try:
        train(learner, network, device)
    finally:
        ended.set()
        thread.join()
    assert learner.graphs.trouble == ""
    assert learner.graphs.recorded >= 1
    assert copies == sorted(copies)
    assert torch.isfinite(learner.step(make_batch(network, device), 9).total)
