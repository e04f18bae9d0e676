"""Several ways of doing the same, timed in turn: a machine's speed changes by the minute."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import torch

from engine.machine.device import compute_on_one_thread

Work = Callable[[], object]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure."""

    rounds: int
    max_seconds: float
    """After which no second or further round begins."""


def in_turn(
    ways: Mapping[str, Work], effort: Effort, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Return the seconds of each way, round by round, after a warm-up of each: A B A B.

    There is one round at least: the first sentence, for one, takes twice as long as the next.
    `clock` tells the seconds; `time.process_time` adds up what all cores spent.
    """
    for work in ways.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in ways}
    end = time.perf_counter() + effort.max_seconds
    for done in range(effort.rounds):
        if done and time.perf_counter() > end:
            break
        for name, work in ways.items():
            start = clock()
            work()
            times[name].append(clock() - start)
    return times


def as_auditions_do(job: Callable[[], _T], steps: Work | None = None) -> _T:
    """Do a job in a thread that computes as the auditions' does; return what it returns.

    This thread waits, or repeats `steps` meanwhile.
    """
    with ThreadPoolExecutor(1, initializer=compute_on_one_thread) as pool:
        future = pool.submit(job)
        while steps is not None and not future.done():
            steps()
        return future.result()


def waiting_for(device: torch.device, work: Work) -> Work:
    """Return the work, ended only when a GPU has done it."""
    if device.type == "cpu":
        return work

    def done() -> None:
        work()
        torch.cuda.synchronize(device)

    return done
