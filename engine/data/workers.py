"""Threads that work through the recordings of a corpus in order."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from engine.errors import Cancelled

# Recordings worked on ahead of the one whose result is wanted, per worker: bounds the memory.
_AHEAD = 4

_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True)
class Workers:
    """Threads whose results come in order; numpy, soxr and libsndfile let them overlap."""

    pool: ThreadPoolExecutor
    cancelled: Callable[[], bool]
    """Asked from the calling thread between two results."""
    undone: str
    """What is told when it says so."""

    def stop_if_cancelled(self) -> None:
        """Raise `Cancelled` when that was asked for."""
        if self.cancelled():
            raise Cancelled(self.undone)

    def map(self, function: Callable[[_T], _R], items: Sequence[_T]) -> Iterator[_R]:
        """Results in the order of the items, with only a few computed ahead of their use.

        Raises `Cancelled` between two results when that was asked for.
        """
        waiting: deque[Future[_R]] = deque()
        remaining = iter(items)
        ahead = _AHEAD * (os.cpu_count() or 1)
        try:
            for _ in range(len(items)):
                for item in remaining:
                    waiting.append(self.pool.submit(function, item))
                    if len(waiting) >= ahead:
                        break
                self.stop_if_cancelled()
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
