"""Gradient accumulation over micro-batches, where the memory is too small for a batch."""

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from engine.data.batches import Batch
from engine.networks.dropout import Rows
from engine.training.losses import LossParts
from engine.training.recipe import Recipe


class Weights(NamedTuple):
    """How much a micro-batch counts in the means over the batch."""

    spectral: Tensor | float
    attention: Tensor | float


def split(batch: Batch, parts: int) -> list[tuple[Rows, Batch]]:
    """Split a batch into micro-batches of about as many clips, each padded as the whole is.

    With each comes which rows of the batch it has.
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


def weights_of(part: Batch, whole: Batch, recipe: Recipe) -> Weights:
    """Return the weights with which the losses of micro-batches add up to those of the batch.

    Means run over real frames, and for the attention over real pairs of a character and a frame;
    where a recipe counts padding too, all clips count the same, as all are padded alike.
    """
    if not recipe.masked:
        rows = len(part.text) / len(whole.text)
        return Weights(rows, rows)
    spectral = part.frame_lengths.sum() / whole.frame_lengths.sum()
    return Weights(spectral, _pairs(part) / _pairs(whole))


def _pairs(batch: Batch) -> Tensor:
    return (batch.text_lengths * batch.frame_lengths).sum()


def weighted(losses: LossParts, by: Weights) -> LossParts:
    """Return what the losses of a micro-batch add to those of the batch."""
    l1, divergence = losses.l1 * by.spectral, losses.divergence * by.spectral
    if losses.attention is None:
        return LossParts(l1 + divergence, l1, divergence, None)
    attention = losses.attention * by.attention
    return LossParts(l1 + divergence + attention, l1, divergence, attention)


def added(one: LossParts, other: LossParts) -> LossParts:
    """Return the sum of two losses."""
    attention = None
    if one.attention is not None and other.attention is not None:
        attention = one.attention + other.attention
    return LossParts(
        one.total + other.total, one.l1 + other.l1, one.divergence + other.divergence, attention
    )


def micro_batches_notice(count: int, device: torch.device) -> str:
    """Say that gradients are accumulated, and what that means."""
    return (
        f"the memory of {device} is too small for a whole batch: gradients are accumulated over "
        f"{count} micro-batches from here on; same losses and dropout, but slower"
    )


def out_of_memory_message(device: torch.device, where: str, error: BaseException) -> str:
    """Say that not even a single clip fits, and what to do."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return (
        f"Out of memory on {device} {where} ({reason}); stop other programs that use it, or make "
        f"a voice with --preset small."
    )
