"""What happens to gradients: the check that they are finite, Adam, and the move of the EMA.

All tensors of a network lie in one vector, so that one call passes over them once.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from engine.training.loss_scale import LossScale

MAX_UPDATES = 2**24
"""How far Adam counts its steps in single precision, where adding 1 to it changes nothing any
more. What depends on the count has long been constant there."""

# Numbers to a multiple of which each tensor is moved: 64 bytes and more, as products like it.
_ALIGNED = 32


class Vector:
    """Tensors by name, one after the other in one vector; zeros at first."""

    def __init__(
        self,
        shapes: Mapping[str, torch.Size],
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        tail: int = 0,
    ) -> None:
        self.shapes = shapes
        starts, size = [], 0
        for shape in shapes.values():
            starts.append(size)
            size += -(-shape.numel() // _ALIGNED) * _ALIGNED
        self.whole = torch.zeros(size + tail, device=device, dtype=dtype)
        """All numbers and a tail of further ones, which one message brings to other processes."""
        self.flat = self.whole[:size]
        """All numbers, with zeros between the tensors."""
        self.tail = self.whole[size:]
        self._starts = starts
        self.named = self.names_in(self.flat)
        """The tensors themselves."""

    def names_in(self, flat: Tensor) -> dict[str, Tensor]:
        """Return the tensors by name that lie in another vector as they do in this one."""
        return {
            name: flat[start : start + shape.numel()].view(shape)
            for start, (name, shape) in zip(self._starts, self.shapes.items(), strict=True)
        }

    def like(self, dtype: torch.dtype = torch.float32, tail: int = 0) -> "Vector":
        """Return another of the same tensors, of zeros."""
        return Vector(self.shapes, self.flat.device, dtype, tail)

    @torch.no_grad()
    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over tensors by name; where it raises, some may be taken over.

        Raises:
            KeyError, RuntimeError: a name is missing, or a shape is wrong.
        """
        for name, own in self.named.items():
            given = tensors[name]
            if given.shape != own.shape:
                ours, theirs = tuple(own.shape), tuple(given.shape)
                raise RuntimeError(f"a shape is {theirs} where the network has {ours}")
            own.copy_(given)


class Skips(NamedTuple):
    """Steps that were skipped since they were last counted."""

    steps: int
    """Steps that changed nothing."""
    in_a_row: int
    """The longest run of such steps, which may have begun before the last count."""
    overflows: int = 0
    """Further steps that changed nothing but the loss scale, as it happens in fp16."""


class FiniteGuard:
    """Checks every step on the device, so that nothing waits for it."""

    def __init__(self, device: torch.device) -> None:
        self._skipped = torch.zeros((), device=device)
        self._overflows = torch.zeros((), device=device)
        self._row = torch.zeros((), device=device)
        self._longest = torch.zeros((), device=device)

    @torch.no_grad()
    def check(
        self, loss: Tensor, least: Tensor, largest: Tensor, scale: LossScale | None = None
    ) -> Tensor:
        """Return 1 where a loss, its least or largest gradient is not finite, else 0; a scalar.

        Gradients that overflow in fp16 are no fault while their `scale` can be lowered.
        """
        # Zero times what is not finite is not a number.
        skip = fault = (torch.stack((loss, least, largest)) * 0).sum().ne(0).float()
        if scale is not None:
            overflow = skip * torch.isfinite(loss) * scale.can_be_lowered
            self._overflows += overflow
            fault = skip - overflow
        self._skipped += fault
        self._row = (self._row + fault) * fault
        self._longest = torch.maximum(self._longest, self._row)
        return skip

    def read(self) -> Skips:
        """Return what was skipped since the last call; waits for the device."""
        counts = torch.stack((self._skipped, self._longest, self._overflows))
        steps, longest, overflows = map(int, counts.tolist())
        self._skipped, self._overflows = torch.zeros_like(counts[:2])
        self._longest = self._row
        return Skips(steps, longest, overflows)

    def reset(self) -> None:
        """Count from zero, as after a rollback."""
        for count in (self._skipped, self._overflows, self._row, self._longest):
            count.zero_()


