"""What the checks on a GPU share; without one they are skipped."""

import pytest
import torch

from engine.machine.device import make_repeatable, possible_precisions


@pytest.fixture(autouse=True)
def device():
    """The first GPU, with nothing of earlier tests in its memory."""
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU here")
    gpu = torch.device("cuda:0")
    make_repeatable(gpu)
    torch.cuda.empty_cache()
    yield gpu
    torch.cuda.synchronize(gpu)
    torch.cuda.set_per_process_memory_fraction(1.0, gpu)


@pytest.fixture(params=["text2mel", "ssrn"])
def network(request):
    """Each network."""
    return request.param


@pytest.fixture
def best(device):
    """The precision that is expected to be the fastest here."""
    return possible_precisions("auto", device)[0]
