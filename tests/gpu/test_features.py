"""Features on a GPU, and a second GPU that leaves the first alone."""

import threading

import numpy as np
import pytest
import torch
from on_gpu import AUDIO, make_batch, make_learner

from engine.data.batches import BatchSource, Prefetcher
from engine.data.frames import Frames
from engine.machine.device import gpu_uuid
from engine.machine.gpu import GpuMonitor
from engine.training.checkpoint_writer import StateCopy

pytestmark = pytest.mark.gpu


@pytest.fixture
def frames(tmp_path):
    """Twenty clips of noise."""
    counts = AUDIO.reduction * np.arange(20, 60, 2)
    ends = np.cumsum(counts)
    total = int(ends[-1])
    numbers = total * (AUDIO.n_bins + AUDIO.n_mels)
    path = tmp_path / "noise.features"
    np.random.default_rng(1).random(numbers, np.float32).astype(np.float16).tofile(path)
    return Frames(path, AUDIO, total, np.stack([ends - counts, ends], axis=1))


@pytest.mark.parametrize("crop_frames", [None, 16])
def test_batches_gathered_on_the_gpu_are_the_same(device, network, frames, crop_frames):
    def source():
        return BatchSource(
            frames, {clip: [3, 4, 5 + clip] for clip in range(20)}, magnitudes=network == "ssrn",
            batch_size=8, crop_frames=crop_frames, tempo=0.1, seed=1,
        )  # fmt: skip

    resident = source()
    resident.keep_on(device)
    assert resident.resident is not None
    with Prefetcher(source(), device) as host, Prefetcher(resident, device) as ahead:
        for step in range(1, 7):
            one, other = vars(host.next(step).to(device)), vars(ahead.next(step).to(device))
            for name, tensor in one.items():
                assert tensor is other[name] is None or torch.equal(tensor, other[name]), name


def test_a_second_gpu_leaves_the_first_alone(device):
    if torch.cuda.device_count() < 2:
        pytest.skip("there is one GPU")
    import pynvml

    first, second = GpuMonitor(gpu_uuid(device)), torch.device("cuda:1")
    assert first.read() is not None, first.absent

    def contexts():
        running = pynvml.nvmlDeviceGetComputeRunningProcesses(first._handle)
        return [one.usedGpuMemory for one in running]

    before = contexts()
    learner, batch = make_learner("text2mel", second), make_batch("text2mel", second)
    learner.step(batch, 1)
    _, wait = StateCopy(learner).take()
    for work in (wait, learner.copy_ema_weights, lambda: make_batch("ssrn", second)):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert contexts() == before
