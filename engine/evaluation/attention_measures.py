"""How well a text was read, in two numbers measured from an attention matrix."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from engine.networks.text2mel import guide


@dataclass(frozen=True)
class AttentionMeasures:
    """Measures of one attention matrix A `(N, T)`; most telling for free-running speech."""

    focus: float
    """How sharply every frame attends to one character: mean over t of max over n; 1 is best."""
    off_diagonal: float
    """How much attention strays from a steady pace: mean of A·W with the guide's W (paper
    section 4.2); 0 is best."""


def measure_attention(attention: NDArray[np.float32]) -> AttentionMeasures:
    """Measure an attention matrix `(N, T)` of one sentence; `ValueError` where it is empty."""
    n, t = attention.shape
    if not attention.size:
        raise ValueError(f"an attention matrix of {n} characters and {t} frames has no measures")
    penalty = guide(torch.tensor([n]), torch.tensor([t]), n, t)[0].numpy()
    return AttentionMeasures(
        focus=float(attention.max(axis=0).mean()),
        off_diagonal=float((attention * penalty).mean()),
    )
