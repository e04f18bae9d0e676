"""What a device can do at most: large matrix products, and copies of a large buffer."""

import torch

from engine.jobs.bench.report import Ceilings
from engine.jobs.bench.timing import Effort, Work, in_turn, waiting_for
from engine.machine.device import computing_on, describe_device, possible_precisions, precision_name
from engine.networks.convolution import matmul

# Edge of the matrices, bytes of the buffer: far above what caches hold.
_EDGE = {"cpu": 2048, "cuda": 8192}
_BUFFER = {"cpu": 2**28, "cuda": 2**30}
_MAX_ROUNDS = 10


def find_ceilings(device: torch.device, max_seconds: float) -> Ceilings:
    """Measure the ceilings of a device, the best of up to ten tries for each."""
    rates: dict[str, float] = {
        precision_name(one): _product_rate(device, one, max_seconds)
        for one in possible_precisions("auto", device)
    }
    memory, one_thread = _copy_rate(device, max_seconds), None
    if device.type == "cpu":
        with computing_on(1):
            one_thread = _copy_rate(device, max_seconds)
    return Ceilings(describe_device(device), rates, memory, one_thread)


def _product_rate(device: torch.device, precision: torch.dtype, max_seconds: float) -> float:
    edge = _EDGE[device.type]
    a, b = (torch.rand(edge, edge, device=device).to(precision) for _ in range(2))
    seconds = _best(waiting_for(device, lambda: matmul(a, b)), max_seconds)
    return 2 * edge**3 / seconds / 1e12


def _copy_rate(device: torch.device, max_seconds: float) -> float:
    size = _BUFFER[device.type]
    source = torch.ones(size, dtype=torch.uint8, device=device)
    target = torch.zeros_like(source)
    return 2 * size / _best(waiting_for(device, lambda: target.copy_(source)), max_seconds) / 1e9


def _best(work: Work, max_seconds: float) -> float:
    return min(in_turn({"": work}, Effort(_MAX_ROUNDS, max_seconds))[""])
