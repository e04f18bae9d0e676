"""The held-out loss of a checkpoint, by the code that training computes it with."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from engine.data.batches import Batch
from engine.data.clips import Clip, Limits
from engine.evaluation.losses import LossParts, loss_of, split, weights_of
from engine.networks.ssrn import SSRN
from engine.networks.text2mel import Text2Mel
from engine.run.recipe import EVALUATION
from engine.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class HeldOutClip:
    """A clip that is never trained on, analysed as training does it."""

    clip: Clip
    recording: NDArray[np.float32]
    """Its samples, trimmed, at the level at which samples are heard."""
    mel: NDArray[np.float32]
    """Coarse mel `(T, n_mels)`."""
    magnitude: NDArray[np.float32]
    """`(4T, n_bins)`."""


@dataclass(frozen=True)
class HeldOutLoss:
    """The loss of all clips together, and of each by its text."""

    total: float
    by_text: dict[str, float]


@torch.inference_mode()
def held_out_loss(
    network: Text2Mel | SSRN,
    clips: Sequence[HeldOutClip],
    vocabulary: Vocabulary,
    limits: Limits,
) -> HeldOutLoss | None:
    """Predict held-out clips from their true frames, without dropout.

    The clips of a batch are padded to the longest, as in training; each is predicted alone.

    Returns:
        None without a clip, and where a loss is not finite.
    """
    if not clips:
        return None
    network.eval()
    batch, losses, whole = _batch(clips, vocabulary), {}, None
    for clip, (_, part) in zip(clips, split(batch, len(clips)), strict=True):
        inputs = (part.text, part.mel) if isinstance(network, Text2Mel) else (part.mel,)
        one = loss_of(network(*inputs), part, EVALUATION, limits)
        whole = one.weighted(*weights_of(part, batch, EVALUATION)).plus(whole)
        losses[clip.clip.text] = float(one.total)
    total = float(_total(whole))
    return HeldOutLoss(total, losses) if np.isfinite([total, *losses.values()]).all() else None


def _total(losses: LossParts | None) -> Tensor:
    assert losses is not None
    return losses.total


def _batch(clips: Sequence[HeldOutClip], vocabulary: Vocabulary) -> Batch:
    texts = [torch.tensor(vocabulary.indices(one.clip.text)) for one in clips]
    mels = [torch.from_numpy(one.mel) for one in clips]
    magnitudes = [torch.from_numpy(one.magnitude) for one in clips]
    return Batch(
        pad_sequence(texts, batch_first=True),
        torch.tensor(list(map(len, texts))),
        pad_sequence(mels, batch_first=True),
        torch.tensor(list(map(len, mels))),
        pad_sequence(magnitudes, batch_first=True),
    )
