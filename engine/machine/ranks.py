"""Processes that train one network together, each on its share of every batch.

Rank 0 leads: it alone opens the voice folder, and tells the others before each step what to do.
These orders go over a gloo group on the CPUs, so that no GPU is waited for; gradients are summed
once a step over a second group, NCCL's on GPUs.
"""

import logging
import secrets
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from importlib.metadata import version
from typing import ClassVar, Literal, NamedTuple, Self, get_args

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from engine.errors import InputError, RankLostError
from engine.formatting import plural
from engine.machine.device import choose_device
from engine.machine.torchrun import Place

_log = logging.getLogger(__name__)

OrderKind = Literal["prepare", "take state", "step", "end"]
"""What every rank does next."""

_KINDS: tuple[OrderKind, ...] = get_args(OrderKind)

# The others wait while rank 0 is paused, evaluates, or waits for a disk.
_ORDER_WITHIN = timedelta(days=365)
# Time for all processes on all machines to start.
_MEET_WITHIN = timedelta(minutes=10)
# Seconds between two checks whether rank 0 has started.
_BETWEEN_LOOKS = 0.05
# Bytes of what the ranks tell each other before the first step.
_MAX_TEXT = 1000
_GRADIENTS_WITHIN = timedelta(minutes=10)


class Order(NamedTuple):
    """What rank 0 tells the others; the numbers belong to `step`."""

    kind: OrderKind
    step: int = 0
    updates: int = 0
    """Updates that Adam has made."""
    salt: int = 0
    """Part of the seed of batches and dropout."""
    rate_factor: float = 1.0
    """The learning rate is multiplied by this."""


class Ranks:
    """The processes that train together, this one included.

    A context manager: when rank 0 leaves it, the others are told to end.
    """

    of_this_process: ClassVar["Ranks | None"] = None
    """The group that this process belongs to; None where it trains alone."""

    def __init__(self, place: Place, device: str) -> None:
        """Meet the others, which torchrun started together with this process.

        Args:
            place: where torchrun put this process.
            device: `auto` for the GPU of that number, or the CPU where there is none; or `cpu`.

        Raises:
            InputError: one of them has no device, or they are not alike.
            RankLostError: another process has ended.
        """
        self.place = place
        self.lost = False
        """Whether another process has ended."""
        self._gradients: dist.ProcessGroup | None = None
        with self._reports_loss():
            store = _unused_store(place)
            dist.init_process_group(
                "gloo", store=store, rank=place.rank, world_size=place.ranks, timeout=_ORDER_WITHIN
            )
        try:
            self.device = self._agree_on_devices(device)
        except BaseException:
            dist.destroy_process_group()
            raise
        Ranks.of_this_process = self

    def _agree_on_devices(self, asked: str) -> torch.device:
        """Return this rank's device, once every rank has one of the same kind."""
        device, problem = torch.device("cpu"), ""
        try:
            device = _own_device(self.place, asked)
        except InputError as error:
            problem = str(error)
        if problem := next(filter(None, self.exchange(problem)), ""):
            raise InputError(problem)
        where = {"cpu": "the CPU", "cuda": "GPUs"}[device.type]
        ours = f"voicecoach {version('voicecoach')} and torch {torch.__version__} on {where}"
        hosts, found = self.exchange(socket.gethostname()), self.exchange(ours)
        for host, theirs in zip(hosts, found, strict=True):
            if theirs != found[0]:
                raise InputError(
                    f"All machines need the same versions, and GPUs or none, but {hosts[0]} has "
                    f"{found[0]}, and {host} {theirs}."
                )
        return device

    @property
    def leads(self) -> bool:
        """Whether this is rank 0."""
        return self.place.rank == 0

    def exchange(self, mine: str) -> list[str]:
        """Send a text to all ranks; return the texts of all, by rank. Long ones are cut off."""
        text = mine.encode()[:_MAX_TEXT].ljust(_MAX_TEXT, b"\0")
        said = [torch.empty(_MAX_TEXT, dtype=torch.uint8) for _ in range(self.place.ranks)]
        with self._reports_loss():
            dist.all_gather(said, torch.frombuffer(bytearray(text), dtype=torch.uint8))
        return [one.numpy().tobytes().rstrip(b"\0").decode(errors="replace") for one in said]

    def order(self, order: Order) -> None:
        """As rank 0, tell the others what all do next."""
        kind, *numbers = order
        with self._reports_loss():
            dist.broadcast(torch.tensor([_KINDS.index(kind), *numbers], dtype=torch.float64), 0)

    def next_order(self) -> Order:
        """Wait until rank 0 says what to do; raises `RankLostError` where it is gone."""
        heard = torch.zeros(len(Order._fields), dtype=torch.float64)
        with self._reports_loss():
            dist.broadcast(heard, 0)
        kind, step, updates, salt, rate_factor = heard.tolist()
        return Order(_KINDS[int(kind)], int(step), int(updates), int(salt), rate_factor)

    def share(self, numbers: Sequence[int]) -> list[int]:
        """Return rank 0's numbers; every rank passes equally many."""
        given = torch.tensor(numbers)
        with self._reports_loss():
            dist.broadcast(given, 0)
        return [*map(int, given.tolist())]

    def share_bytes(self, of_rank_0: bytes = b"") -> bytes:
        """Return rank 0's bytes.

        Not by `broadcast_object_list`: it unpickles, and anyone who reaches the port could send it
        code to run.
        """
        [size] = self.share([len(of_rank_0)])
        given = torch.empty(size, dtype=torch.uint8)
        if self.leads:
            given = torch.frombuffer(bytearray(of_rank_0), dtype=torch.uint8)
        with self._reports_loss():
            dist.broadcast(given, 0)
        return given.numpy().tobytes()

    def send(self, tensor: Tensor, rank: int) -> None:
        """Send a tensor of the CPU to another rank, which calls `receive`."""
        with self._reports_loss():
            dist.send(tensor, rank)

    def receive(self, tensor: Tensor) -> None:
        """Take what rank 0 sends into a tensor of the same size."""
        with self._reports_loss():
            dist.recv(tensor, 0)

    def use_devices(self) -> None:
        """Let the devices of all ranks reach each other; all call it at the same time."""
        backend = "gloo"
        if self.device.type == "cuda":
            backend = "nccl"
            torch.cuda.set_device(self.device)
        with self._reports_loss():
            self._gradients = dist.new_group(backend=backend, timeout=_GRADIENTS_WITHIN)

    def share_tensors(self, tensors: Sequence[Tensor]) -> None:
        """Overwrite the tensors of all ranks with rank 0's."""
        with self._reports_loss():
            for tensor in tensors:
                dist.broadcast(tensor, 0, group=self._gradients)

    def sum(self, tensor: Tensor) -> None:
        """Replace a tensor by the sum of those of all ranks; on a GPU, the host does not wait."""
        with self._reports_loss():
            dist.all_reduce(tensor, group=self._gradients)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        Ranks.of_this_process = None
        with suppress(RankLostError):
            if self.leads:
                self.order(Order("end"))
        dist.destroy_process_group()

    @contextmanager
    def _reports_loss(self) -> Iterator[None]:
        """Raise `RankLostError` where the others cannot be reached."""
        try:
            yield
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            self.lost = True
            _log.info("another rank was lost: %s", error)
            raise RankLostError(
                "another process of this training was lost; unless it was killed, it has said why"
            ) from error


