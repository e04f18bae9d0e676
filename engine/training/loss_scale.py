"""Loss scaling: what lets gradients fit the range of fp16 ("Mixed Precision Training", section 3.2,
arXiv 1710.03740).
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

_START = 2.0**13
_MAX = 2.0**40
# Steps without an overflow after which the scale is doubled.
_DOUBLED_AFTER = 1000


class LossScale:
    """Multiplies the loss, and divides its gradients again.

    Where a gradient overflows, the step is skipped and the scale halved; after many steps without,
    it is doubled. The device decides that, so that nothing waits for it.
    """

    def __init__(self, device: torch.device) -> None:
        self._scale = torch.full((), _START, device=device)
        self._steps = torch.zeros((), dtype=torch.int32, device=device)
        self.tensors = (self._scale, self._steps)
        """All that it remembers: the scale, and the steps since it was last changed."""

    def reset(self) -> None:
        """Start anew."""
        self._scale.fill_(_START)
        self._steps.zero_()

    def scaled(self, loss: Tensor) -> Tensor:
        """Return the loss whose gradients are to be computed."""
        return loss * self._scale

    @torch.no_grad()
    def unscale(self, gradients: Tensor) -> None:
        """Turn the gradients of the scaled loss into those of the loss; exact for powers of two."""
        gradients.div_(self._scale)

    @property
    def can_be_lowered(self) -> Tensor:
        """1 where an overflow is to be expected now and then, 0 where it no longer helps."""
        return (self._scale > 1).float()

    @torch.no_grad()
    def update(self, skip: Tensor) -> None:
        """Note that a step was made, or is skipped where `skip` is 1."""
        torch._amp_update_scale_(self._scale, self._steps, skip, 2.0, 0.5, _DOUBLED_AFTER)
        self._scale.clamp_(max=_MAX)

    @staticmethod
    def named(tensors: Sequence[Tensor]) -> dict[str, Tensor]:
        """Return copies of its tensors as a checkpoint has them."""
        return dict(zip(("loss_scale", "loss_scale_steps"), tensors, strict=True))

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `named` returned; training in another precision left nothing.

        Raises:
            RuntimeError: it is not one that a run comes to.
        """
        if not state.keys() >= self.named(self.tensors).keys():
            self.reset()
            return
        found = self.named([state["loss_scale"], state["loss_scale_steps"]]).values()
        scale, steps = (float(one) if one.numel() == 1 else -1.0 for one in found)
        if not (0 < scale <= _MAX and 0 <= steps < _DOUBLED_AFTER):
            raise RuntimeError("the loss scale is not a valid number")
        self._scale.fill_(scale)
        self._steps.fill_(int(steps))
