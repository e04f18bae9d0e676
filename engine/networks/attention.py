"""Attention between text and frames, and the guide that teaches it to be diagonal."""

import torch
from torch import Tensor


def attend(
    query: Tensor, key: Tensor, value: Tensor, text_mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Look up the text for every frame (paper section 3.1).

    Args:
        query: from the audio encoder, `(B, T, d)`.
        key: from the text encoder, `(B, N, d)`.
        value: from the text encoder, `(B, N, d)`.
        text_mask: True where there is text, `(B, N)`; nothing is masked without it.

    Returns:
        R, context first, `(B, T, 2d)`, and the attention A `(B, N, T)`, each frame's weights
        summing to 1 over the text.
    """
    scores = query @ key.transpose(1, 2) / query.shape[-1] ** 0.5  # (B, T, N)
    if text_mask is not None:
        scores = scores.masked_fill(~text_mask[:, None, :], float("-inf"))
    weights = torch.softmax(scores.float(), dim=-1)
    context = weights.to(value.dtype) @ value  # (B, T, d)
    return torch.cat((context, query), dim=-1), weights.transpose(1, 2)


def guide(
    text_lengths: Tensor, frame_lengths: Tensor, n: int, t: int, width: float = 0.2
) -> Tensor:
    """Return the penalty W for attention away from the diagonal (paper section 4.2).

    W = 1 − exp(−(n/N − t/T)² / (2·width²)), with N and T of each utterance.

    Args:
        text_lengths: N of each utterance, `(B,)`.
        frame_lengths: T of each utterance in coarse frames, `(B,)`.
        n: text positions of the matrix.
        t: frames of the matrix.
        width: standard deviation of the diagonal band, the paper's g.

    Returns:
        `(B, n, t)`, zero on the diagonal and towards 1 away from it.
    """
    device = text_lengths.device
    rows = torch.arange(n, device=device)[None, :, None] / text_lengths[:, None, None]
    columns = torch.arange(t, device=device)[None, None, :] / frame_lengths[:, None, None]
    return 1.0 - torch.exp(-((rows - columns) ** 2) / (2.0 * width * width))
