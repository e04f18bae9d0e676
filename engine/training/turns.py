"""Two networks on one device make their steps in turns, half of the time each.

Each step has as many threads as if its network were trained alone, so that its bits do not depend
on whether the other one is. Where a CPU has the cores for two such steps, they are made at once:
measured on two cores, with a thread each, neither took longer than alone.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

# A network that made no steps for a while gets at most so many seconds more than the other.
_MAX_BEHIND = 5.0
# Seconds between two signs of life of one that waits.
_BEAT_SECONDS = 1.0


class Turns:
    """Says whose turn it is: that of the network which has had less of the time."""

    def __init__(self, places: int = 1) -> None:
        """Begin with a free device, which makes up to `places` steps at once."""
        self._places = places
        self._changed = threading.Condition()
        self._seconds: dict[str, float] = {}
        self._waiting: set[str] = set()
        self._taken = 0

    @contextmanager
    def take(self, network: str, beat: Callable[[], None]) -> Iterator[None]:
        """Wait for the device and hold it for the block; `beat` is called while waiting."""
        with self._changed:
            most = max(self._seconds.values(), default=0.0)
            self._seconds[network] = max(self._seconds.get(network, 0.0), most - _MAX_BEHIND)
            self._waiting.add(network)
            while not self._changed.wait_for(lambda: self._is_next(network), _BEAT_SECONDS):
                beat()
            self._waiting.remove(network)
            self._taken += 1
        start = time.monotonic()
        try:
            yield
        finally:
            with self._changed:
                self._seconds[network] += time.monotonic() - start
                self._taken -= 1
                self._changed.notify_all()

    def _is_next(self, network: str) -> bool:
        first = min(self._waiting, key=self._seconds.__getitem__)
        return self._taken < self._places and network == first


def places_for(device: torch.device) -> int:
    """How many steps a device makes at once: a GPU one, a CPU as many as it has the cores for."""
    if device.type != "cpu":
        return 1
    return max(1, len(os.sched_getaffinity(0)) // torch.get_num_threads())
