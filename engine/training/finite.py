"""Non-finite losses, gradients and weights: detected on the device, skipped and counted."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Skips(NamedTuple):
    """Steps that were skipped since they were last counted."""

    steps: int
    """Steps that changed nothing."""
    in_a_row: int
    """The longest run of such steps, which may have begun before the last count."""


class FiniteGuard:
    """Checks every step on the device, so that nothing waits for it."""

    def __init__(self, device: torch.device) -> None:
        self._one = torch.ones((), device=device)
        self._skipped = torch.zeros((), device=device)
        self._row = torch.zeros((), device=device)
        self._longest = torch.zeros((), device=device)

    @torch.no_grad()
    def check(self, loss: Tensor, gradients: Sequence[Tensor]) -> Tensor:
        """Return 1 where the loss or a gradient is not finite, 0 where all are; a scalar.

        The gradients must not be clipped yet: clipping makes infinite ones finite.
        """
        skip = (~torch.isfinite(loss)).float()
        # What torch's own gradient scaler calls: one kernel for all, multiplying by 1.
        torch._amp_foreach_non_finite_check_and_unscale_(list(gradients), skip, self._one)
        self._skipped += skip
        self._row = (self._row + skip) * skip
        self._longest = torch.maximum(self._longest, self._row)
        return skip

    def read(self) -> Skips:
        """Return what was skipped since the last call; waits for the device."""
        steps, longest = torch.stack((self._skipped, self._longest)).tolist()
        self._skipped = torch.zeros_like(self._skipped)
        self._longest = self._row
        return Skips(int(steps), int(longest))

    def reset(self) -> None:
        """Count from zero, as after a rollback."""
        for count in (self._skipped, self._row, self._longest):
            count.zero_()


def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether every number is finite; waits for the device once, not once a tensor.

    Sums squares, which is many times faster than checking each number; those beyond 1e19, which
    no sound weight comes near, count as infinite too.
    """
    norms = torch._foreach_norm(list(tensors))
    return bool(torch.stack(list(norms)).isfinite().all())