@torch.no_grad()
def clip(gradients: Tensor, limit: float) -> tuple[Tensor, Tensor]:
    """Clip gradients to ± a limit in place; return the least and the largest that there were.

    Where one was not a number, both are not; clipping makes infinite ones finite.
    """
    least, largest = torch.aminmax(gradients)
    # On a GPU, looking would wait for it.
    if gradients.device.type != "cpu" or not (-limit <= least and largest <= limit):
        gradients.clamp_(-limit, limit)
    return least, largest


class Adam:
    """Adam on torch's fused kernel, which skips a step on the device.

    `torch.optim` would first import torch's compiler, which takes as long as torch itself.
    """

    def __init__(
        self, weights: Vector, betas: tuple[float, float], scale: LossScale | None = None
    ) -> None:
        """Start without moments; the `scale` of the loss, if there is one, is kept with them."""
        self._weights = weights
        self._scale = scale
        self._betas = betas
        self._first, self._second = weights.like(), weights.like()
        self._count = torch.zeros((), device=weights.flat.device)
        scales = scale.tensors if scale else ()
        self.tensors = (self._first.flat, self._second.flat, self._count, *scales)
        """All that it remembers: first and second moments, the number of updates, the scale."""
        self.started = False
        """Whether a step was made, or a state loaded, so that there is one to save."""

    def reset(self) -> None:
        """Start anew, without moments."""
        for tensor in self.tensors:
            tensor.zero_()
        if self._scale is not None:
            self._scale.reset()
        self.started = False

    @torch.no_grad()
    def step(self, gradients: Vector, skip: Tensor, rate: float, epsilon: float) -> None:
        """Update the weights in place, or change nothing where `skip` is 1."""
        self.started = True
        self._count += 1
        torch._fused_adam_(
            [self._weights.flat],
            [gradients.flat],
            [self._first.flat],
            [self._second.flat],
            [],
            [self._count],
            lr=rate,
            beta1=self._betas[0],
            beta2=self._betas[1],
            weight_decay=0.0,
            eps=epsilon,
            amsgrad=False,
            maximize=False,
            found_inf=skip,
        )
        self._count -= skip
        if self._scale is not None:
            self._scale.update(skip)

    def named(self, tensors: Sequence[Tensor]) -> dict[str, Tensor]:
        """Return what lies in `tensors` or copies of them as `step/NAME`, `exp_avg/NAME`, …"""
        if not self.started:
            return {}
        first, second, count, *scales = tensors
        return {
            **(self._scale.named(scales) if self._scale else {}),
            **{f"step/{name}": count for name in self._weights.named},
            **{f"exp_avg/{name}": one for name, one in self._first.names_in(first).items()},
            **{f"exp_avg_sq/{name}": one for name, one in self._second.names_in(second).items()},
        }

    def load(self, state: Mapping[str, Tensor]) -> int:
        """Take over what `named` returned, and return how many updates it has seen.

        Raises:
            KeyError, RuntimeError: a name is missing, a shape or a count is wrong.
        """
        counts = [state[f"step/{name}"] for name in self._weights.named]
        if not all(c.numel() == 1 and 0 <= float(c) <= MAX_UPDATES for c in counts):
            raise RuntimeError("Adam's step count is not a valid number")
        for key, moments in (("exp_avg", self._first), ("exp_avg_sq", self._second)):
            moments.load({name: state[f"{key}/{name}"] for name in moments.named})
        if self._scale is not None:
            self._scale.load(state)
        updates = max(map(int, counts))
        self._count.fill_(updates)
        self.started = True
        return updates


@torch.no_grad()
def move_unless(skip: Tensor, tensor: Tensor, target: Tensor, share: float) -> None:
    """Move a tensor by a share of the way to its target, or not at all where `skip` is 1.

    A GPU decides; the host does not wait.
    """
    if skip.is_cpu:
        if not skip:
            tensor.lerp_(target, share)
    else:
        torch.lerp(tensor, target, (1 - skip) * share, out=tensor)