def _unused_store(place: Place) -> Store:
    """Meet in torchrun's store; return a part of it that nobody has written to.

    torchrun keeps one store across restarts, with what lost processes wrote to it. So rank 0 draws
    a random name for this session, and a follower trusts it once its own random name is answered.
    """
    store, _, _ = next(rendezvous("env://", timeout=_MEET_WITHIN))
    ends = time.monotonic() + _MEET_WITHIN.total_seconds()
    mine = secrets.token_hex(8)
    if place.rank == 0:
        store.set("session", mine)
        for rank in range(1, place.ranks):
            store.set(f"{mine}/{store.get(f'{mine}/{rank}').decode()}", "welcome")
        return PrefixStore(mine, store)
    session = ""
    while not (session and store.check([f"{session}/{mine}"])):
        # Until rank 0 begins, this is the session of an earlier start.
        session = store.get("session").decode()
        store.set(f"{session}/{place.rank}", mine)
        time.sleep(_BETWEEN_LOOKS)
        if time.monotonic() > ends:
            raise RuntimeError("rank 0 has not begun")
    return PrefixStore(session, store)


def _own_device(place: Place, asked: str) -> torch.device:
    """Return the device of a rank: each has a GPU of its own, or all compute on the CPU."""
    if asked not in ("auto", "cpu"):
        raise InputError(
            f"--device is {asked}, but each process that torchrun starts takes the GPU of its own "
            f"number; leave it out, or give --device cpu."
        )
    device = choose_device(asked)
    if device.type == "cpu":
        return device
    gpus = torch.cuda.device_count()
    if place.local_rank >= gpus:
        raise InputError(
            f"{socket.gethostname()} has {plural(gpus, 'GPU')}, too few for the processes that "
            f"torchrun started there; give --nproc-per-node {gpus}."
        )
    return choose_device(f"cuda:{place.local_rank}")
