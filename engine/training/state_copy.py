"""One copy of what a network has learned, filled again for every checkpoint.

Steps wait for no more than this copy; a thread beside them writes it to the disk. There is one,
used over and over, so that saving takes a known amount of memory, however slow the disk is, and
so that its pages are there when they are needed.
"""

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from engine.training.learner import Learner

_log = logging.getLogger(__name__)

# The two moments that Adam keeps of every weight.
_MOMENTS = ("exp_avg", "exp_avg_sq")


class StateCopy:
    """Memory on the CPU for the weights, their average and Adam's moments.

    For a GPU it is pinned: the copy then runs at the speed of the bus, in the GPU's own order of
    work, so that the thread that makes the steps does not wait for it at all. Where the host
    refuses to pin so much, as some containers do, the steps wait for the copy.
    """

    def __init__(self, learner: Learner) -> None:
        """Take the memory, so that the first checkpoint waits for it no more than the others."""
        self._learner = learner
        self._on_gpu = learner.device.type == "cuda"
        self.pinned = self._on_gpu
        """Whether a GPU fills it beside the steps."""
        self._memory: dict[tuple[str, str], Tensor] = {}
        for group, tensors in learner.live_state().items():
            for name, tensor in tensors.items():
                self._room_for(group, name, tensor)
        for name, weight in learner.live_state()["weights"].items():
            for moment in _MOMENTS:
                self._room_for("optimizer", f"{moment}/{name}", weight)

    @property
    def bytes(self) -> int:
        """The size of the copy, and nearly that of a checkpoint on disk."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self._memory.values())

    @torch.no_grad()
    def take(self) -> tuple[dict[str, dict[str, Tensor]], Callable[[], None]]:
        """Copy what the learner has at this moment.

        Returns:
            The copies by group and name, as `Learner.live_state` has them, good until the next
            call; and what to call before they are read: it waits until a GPU has made them.
        """
        copies = {
            group: {name: self._copy(group, name, tensor) for name, tensor in tensors.items()}
            for group, tensors in self._learner.live_state().items()
        }
        if not self._on_gpu:
            return copies, _nothing
        copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
        copied.record(torch.cuda.current_stream(self._learner.device))
        return copies, copied.synchronize

    def _copy(self, group: str, name: str, tensor: Tensor) -> Tensor:
        return self._room_for(group, name, tensor).copy_(tensor, non_blocking=True)

    def _room_for(self, group: str, name: str, tensor: Tensor) -> Tensor:
        memory = self._memory.get((group, name))
        if memory is None or memory.shape != tensor.shape or memory.dtype != tensor.dtype:
            # Filled, because memory that was never written to is not there yet.
            memory = self._take_memory(tensor)
            self._memory[group, name] = memory.fill_(0)
        return memory

    def _take_memory(self, like: Tensor) -> Tensor:
        if self.pinned:
            try:
                return torch.empty(like.shape, dtype=like.dtype, pin_memory=True)
            except RuntimeError as error:
                _log.warning("no pinned memory for checkpoints, so steps wait for them: %s", error)
                self.pinned = False
        return torch.empty(like.shape, dtype=like.dtype)


def _nothing() -> None:
    """Nothing is left to wait for: on a CPU the copies are made when `take` returns."""
