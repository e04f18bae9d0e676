"""The attention of one fixed held-out clip, drawn again and again as training goes on."""

import torch
from torch import Tensor

from engine.data.features import FeatureStore
from engine.run.snapshot import AttentionPlot


def choose_clip(store: FeatureStore, candidates: list[int]) -> int:
    """Return the clip to watch: the one of middle length, which is neither trivial nor rare."""
    by_length = sorted(candidates, key=store.coarse_frames)
    return by_length[len(by_length) // 2]


def make_plot(attention: Tensor, sentence: str, step: int, source: str) -> AttentionPlot:
    """Freeze the attention `(N, T)` of a sentence at a step."""
    # Weights that have gone astray must not take the screen with them.
    weights = torch.nan_to_num(attention.float()).cpu().numpy().copy()
    weights.flags.writeable = False
    return AttentionPlot(step, sentence, weights, source)
