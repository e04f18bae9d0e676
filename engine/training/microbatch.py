"""Where memory is too small for a batch: recognising it, and making the batch in parts."""

import gc
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from engine.data.batches import Batch
from engine.networks.dropout import Rows
from engine.training.losses import LossParts
from engine.training.recipe import Recipe

# What torch says, in place of a kind of error of its own, where memory is too small: the host's,
# also in the words of oneDNN; a GPU's for what cuBLAS and cuDNN keep for themselves, or that
# another process has filled.
_WITHOUT_A_KIND = (
    "can't allocate memory",
    "could not create a memory object",
    "could not create a primitive",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_NOT_INITIALIZED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the memory of a GPU or of the host is too small."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(one in str(error) for one in _WITHOUT_A_KIND)


def give_back(device: torch.device) -> None:
    """Give back what a step that failed has left behind."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


class Share(NamedTuple):
    """What a part of a batch counts for in the means over the whole."""

    spectral: Tensor | float
    attention: Tensor | float


def split(batch: Batch, parts: int) -> list[tuple[Rows, Batch]]:
    """Cut a batch into parts of about as many clips, each padded as the whole is.

    With each part comes which rows of the whole it has.
    """
    rows = len(batch.text)
    bounds = [rows * i // parts for i in range(parts + 1)]
    return [
        (Rows(first, end, rows), _cut(batch, slice(first, end)))
        for first, end in pairwise(bounds)
        if end > first
    ]


def _cut(batch: Batch, rows: slice) -> Batch:
    return Batch(
        batch.text[rows],
        batch.text_lengths[rows],
        batch.mel[rows],
        batch.frame_lengths[rows],
        None if batch.magnitude is None else batch.magnitude[rows],
    )


def share(part: Batch, whole: Batch, recipe: Recipe) -> Share:
    """Return what a part counts for, so that its weighed losses add up to those of the whole.

    Means run over real frames, and for the attention over real pairs of a character and a frame;
    where a recipe counts padding too, all clips count the same, as all are padded alike.
    """
    if not recipe.masked:
        rows = len(part.text) / len(whole.text)
        return Share(rows, rows)
    spectral = part.frame_lengths.sum() / whole.frame_lengths.sum()
    return Share(spectral, _pairs(part) / _pairs(whole))


def _pairs(batch: Batch) -> Tensor:
    return (batch.text_lengths * batch.frame_lengths).sum()


def weighed(parts: LossParts, by: Share) -> LossParts:
    """Return losses as the share of a whole."""
    l1, divergence = parts.l1 * by.spectral, parts.divergence * by.spectral
    if parts.attention is None:
        return LossParts(l1 + divergence, l1, divergence, None)
    attention = parts.attention * by.attention
    return LossParts(l1 + divergence + attention, l1, divergence, attention)


def added(one: LossParts, other: LossParts) -> LossParts:
    """Return the sum of the losses of two parts."""
    attention = None
    if one.attention is not None and other.attention is not None:
        attention = one.attention + other.attention
    return LossParts(
        one.total + other.total, one.l1 + other.l1, one.divergence + other.divergence, attention
    )


def sentence_about_parts(parts: int, device: torch.device) -> str:
    """Say that batches are made in parts, and what that means."""
    return (
        f"the memory of {device} is too small for a whole batch: each is made in {parts} parts "
        f"from here on, with the same mathematics and the same dropout, and takes longer"
    )


def sentence_about_too_little(device: torch.device, where: str, error: BaseException) -> str:
    """Say that not even a single clip fits, and what to do."""
    told = " ".join(str(error).split()) or type(error).__name__
    return (
        f"The memory of {device} is too small {where} ({told}); end what else uses it, or make a "
        f"voice with --preset small."
    )
