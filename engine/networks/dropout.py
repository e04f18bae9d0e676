"""Dropout that a step's seed decides, the same whether a batch is made at once or in parts.

On a CPU the gaps between dropped values are drawn, of which there are few: a number for each value
takes longer than a matrix product.
"""

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function

# The stream of random numbers of a step; 0 and 1 are those of its batch.
_DROPOUT = 2

Context = Any
"""What torch gives to a `Function` to remember: it takes any attribute."""


class Rows(NamedTuple):
    """Which rows of a batch a part of it has."""

    first: int
    end: int
    """The first one that it has not."""
    whole: int
    """How many there are in all."""


class _Noise(NamedTuple):
    generator: np.random.Generator
    """For a CPU; a GPU has its own."""
    rows: Rows | None


# Held by who draws on a GPU: another network may be trained, or prepared, there at the same time.
_DRAWING: dict[int, threading.Lock] = {}
# Per thread: an audition is not part of the training batch.
_NOISE: ContextVar[_Noise | None] = ContextVar("random numbers of the step", default=None)


def dropout_seed(seed: int, salt: int, step: int) -> int:
    """Return the seed of a step's dropout."""
    entropy = (seed, _DROPOUT, step, salt) if salt else (seed, _DROPOUT, step)
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0])


@contextmanager
def random_numbers(
    seed: int, rows: Rows | None = None, *, device: torch.device | None = None
) -> Iterator[None]:
    """Draw the random numbers within from a seed, on a CPU and on a `device`.

    With `rows` they are drawn for the whole batch, and those of these rows are used: each part then
    sees just what its rows would have seen in the whole.
    """
    token = _NOISE.set(_Noise(np.random.Generator(np.random.SFC64(seed)), rows))
    try:
        if device is None or device.type != "cuda":
            yield
            return
        number = device.index or 0
        with _DRAWING.setdefault(number, threading.Lock()):
            # Not `torch.manual_seed`, which seeds the other GPUs, too.
            torch.cuda.default_generators[number].manual_seed(seed)
            yield
    finally:
        _NOISE.reset(token)


def dropout(x: Tensor, share: float, training: bool) -> Tensor:
    """Zero a share of `x` `(B, ...)` at random and scale up the rest; nothing outside training."""
    if not training or share <= 0:
        return x
    dropped: Tensor = _Dropout.apply(x, share)  # type: ignore[no-untyped-call]
    return dropped


class _Dropout(Function):
    @staticmethod
    def forward(ctx: Context, x: Tensor, share: float) -> Tensor:
        ctx.share = share
        dropped, drawn = drop(x, share)
        ctx.save_for_backward(drawn)
        return dropped

    @staticmethod
    def backward(ctx: Context, gradient: Tensor) -> tuple[Tensor, None]:
        return drop_alike(gradient, ctx.saved_tensors[0], ctx.share), None


def drop(x: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Return `x` `(B, ...)` with a share dropped, and what `drop_alike` wants for its gradient."""
    noise = _NOISE.get()
    rows = noise.rows if noise else None
    if x.device.type != "cpu":
        if rows is None:
            return torch.native_dropout(x, share, True)
        # The kernel maps random numbers to places by size and kind of numbers.
        whole = torch.native_dropout(x.new_empty((rows.whole, *x.shape[1:])), share, True)[1]
        drawn = whole[rows.first : rows.end].clone()
    else:
        each = x[0].numel()
        drawn = _draw_places((rows.whole if rows else len(x)) * each, share)
        if rows is not None:
            bounds = torch.tensor([rows.first * each, rows.end * each])
            first, end = torch.searchsorted(drawn, bounds).tolist()
            drawn = drawn[first:end] - rows.first * each
    return drop_alike(x, drawn, share), drawn


def drop_alike(x: Tensor, drawn: Tensor, share: float) -> Tensor:
    """Return `x` with those values dropped that `drop` has drawn."""
    scale = 1 / (1 - share)
    if x.device.type != "cpu":
        return torch.ops.aten.native_dropout_backward(x, drawn, scale)  # type: ignore[no-any-return]
    scaled = torch.mul(x, scale).contiguous()
    scaled.view(-1).index_fill_(0, drawn, 0)
    return scaled


def _draw_places(values: int, share: float) -> Tensor:
    """Draw which of so many values are dropped, each with the same probability; ascending.

    The gaps between them are geometrically distributed: exponentially, rounded down.
    """
    generator = _generator()
    mean = values * share
    enough = int(mean + 8 * math.sqrt(mean) + 8)
    rate = np.float32(-1 / math.log1p(-share))
    last, found = -1, []
    while last < values:
        gaps = (generator.standard_exponential(enough, dtype=np.float32) * rate).astype(np.int64)
        places = np.cumsum(gaps + 1) + last
        found.append(places)
        last = int(places[-1])
    places = np.concatenate(found) if len(found) > 1 else found[0]
    return torch.from_numpy(places[: np.searchsorted(places, values)])


def _generator() -> np.random.Generator:
    noise = _NOISE.get()
    if noise is not None:
        return noise.generator
    # Outside of a step torch's own seed decides.
    return np.random.Generator(np.random.SFC64(int(torch.randint(2**62, ()))))


def uniform(shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Draw numbers from the unit interval for each row of a batch, `shape` being `(B, ...)`."""
    noise = _NOISE.get()
    rows = noise.rows if noise else None
    whole = shape if rows is None else (rows.whole, *shape[1:])
    if device.type == "cpu":
        numbers = torch.from_numpy(_generator().random(whole, dtype=np.float32))
    else:
        numbers = torch.rand(whole, device=device)
    # A copy lets the whole go.
    return numbers if rows is None else numbers[rows.first : rows.end].clone()
