"""The losses of both networks (paper, arXiv 1710.08969, sections 3 and 4.2)."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.data.batches import Batch
from engine.networks.attention import guide
from engine.networks.ssrn import SSRNOutput
from engine.networks.text2mel import Text2MelOutput
from engine.training.recipe import Recipe


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
        attention = None if self.attention is None else self.attention.detach()
        return LossParts(self.total.detach(), self.l1.detach(), self.divergence.detach(), attention)


def text2mel_loss(
    output: Text2MelOutput, batch: Batch, recipe: Recipe, max_characters: int, max_frames: int
) -> LossParts:
    """Return the loss of Text2Mel on a batch.

    Args:
        output: of the network.
        batch: the targets, with `text` `(B, N)` and `mel` `(B, T, n_mels)`.
        recipe: whether padding counts, and whose lengths the guide takes.
        max_characters: N of the global guide.
        max_frames: T of the global guide.
    """
    mel = batch.mel
    present = _present(batch.frame_lengths, mel.shape[1]) if recipe.masked else None
    l1, divergence = _spectral(output.logits, output.mel, mel, present)
    attention = _attention_loss(output.attention, batch, recipe, max_characters, max_frames)
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
    attention: Tensor, batch: Batch, recipe: Recipe, max_characters: int, max_frames: int
) -> Tensor:
    """Mean attention away from the diagonal."""
    _, n, t = attention.shape
    if not recipe.own_lengths:
        whole = torch.full_like(batch.text_lengths, max_characters)
        penalty = guide(whole, torch.full_like(whole, max_frames), n, t)
    else:
        penalty = guide(batch.text_lengths, batch.frame_lengths, n, t)
    if not recipe.masked:
        return (attention * penalty).mean()
    text = _present(batch.text_lengths, n)  # (B, N, 1)
    frames = _present(batch.frame_lengths, t).transpose(1, 2)  # (B, 1, T)
    real = text * frames
    return (attention * penalty * real).sum() / real.sum()
