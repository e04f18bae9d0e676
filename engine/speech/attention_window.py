"""The window that keeps free-running attention moving through the text in order."""

from typing import Literal

import torch
from torch import Tensor

AttentionWindow = Literal["paper", "bbc"]
"""How attention is held to the text's order: the paper's way or that of the BBC's code."""

# The paper's section 4.2 takes differences of −1 to 3 as natural.
_BACK = 1
_AHEAD = 3
# Characters that the BBC's code lets a frame see, starting with the last attended.
_BBC_WIDTH = 3


def look(scores: Tensor, previous: int, window: AttentionWindow) -> tuple[Tensor, int]:
    """Return one frame's attention `(N,)` and the character it attends to most.

    With "paper" attention is free, but when its peak leaves `[previous − 1, previous + 3]` it is
    put wholly on the character after `previous` (arXiv 1710.08969, section 4.2). With "bbc"
    only `[previous, previous + 3)` can be seen at all.

    Args:
        scores: of the frame's query against every character, before the softmax, `(N,)`.
        previous: the character that the frame before attended to; 0 for the first frame.
        window: which of the two.
    """
    if window == "bbc":
        weights = torch.zeros_like(scores)
        seen = slice(previous, previous + _BBC_WIDTH)
        weights[seen] = torch.softmax(scores[seen], dim=0)
        return weights, int(weights.argmax())
    weights = torch.softmax(scores, dim=0)
    attended = int(weights.argmax())
    if previous - _BACK <= attended <= previous + _AHEAD:
        return weights, attended
    forced = min(previous + 1, len(scores) - 1)
    weights = torch.zeros_like(scores)
    weights[forced] = 1.0
    return weights, forced
