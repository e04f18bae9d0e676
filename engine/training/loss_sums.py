"""The losses since the last logged step, summed where they are computed."""

import torch
from torch import Tensor

from engine.checkpoints.state import Unlogged
from engine.run.snapshot import Losses
from engine.training.losses import LossParts


class LossSums:
    """Sums of losses on the device; steps whose loss is not finite are left out."""

    def __init__(self, unlogged: Unlogged, device: torch.device) -> None:
        """Go on from the sums that a checkpoint has."""
        self._sums: Tensor | None = None
        if unlogged.count:
            numbers = (float(unlogged.count), *unlogged.sums)
            self._sums = torch.tensor(numbers, dtype=torch.float32, device=device)

    def add(self, parts: LossParts) -> None:
        """Add the losses of a step; waits for nothing."""
        numbers = torch.stack([part for part in parts if part is not None])
        # The first number counts: how many steps are in the sums is known on the device alone.
        numbers = torch.cat((torch.ones_like(numbers[:1]), numbers))
        numbers = torch.where(torch.isfinite(numbers).all(), numbers, torch.zeros_like(numbers))
        self._sums = numbers if self._sums is None else self._sums + numbers

    def means(self) -> Losses | None:
        """The means, read from the device; None where no step is in them."""
        if self._sums is None:
            return None
        one, total, l1, divergence, *attention = (self._sums / self._sums[0]).tolist()
        if one != 1.0:  # 0 / 0: there was no step
            return None
        return Losses(total, l1, divergence, attention[0] if attention else None)

    @property
    def unlogged(self) -> Unlogged:
        """What a checkpoint keeps of them, read from the device."""
        if self._sums is None:
            return Unlogged()
        count, *sums = self._sums.tolist()
        return Unlogged(int(count), tuple(sums)) if count else Unlogged()

    def clear(self) -> None:
        """Begin anew."""
        self._sums = None
