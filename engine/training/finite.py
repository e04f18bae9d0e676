"""Steps whose loss or gradients are no numbers: found, left out and counted where they are made."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Skips(NamedTuple):
    """What was skipped since the last look."""

    steps: int
    """Steps that changed nothing."""
    in_a_row: int
    """The longest row of such steps, from before the last look perhaps."""


class FiniteGuard:
    """Judges every step on the device, which nobody has to wait for."""

    def __init__(self, device: torch.device) -> None:
        self._one = torch.ones((), device=device)
        self._skipped = torch.zeros((), device=device)
        self._row = torch.zeros((), device=device)
        self._longest = torch.zeros((), device=device)

    @torch.no_grad()
    def judge(self, loss: Tensor, gradients: Sequence[Tensor]) -> Tensor:
        """Return 1 where the loss or a gradient is not finite and 0 where all are, a scalar.

        The gradients must not have been clipped: that would make infinite ones look sound.
        """
        sick = (~torch.isfinite(loss)).float()
        # What torch's own gradient scaler calls: one kernel for all, multiplying by 1.
        torch._amp_foreach_non_finite_check_and_unscale_(list(gradients), sick, self._one)
        self._skipped += sick
        self._row = (self._row + sick) * sick
        self._longest = torch.maximum(self._longest, self._row)
        return sick

    def read(self) -> Skips:
        """Return what was skipped since the last call; waits for the device."""
        steps, longest = torch.stack((self._skipped, self._longest)).tolist()
        self._skipped = torch.zeros_like(self._skipped)
        self._longest = self._row
        return Skips(int(steps), int(longest))

    def forget(self) -> None:
        """Begin anew, as where a run goes back to a checkpoint."""
        for count in (self._skipped, self._row, self._longest):
            count.zero_()
