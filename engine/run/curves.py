"""What is drawn of a run: its losses over steps, and its attention."""

from dataclasses import dataclass

from msgspec import Struct

from engine.run.evaluation import Misreading
from engine.serialization import Array

RECENT_STEPS = 1_000
"""Of the loss curve, what can be seen unthinned."""


class Losses(Struct, frozen=True):
    """A loss and its parts, means over the last logged steps."""

    total: float
    l1: float
    """Mean absolute difference, normalised units."""
    divergence: float
    """Binary divergence: cross entropy of the logits against the target."""
    attention: float | None
    """Guided attention; None for SSRN, which has none."""


@dataclass(frozen=True, slots=True)
class LossCurve:
    """Loss over steps, thinned to a few hundred points whatever the length of the run."""

    steps: tuple[int, ...] = ()
    losses: tuple[float, ...] = ()
    held_out_steps: tuple[int, ...] = ()
    held_out: tuple[float, ...] = ()
    best: float | None = None
    """The lowest of all losses on the held-out set, not thinned; None before the first."""
    best_step: int = 0
    recent_steps: tuple[int, ...] = ()
    """The last `RECENT_STEPS` steps, as they were logged."""
    recent_losses: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class AttentionPlot:
    """The attention of one sentence at one step."""

    step: int
    sentence: str
    """The symbols of the rows, in order."""
    weights: Array
    """`(N, T)`: characters × coarse frames; read-only."""
    source: str
    """What was attended to, in a word or two: `held-out LJ001-0004`."""
    misreadings: tuple[Misreading, ...] = ()
