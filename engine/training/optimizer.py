"""What happens to gradients: the check that they are finite, Adam, and the move of the EMA."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

MAX_UPDATES = 2**24
"""How far Adam counts its steps in single precision, where adding 1 to it changes nothing any
more. What depends on the count has long been constant there."""


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


class Adam:
    """Adam on torch's fused kernel, which skips a step on the device.

    `torch.optim` would first import torch's compiler, which takes as long as torch itself.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], betas: tuple[float, float]) -> None:
        self._parameters = list[Tensor](parameters)
        self._betas = betas
        self._moments: dict[str, list[Tensor]] = {}

    @property
    def started(self) -> bool:
        """Whether there are moments yet: a step was made, or a state loaded."""
        return bool(self._moments)

    def reset(self) -> None:
        """Start anew, without moments."""
        self._moments = {}

    @torch.no_grad()
    def step(self, gradients: list[Tensor], skip: Tensor, rate: float, epsilon: float) -> None:
        """Update the parameters in place, or change nothing where `skip` is 1."""
        if not self._moments:
            self._moments = {
                "step": [torch.zeros((), device=p.device) for p in self._parameters],
                "exp_avg": [torch.zeros_like(p) for p in self._parameters],
                "exp_avg_sq": [torch.zeros_like(p) for p in self._parameters],
            }
        steps = self._moments["step"]
        torch._foreach_add_(steps, 1)
        torch._fused_adam_(
            self._parameters,
            gradients,
            self._moments["exp_avg"],
            self._moments["exp_avg_sq"],
            [],
            steps,
            lr=rate,
            beta1=self._betas[0],
            beta2=self._betas[1],
            weight_decay=0.0,
            eps=epsilon,
            amsgrad=False,
            maximize=False,
            found_inf=skip,
        )
        torch._foreach_sub_(steps, [skip] * len(steps))

    def state(self, names: Sequence[str]) -> dict[str, Tensor]:
        """Return the moments themselves and their counts, as `step/NAME`, `exp_avg/NAME`, …"""
        return {
            f"{key}/{name}": tensor
            for key, tensors in self._moments.items()
            for name, tensor in zip(names, tensors, strict=True)
        }

    def load(self, state: Mapping[str, Tensor], names: Sequence[str]) -> int:
        """Take over what `state` returned, and return how many updates it has seen.

        Raises:
            KeyError, RuntimeError: a name is missing, a shape or a count is wrong.
        """
        counts = [state[f"step/{name}"] for name in names]
        if not all(c.numel() == 1 and 0 <= float(c) <= MAX_UPDATES for c in counts):
            raise RuntimeError("Adam's step count is not a valid number")
        # The kernel reads the counts where the weights are.
        device = self._parameters[0].device
        moments = {"step": [count.to(device, copy=True) for count in counts]}
        for key in ("exp_avg", "exp_avg_sq"):
            pairs = zip(names, self._parameters, strict=True)
            moments[key] = [
                fitting(state[f"{key}/{name}"], parameter).to(device, copy=True)
                for name, parameter in pairs
            ]
        self._moments = moments
        return max(map(int, counts))


def move_unless(skip: Tensor, tensors: list[Tensor], targets: list[Tensor], share: float) -> None:
    """Move tensors by a share of the way to their targets, or not at all where `skip` is 1.

    The device decides; the host does not wait.
    """
    ways = torch._foreach_sub(targets, tensors)
    torch._foreach_mul_(ways, (1 - skip) * share)
    torch._foreach_add_(tensors, ways)


def fitting(tensor: Tensor, parameter: Tensor) -> Tensor:
    """Return a tensor that has the shape of a parameter, or raise RuntimeError."""
    if tensor.shape != parameter.shape:
        ours, theirs = tuple(parameter.shape), tuple(tensor.shape)
        raise RuntimeError(f"a shape is {theirs} where the network has {ours}")
    return tensor
