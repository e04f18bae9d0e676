"""Where torchrun has put this process among those that train one network together."""

import os
from typing import NamedTuple

from engine.errors import InputError


class Place(NamedTuple):
    """One of the processes that torchrun started; torchrun calls them ranks."""

    rank: int
    """Its number among all, on all machines; 0 leads."""
    ranks: int
    """How many there are in all."""
    local_rank: int
    """Its number among those of its machine, and the number of its GPU."""
    machine: int
    """The number of its machine; rank 0 is on machine 0."""
    restarts: int
    """How often torchrun has restarted them all, because one was lost."""


_VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "GROUP_RANK", "TORCHELASTIC_RESTART_COUNT")


def place() -> Place | None:
    """Return the place that torchrun gave this process; None if torchrun did not start it.

    Raises `InputError` where its variables are no numbers.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return None
    given = {name: os.environ.get(name, "") for name in _VARIABLES}
    for name, value in given.items():
        if not value.isdecimal():
            raise InputError(f"{name} is {value!r} in the environment; start this with torchrun")
    return Place(*map(int, given.values()))
