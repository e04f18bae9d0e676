"""Dropout that is the same whether a batch is made at once or in parts."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Rows(NamedTuple):
    """Which rows of a batch a part of it has."""

    first: int
    end: int
    """The first one that it has not."""
    whole: int
    """How many there are in all."""


# Per thread: an audition is not part of the training batch.
_ROWS: ContextVar[Rows | None] = ContextVar("rows of the batch", default=None)


@contextmanager
def part_of_batch(rows: Rows) -> Iterator[None]:
    """Draw random numbers for the whole batch within, and use those of these rows.

    Each part, started from the same state of the generator, then sees just what its rows would
    have seen in the whole batch.
    """
    token = _ROWS.set(rows)
    try:
        yield
    finally:
        _ROWS.reset(token)


def dropout(x: Tensor, share: float, training: bool) -> Tensor:
    """Zero a share of `x` `(B, ...)` at random and scale up the rest; nothing outside training."""
    rows = _ROWS.get()
    if rows is None or not training or share <= 0:
        return F.dropout(x, share, training)
    whole = x.new_empty((rows.whole, *x.shape[1:]))
    if x.is_cuda:
        # The kernel of `F.dropout`: it maps random numbers to places by size and kind of numbers.
        _, kept = torch.native_dropout(whole, share, True)
        return x * _own(kept, rows) * (1 / (1 - share))
    # What `F.dropout` does elsewhere, down to the rounding of the scale.
    return x * _own(whole.bernoulli_(1 - share), rows).div_(1 - share)


def uniform(shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Draw numbers from the unit interval for each row of a batch, `shape` being `(B, ...)`."""
    rows = _ROWS.get()
    if rows is None:
        return torch.rand(shape, device=device)
    return _own(torch.rand((rows.whole, *shape[1:]), device=device), rows)


def _own(whole: Tensor, rows: Rows) -> Tensor:
    """A copy of the rows of the part, which lets the whole go."""
    return whole[rows.first : rows.end].clone()
