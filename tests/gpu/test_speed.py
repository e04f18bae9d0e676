"""How fast steps are and how much a GPU is asked for: printed, for the notes of whoever runs it."""

import time

import pytest
import torch
from on_gpu import make_batch, make_learner
from torch.profiler import ProfilerActivity, profile

from engine.machine.device import possible_precisions, precision_name

pytestmark = pytest.mark.gpu
STEPS = 30


@pytest.mark.parametrize("recipe", ["standard", "bbc"])
@pytest.mark.parametrize("clips", [16, 32])
@pytest.mark.parametrize("graphs", [False, True])
def test_steps_per_second(device, network, recipe, clips, graphs, capsys):
    crops = network == "ssrn" and recipe == "standard"
    batch = make_batch(network, device, clips, frames=16 if crops else 135, characters=100)
    for precision in possible_precisions("auto", device, exact=recipe == "bbc"):
        torch.cuda.reset_peak_memory_stats(device)
        learner = make_learner(network, device, precision, recipe, graphs=graphs)
        for step in range(1, 6):
            learner.step(batch, step)
        torch.cuda.synchronize(device)
        start = time.perf_counter()
        for step in range(STEPS):
            learner.step(batch, step + 6)
        launched = time.perf_counter() - start
        torch.cuda.synchronize(device)
        seconds = (time.perf_counter() - start) / STEPS
        peak = torch.cuda.max_memory_allocated(device) / 2**30
        with capsys.disabled():
            print(
                f"\n{network} {recipe} {precision_name(precision)} batch {clips}"
                f"{' graphs' if graphs else ''}: {1 / seconds:.1f} steps/s, host "
                f"{1e3 * launched / STEPS:.2f} of {1e3 * seconds:.2f} ms, {peak:.1f} GiB"
            )


@pytest.mark.parametrize("graphs", [False, True])
def test_kernels_of_a_step(device, network, best, graphs, capsys):
    learner = make_learner(network, device, best, graphs=graphs)
    batch = make_batch(network, device)
    for step in range(1, 5):
        learner.step(batch, step)
    torch.cuda.synchronize(device)
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiled:
        learner.step(batch, 5)
        torch.cuda.synchronize(device)
    events = profiled.events()
    kernels = [one for one in events if one.device_type == torch.autograd.DeviceType.CUDA]
    launches = [one for one in events if "Launch" in one.name]
    busy = sum(one.time_range.elapsed_us() for one in kernels) / 1e3
    with capsys.disabled():
        print(
            f"\n{network} {'graphs' if graphs else 'eager'}: {len(kernels)} kernels and copies, "
            f"{len(launches)} launches, {busy:.2f} ms on the GPU"
        )
        print(profiled.key_averages().table(sort_by="device_time_total", row_limit=12))
    assert 0 < len(kernels) < 1300
    if graphs:
        assert len(launches) < 300
