"""The numeric precision of the steps: where a device has several, the one that is fastest there."""

import time
from collections.abc import Callable, Sequence

import torch

from engine.checkpoints.state import AutoPrecision
from engine.data.batches import Batch, BatchSource
from engine.machine.device import free_memory, is_out_of_memory, model_of, precision_name
from engine.run.publisher import Publisher
from engine.run.snapshot import Progress
from engine.training.learner import Learner

MakeLearner = Callable[[torch.dtype], Learner]
"""Builds the network and its optimizer for a precision."""


def timed_step(
    learner: Learner, batch: Batch, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Seconds of one optimiser step, until the device has made it."""
    start = clock()
    learner.step(batch, 1)
    if learner.device.type == "cuda":
        torch.cuda.synchronize(learner.device)
    return clock() - start


def warm_up(learner: Learner, batch: Batch) -> None:
    """Make the steps that take longer than those after them."""
    # On a GPU the second records a graph.
    for _ in range(3 if learner.device.type == "cuda" else 1):
        timed_step(learner, batch)


def fastest_precision(
    possible: Sequence[torch.dtype], device: torch.device, make_learner: MakeLearner, batch: Batch
) -> tuple[torch.dtype, str]:
    """Time two steps in each precision, once it is warm, and take the faster of them.

    Returns:
        The fastest, and how it compares with the slowest, in words; the first of all, and nothing,
        where there is no other, or not the memory to find out.
    """
    if len(possible) == 1:
        return possible[0], ""
    try:
        seconds = {one: _step_seconds(device, make_learner, one, batch) for one in possible}
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return possible[0], ""
    best, worst = min(possible, key=seconds.__getitem__), max(possible, key=seconds.__getitem__)
    ratio = seconds[worst] / seconds[best]
    return (
        best,
        f"{precision_name(best)} is {ratio:.1f} times as fast as {precision_name(worst)} here",
    )


def _step_seconds(
    device: torch.device, make_learner: MakeLearner, precision: torch.dtype, batch: Batch
) -> float:
    learner = make_learner(precision)
    warm_up(learner, batch)
    # What cores spend is the same beside other programs; the clock on the wall is not.
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    seconds = min(timed_step(learner, batch, clock) for _ in range(2))
    del learner
    free_memory(device)
    return seconds


def settle_precision(
    possible: Sequence[torch.dtype],
    device: torch.device,
    remembered: AutoPrecision | None,
    make_learner: MakeLearner,
    batches: BatchSource,
    publisher: Publisher,
) -> tuple[torch.dtype, AutoPrecision | None]:
    """Return in which precision a run makes its steps, and publish it.

    Of several it times a step, but once a device, and then takes what it has `remembered`: so a
    resumed run computes as before, however busy the machine is when it starts. What the next run
    is to remember is returned as well.
    """
    model = model_of(device)
    names = {precision_name(one): one for one in possible}
    known = remembered.precision if remembered and remembered.device == model else ""
    if len(names) == 1:
        precision = possible[0]
    elif known in names:
        precision = names[known]
    else:
        publisher.update(progress=Progress("timing a step in each precision", 0, 1))
        precision, comparison = fastest_precision(possible, device, make_learner, batches.batch(1))
        publisher.event(comparison or f"too little memory to time {' and '.join(names)}")
        remembered = AutoPrecision(model, precision_name(precision))
    publisher.update(precision=precision_name(precision))
    return precision, remembered
