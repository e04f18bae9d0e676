"""Processes that train one network together, each on its share of every batch.

Rank 0 leads: it alone knows the voice, and says before each step what all do. What it says goes
between the CPUs, so that no device is waited for; the gradients, once a step, between the devices.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, Literal, NamedTuple, Self, TypeVar, get_args

import torch
import torch.distributed as dist
from torch import Tensor

from engine.errors import EngineError
from engine.machine.torchrun import Place

OrderKind = Literal["prepare", "take state", "step", "end"]
"""What all do next."""

_KINDS: tuple[OrderKind, ...] = get_args(OrderKind)
_T = TypeVar("_T")

# The others wait while rank 0 is paused, evaluates, or waits for a disk.
_ORDER_WITHIN = timedelta(days=365)
_GRADIENTS_WITHIN = timedelta(minutes=10)


class RankLostError(EngineError):
    """Another process of this training has ended, or cannot be reached."""


class Order(NamedTuple):
    """What rank 0 tells all; the numbers are those of a step."""

    kind: OrderKind
    step: int = 0
    updates: int = 0
    """Updates that Adam has made."""
    salt: int = 0
    """Part of the seed of batches and dropout."""
    rate_factor: float = 1.0
    """The learning rate is multiplied by this."""


class Ranks:
    """This process and the others; a context manager, at whose end rank 0 lets the others end."""

    def __init__(self, place: Place) -> None:
        """Meet the others, which torchrun started together with this process."""
        self.place = place
        self.reductions = 0
        """How often the gradients of all were summed."""
        self._gradients: dist.ProcessGroup | None = None
        with _reports_loss():
            dist.init_process_group("gloo", timeout=_ORDER_WITHIN)

    @property
    def leads(self) -> bool:
        """Whether this is rank 0."""
        return self.place.rank == 0

    def exchange(self, mine: str) -> list[str]:
        """Return what each rank says, in their order."""
        said: list[Any] = [""] * self.place.ranks
        with _reports_loss():
            dist.all_gather_object(said, mine)
        return said

    def order(self, order: Order) -> None:
        """As rank 0, tell the others what all do next."""
        kind, *numbers = order
        with _reports_loss():
            dist.broadcast(torch.tensor([_KINDS.index(kind), *numbers], dtype=torch.float64), 0)

    def next_order(self) -> Order:
        """Wait until rank 0 says what to do; raises `RankLostError` where it is gone."""
        heard = torch.zeros(len(Order._fields), dtype=torch.float64)
        with _reports_loss():
            dist.broadcast(heard, 0)
        kind, step, updates, salt, rate_factor = heard.tolist()
        return Order(_KINDS[int(kind)], int(step), int(updates), int(salt), rate_factor)

    def share(self, mine: _T | None = None) -> _T:
        """Return what rank 0 has."""
        given: list[Any] = [mine if self.leads else None]
        with _reports_loss():
            dist.broadcast_object_list(given, 0)
        shared: _T = given[0]
        return shared

    def use(self, device: torch.device) -> None:
        """Let the devices of all ranks reach each other; all call it at the same time."""
        backend = "nccl" if device.type == "cuda" else "gloo"
        with _reports_loss():
            self._gradients = dist.new_group(backend=backend, timeout=_GRADIENTS_WITHIN)

    def share_tensors(self, tensors: Sequence[Tensor]) -> None:
        """Give the tensors of all ranks the numbers of rank 0's."""
        with _reports_loss():
            for tensor in tensors:
                dist.broadcast(tensor, 0, group=self._gradients)

    def sum(self, tensor: Tensor) -> None:
        """Replace a tensor by the sum of those of all ranks; on a GPU, the host does not wait."""
        self.reductions += 1
        with _reports_loss():
            dist.all_reduce(tensor, group=self._gradients)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(RankLostError):
            if self.leads:
                self.order(Order("end"))
        dist.destroy_process_group()


@contextmanager
def _reports_loss() -> Iterator[None]:
    """Raise `RankLostError` where the others cannot be reached."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        why = str(error).partition("\n")[0]
        raise RankLostError(f"another process of this training was lost: {why}") from error
