"""The losses of both networks (paper, arXiv 1710.08969, sections 3 and 4.2).

Those of micro-batches, where the memory is too small for a batch, add up to those of the batch.
"""

from itertools import pairwise
from operator import itemgetter
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.data.batches import Batch
from engine.data.clips import Limits
from engine.networks.dropout import Rows
from engine.networks.ssrn import SSRNOutput
from engine.networks.text2mel import Text2MelOutput, guide
from engine.run.recipe import Recipe


class LossParts(NamedTuple):
    """A loss and the parts that it is the sum of; scalars on the device."""

    total: Tensor
    l1: Tensor
    """Mean absolute difference."""
    divergence: Tensor
    """Mean binary cross entropy of the logits; the paper's divergence up to a constant."""
    attention: Tensor | None
    """Guided attention; None for SSRN."""

    def detached(self) -> "LossParts":
        """Return the numbers without the graph that computed them."""
        return LossParts._make(None if one is None else one.detach() for one in self)

    def copied(self) -> "LossParts":
        """Return the numbers in memory of their own."""
        pairs = zip(self, self.stacked(), strict=True)
        return LossParts._make(None if one is None else number for one, number in pairs)

    def weighted(self, spectral: Tensor | float, attention: Tensor | float) -> "LossParts":
        """Return what the losses of a micro-batch add to those of the batch."""
        l1, divergence = self.l1 * spectral, self.divergence * spectral
        if self.attention is None:
            return LossParts(l1 + divergence, l1, divergence, None)
        guided = self.attention * attention
        return LossParts(l1 + divergence + guided, l1, divergence, guided)

    def stacked(self) -> Tensor:
        """Return the numbers in one vector; 0 for an attention that there is not."""
        return torch.stack([self.total.new_zeros(()) if one is None else one for one in self])

    def plus(self, other: "LossParts | None") -> "LossParts":
        """Return the sum with other losses of the same network, if there are any."""
        if other is None:
            return self
        pairs = zip(other, self, strict=True)
        return LossParts._make(None if a is None or b is None else a + b for a, b in pairs)


Output = Text2MelOutput | SSRNOutput
"""What a network returns."""


def loss_of(output: Output, batch: Batch, recipe: Recipe, limits: Limits) -> LossParts:
    """Return the loss of either network on a batch."""
    if isinstance(output, Text2MelOutput):
        return text2mel_loss(output, batch, recipe, limits)
    return ssrn_loss(output, batch, recipe)


def text2mel_loss(
    output: Text2MelOutput, batch: Batch, recipe: Recipe, limits: Limits
) -> LossParts:
    """Return the loss of Text2Mel on a batch with `text` `(B, N)` and `mel` `(B, T, n_mels)`.

    The recipe says whether padding counts, and whether the guide takes the lengths of each clip or
    the longest that `limits` allow.
    """
    mel = batch.mel
    present = _present(batch.frame_lengths, mel.shape[1]) if recipe.masked else None
    l1, divergence = _spectral(output.logits, output.mel, mel, present)
    attention = _attention_loss(output.attention, batch, present, recipe, limits)
    return LossParts(l1 + divergence + attention, l1, divergence, attention)


def ssrn_loss(output: SSRNOutput, batch: Batch, recipe: Recipe) -> LossParts:
    """Return the loss of SSRN on a batch with `magnitude` `(B, 4T, n_bins)`."""
    magnitude = batch.magnitude
    assert magnitude is not None
    per_coarse = magnitude.shape[1] // batch.mel.shape[1]
    lengths = batch.frame_lengths * per_coarse
    present = _present(lengths, magnitude.shape[1]) if recipe.masked else None
    l1, divergence = _spectral(output.logits, output.magnitude, magnitude, present)
    return LossParts(l1 + divergence, l1, divergence, None)


def _present(lengths: Tensor, frames: int) -> Tensor:
    """1 where a frame is real and 0 where it pads, `(B, T, 1)`."""
    places = torch.arange(frames, device=lengths.device)
    return (places[None, :] < lengths[:, None]).unsqueeze(-1).float()


def _spectral(
    logits: Tensor, prediction: Tensor, truth: Tensor, present: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Mean absolute difference and mean binary cross entropy, over `present` frames."""
    if present is None:
        l1 = (prediction - truth).abs().mean()
        return l1, F.binary_cross_entropy_with_logits(logits, truth)
    count = present.sum() * truth.shape[-1]
    l1 = ((prediction - truth).abs() * present).sum() / count
    entropy = F.binary_cross_entropy_with_logits(logits, truth, present, reduction="sum")
    return l1, entropy / count


def _attention_loss(
    attention: Tensor, batch: Batch, present: Tensor | None, recipe: Recipe, limits: Limits
) -> Tensor:
    """Mean attention away from the diagonal, over `present` frames and their texts."""
    _, n, t = attention.shape
    text_lengths, frame_lengths = batch.text_lengths, batch.frame_lengths
    if not recipe.own_lengths:
        text_lengths = torch.full_like(text_lengths, limits.max_characters)
        frame_lengths = torch.full_like(frame_lengths, limits.max_coarse_frames)
    penalty = guide(text_lengths, frame_lengths, n, t)
    if present is None:
        return (attention * penalty).mean()
    real = _present(batch.text_lengths, n) * present.transpose(1, 2)  # (B, N, T)
    return (attention * (penalty * real)).sum() / real.sum()


Weights = tuple[Tensor | float, Tensor | float]
"""How much a micro-batch counts in the spectral losses of its batch, and in attention."""


def split(batch: Batch, parts: int, rank: int = 0, ranks: int = 1) -> list[tuple[Rows, Batch]]:
    """Split a batch into at most so many micro-batches of about as many clips, padded as it is.

    With each comes which rows of the batch it has. Where several `ranks` share the batch, those
    are returned that are for one of them: none, where there are fewer clips than ranks.
    """
    rows = len(batch.text)
    places = range(rank * parts, (rank + 1) * parts + 1)
    bounds = [rows * place // (parts * ranks) for place in places]
    return [
        (Rows(first, end, rows), batch.each(itemgetter(slice(first, end))))
        for first, end in pairwise(bounds)
        if end > first
    ]


def weights_of(part: Batch, whole: Batch, recipe: Recipe) -> Weights:
    """Return how much a micro-batch counts in the spectral losses of its batch, and in attention.

    Means run over real frames, and for the attention over real pairs of a character and a frame;
    where a recipe counts padding too, all clips count the same, as all are padded alike.
    """
    if not recipe.masked:
        rows = len(part.text) / len(whole.text)
        return rows, rows
    spectral = part.frame_lengths.sum() / whole.frame_lengths.sum()
    return spectral, _pairs(part) / _pairs(whole)


def _pairs(batch: Batch) -> Tensor:
    return (batch.text_lengths * batch.frame_lengths).sum()
