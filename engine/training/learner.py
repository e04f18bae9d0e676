"""One network, its optimiser and its average: what makes a step, and what a checkpoint holds."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from engine.data.batches import Batch
from engine.networks.build import build_network
from engine.networks.dropout import part_of_batch, uniform
from engine.networks.specs import NetworkSpec
from engine.networks.ssrn import SSRNOutput
from engine.networks.text2mel import Text2Mel, Text2MelOutput
from engine.training.divergence import Recovery
from engine.training.finite import FiniteGuard, Skips
from engine.training.losses import LossParts, ssrn_loss, text2mel_loss
from engine.training.microbatch import added, give_back, is_out_of_memory, share, split, weighed
from engine.training.recipe import Recipe, learning_rate

# Which random numbers of a step: 0 and 1 are those of its batch.
_DROPOUT = 2
MAX_UPDATES = 2**24
"""How far Adam counts its steps: single precision adds no 1 to it. What depends on the count has
long been constant there."""


class Learner:
    """Makes optimiser steps; the same step and seed always give the same result on a CPU."""

    def __init__(
        self,
        spec: NetworkSpec,
        recipe: Recipe,
        *,
        device: torch.device,
        precision: torch.dtype,
        seed: int,
        moments_from: int = 0,
        recovery: Recovery | None = None,
        max_characters: int = 180,
        max_frames: int = 210,
    ) -> None:
        """Build the network with fresh weights, drawn from `seed`.

        `moments_from` is the step at which Adam started without moments; see `learning_rate`.
        `recovery` is what became of a run that fell sick.
        """
        self.spec = spec
        self.recipe = recipe
        self.device = device
        self.precision = precision
        self.moments_from = moments_from
        self.recovery = recovery or Recovery()
        self._seed = seed
        self._max_characters = max_characters
        self._max_frames = max_frames
        self.network: nn.Module = self._fresh_network().to(device)
        self._parameters: list[nn.Parameter] = list(self.network.parameters())
        self._optimizer = torch.optim.Adam(
            self._parameters, betas=recipe.betas, eps=recipe.adam_epsilon, fused=True
        )
        # Steps since Adam's moments were zero; known here so that no step waits for the device.
        self._updates = 0
        self._guard = FiniteGuard(device)
        self.parts = 1
        """In how many parts a batch is made, because the memory is too small for all of it."""
        self._judged_parts = 1
        self._average: list[Tensor] | None = None
        if recipe.average_decay is not None:
            self._average = [p.detach().clone() for p in self._parameters]

    def _fresh_network(self) -> nn.Module:
        torch.manual_seed(self._seed)
        return build_network(self.spec)

    def start_anew(self) -> None:
        """Take the fresh weights again with which it was built, and no moments."""
        self.load_weights(self._fresh_network().state_dict())
        self.forget_moments()

    def forget_moments(self) -> None:
        """Let Adam start anew."""
        self._optimizer.state.clear()
        self._updates = 0
        self._guard.forget()

    def step(self, batch: Batch, step: int) -> LossParts:
        """Make global step number `step` (from 1) on a batch and return its losses, detached.

        Where the loss or a gradient is not finite, weights, moments and average stay as they are;
        `take_skips` tells how often that was.
        """
        parts = self._find_gradients(batch, step)
        self._prepare_update(step)
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        sick = self._guard.judge(parts.total, gradients)
        nn.utils.clip_grad_value_(self._parameters, self.recipe.clip_value)
        # Adam's kernel looks at it where it runs, and then changes neither weights nor moments.
        self._optimizer.found_inf = sick  # type: ignore[attr-defined]
        self._optimizer.step()
        if sick.is_cpu:
            # Elsewhere to know it now would mean to wait.
            self._updates -= int(sick)
        self._update_average(step, sick)
        return parts

    def try_out(self, batch: Batch) -> None:
        """Find the gradients of a batch and throw them away, so that too little memory shows now.

        No random number and no weight is another afterwards; `parts` may be.

        Raises:
            RuntimeError, MemoryError: not even a single clip fits.
        """
        devices = [] if self.device.type == "cpu" else [self.device]
        # The room that Adam's moments will take, where there are none yet.
        missing = [p for p in self._parameters if p not in self._optimizer.state]
        moments = [torch.empty_like(p) for p in missing for _ in range(2)]
        with torch.random.fork_rng(devices):
            self._find_gradients(batch, 0)
        self._optimizer.zero_grad(set_to_none=True)
        del moments

    def _find_gradients(self, batch: Batch, step: int) -> LossParts:
        """Leave the gradients of a batch with the weights, and return its losses.

        Where the memory is too small the batch is made in `parts`, from here on.
        """
        self.network.train()
        while True:
            self._optimizer.zero_grad(set_to_none=True)
            try:
                return self._accumulate(batch, step)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or self.parts >= len(batch.text):
                    raise
            # Here, where the error is gone, so are the tensors that its frames held.
            self.parts = min(2 * self.parts, len(batch.text))
            self._optimizer.zero_grad(set_to_none=True)
            give_back(self.device)

    def _accumulate(self, batch: Batch, step: int) -> LossParts:
        """Add up the gradients of the parts of a batch, weighed so that they are the whole's."""
        # Dropout is a function of (seed, salt, step) and the place in the batch: a run taken up
        # again draws the same, in however many parts.
        seed = _seed_of(self._seed, self.recovery.salt, step)
        if self.parts == 1:
            torch.manual_seed(seed)
            losses = self.losses(batch.to(self.device))
            losses.total.backward()  # type: ignore[no-untyped-call]
            return losses.detached()
        done: LossParts | None = None
        for rows, part in split(batch, self.parts):
            torch.manual_seed(seed)
            with part_of_batch(rows):
                counts_for = share(part, batch, self.recipe)
                losses = weighed(self.losses(part.to(self.device)), counts_for)
            losses.total.backward()  # type: ignore[no-untyped-call]
            done = losses.detached() if done is None else added(done, losses.detached())
        assert done is not None
        return done

    def take_skips(self) -> Skips:
        """Return what was skipped since the last call; waits for the device."""
        skips = self._guard.read()
        if self.device.type != "cpu":
            self._updates -= skips.steps
        return skips

    def _prepare_update(self, step: int) -> None:
        """Set what Adam's next update depends on besides the gradients.

        On a GPU a skipped step is counted as an update until `take_skips` is asked. With
        `epsilon_hat` the few steps between take the epsilon of one update later; a run taken up
        from a checkpoint among them makes them again with the right one, not bit for bit.
        """
        self._updates += 1
        epsilon = self.recipe.adam_epsilon
        if self.recipe.epsilon_hat:
            # Torch divides the root by that of the correction before it adds epsilon.
            epsilon /= math.sqrt(1.0 - self.recipe.betas[1] ** self._updates)
        for group in self._optimizer.param_groups:
            group["lr"] = self.learning_rate(step)
            group["eps"] = epsilon

    def learning_rate(self, step: int) -> float:
        """Return the learning rate of a global step."""
        return learning_rate(step, self.recipe, self.moments_from) * self.recovery.rate_factor

    def losses(self, batch: Batch) -> LossParts:
        """Return the losses of a batch with the weights under training, teacher-forced."""
        with self._arithmetic():
            if isinstance(self.network, Text2Mel):
                output = self.network(batch.text, self._hide_frames(batch.mel))
            else:
                output = self.network(batch.mel)
        return self._loss(output, batch)

    @torch.inference_mode()
    def judge(self, batch: Batch) -> tuple[LossParts, Text2MelOutput | SSRNOutput]:
        """Return losses and output of a batch with the weights that speak, without dropout.

        It too is made in parts where the memory is too small.
        """
        while True:
            try:
                return self._judge_parts(batch)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or self._judged_parts >= len(batch.text):
                    raise
            self._judged_parts *= 2
            give_back(self.device)

    def _judge_parts(self, batch: Batch) -> tuple[LossParts, Text2MelOutput | SSRNOutput]:
        if self._judged_parts == 1:
            return self._judge_whole(batch)
        done: LossParts | None = None
        outputs = []
        for _, part in split(batch, self._judged_parts):
            losses, output = self._judge_whole(part)
            losses = weighed(losses, share(part, batch, self.recipe))
            done = losses if done is None else added(done, losses)
            outputs.append(output)
        assert done is not None
        joined = (torch.cat(tensors) for tensors in zip(*outputs, strict=True))
        return done, type(outputs[0])(*joined)

    def _judge_whole(self, batch: Batch) -> tuple[LossParts, Text2MelOutput | SSRNOutput]:
        self.network.eval()
        names = (name for name, _ in self.network.named_parameters())
        speaking = dict(zip(names, self._average or self._parameters, strict=True))
        inputs = (batch.text, batch.mel) if isinstance(self.network, Text2Mel) else (batch.mel,)
        with self._arithmetic():
            output = functional_call(self.network, speaking, inputs)
        return self._loss(output, batch), output

    def _arithmetic(self) -> torch.autocast:
        enabled = self.precision != torch.float32
        return torch.autocast(self.device.type, self.precision, enabled=enabled)

    def _loss(self, output: Text2MelOutput | SSRNOutput, batch: Batch) -> LossParts:
        if isinstance(output, Text2MelOutput):
            return text2mel_loss(output, batch, self.recipe, self._max_characters, self._max_frames)
        return ssrn_loss(output, batch, self.recipe)

    def _hide_frames(self, mel: Tensor) -> Tensor:
        share = self.recipe.frame_drop
        if not self.network.training or share <= 0:
            return mel
        kept = uniform(mel.shape[:2], mel.device) >= share
        return mel * kept.unsqueeze(-1)

    @torch.no_grad()
    def _update_average(self, step: int, sick: Tensor) -> None:
        """Move the average towards the weights, unless the step was `sick`."""
        if self._average is None:
            return
        decay = self.recipe.average_decay
        assert decay is not None
        # Early in a run from fresh weights a long memory would still speak with noise.
        decay = min(decay, (1 + step) / (10 + step))
        if sick.is_cpu:
            if not sick:
                torch._foreach_lerp_(self._average, list[Tensor](self._parameters), 1 - decay)
            return
        move_unless(sick, self._average, list[Tensor](self._parameters), 1 - decay)

    def live_state(self) -> dict[str, dict[str, Tensor]]:
        """Return what a checkpoint holds: the tensors themselves, which the next step changes.

        Under `weights`, `average` (empty without one) and `optimizer` (empty before the first
        step), each by variable name.
        """
        named = dict(self.network.named_parameters())
        average = () if self._average is None else zip(named, self._average, strict=True)
        return {
            "weights": {name: parameter.detach() for name, parameter in named.items()},
            "average": dict(average),
            "optimizer": {
                f"{key}/{name}": value
                for name, parameter in named.items()
                for key, value in self._optimizer.state.get(parameter, {}).items()
            },
        }

    def speaking_weights(self) -> dict[str, Tensor]:
        """Return copies, on the CPU, of what speaks: the average, or the weights themselves."""
        return self.average() or self.weights()

    def average(self) -> dict[str, Tensor]:
        """Return copies, on the CPU, of the average of the weights; empty without one."""
        if self._average is None:
            return {}
        names = (name for name, _ in self.network.named_parameters())
        return {name: _copy(t) for name, t in zip(names, self._average, strict=True)}

    def weights(self) -> dict[str, Tensor]:
        """Return copies, on the CPU, of the weights that are being trained."""
        return {name: _copy(p) for name, p in self.network.named_parameters()}

    def load_weights(
        self, weights: Mapping[str, Tensor], average: Mapping[str, Tensor] | None = None
    ) -> None:
        """Take weights over, and their average; without one, it starts from the weights.

        Raises:
            KeyError, RuntimeError: names or shapes are not those of this network.
        """
        self.network.load_state_dict(dict(weights), strict=True)
        if self._average is not None:
            source = average or weights
            names = (name for name, _ in self.network.named_parameters())
            self._average = [
                _fitting(source[name], parameter).to(self.device, copy=True)
                for name, parameter in zip(names, self._parameters, strict=True)
            ]

    def optimizer_state(self) -> dict[str, Tensor]:
        """Return copies, on the CPU, of Adam's moments, by variable name."""
        return {
            f"{key}/{name}": _copy(value)
            for name, parameter in self.network.named_parameters()
            for key, value in self._optimizer.state.get(parameter, {}).items()
        }

    @torch.no_grad()
    def load_optimizer_state(self, state: Mapping[str, Tensor]) -> None:
        """Take Adam's moments over, and how many steps they have seen.

        Raises:
            KeyError, RuntimeError: a variable's moments are missing, or not of its shape.
        """
        updates = 0
        for name, parameter in self.network.named_parameters():
            moments = (state[f"{key}/{name}"] for key in ("exp_avg", "exp_avg_sq"))
            first, second = (
                _fitting(moment, parameter).to(self.device, copy=True) for moment in moments
            )
            # The fused optimiser counts its steps where the weights are.
            count = state[f"step/{name}"].to(self.device, copy=True)
            updates = max(updates, _count(state[f"step/{name}"]))
            self._optimizer.state[parameter] = {
                "step": count,
                "exp_avg": first,
                "exp_avg_sq": second,
            }
        self._updates = updates
        self._guard.forget()


def move_unless(sick: Tensor, tensors: list[Tensor], targets: list[Tensor], share: float) -> None:
    """Move tensors by a share of the way to their targets, or not at all where `sick` is 1.

    It is decided on the device: the host need not wait to know.
    """
    ways = torch._foreach_sub(targets, tensors)
    torch._foreach_mul_(ways, (1 - sick) * share)
    torch._foreach_add_(tensors, ways)


def _seed_of(seed: int, salt: int, step: int) -> int:
    """A seed for every step of every run, mixed so that no two of them are alike."""
    entropy = (seed, _DROPOUT, step, salt) if salt else (seed, _DROPOUT, step)
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0])


def _count(steps: Tensor) -> int:
    if not (steps.numel() == 1 and 0 <= float(steps) <= MAX_UPDATES):
        raise RuntimeError("Adam's count of steps is no number of steps")
    return int(steps)


def _fitting(tensor: Tensor, parameter: nn.Parameter) -> Tensor:
    if tensor.shape != parameter.shape:
        raise RuntimeError(
            f"a shape is {tuple(tensor.shape)} where the network has {tuple(parameter.shape)}"
        )
    return tensor


def _copy(tensor: Tensor) -> Tensor:
    """A copy on the CPU that later steps leave alone."""
    return tensor.detach().to("cpu", copy=True)
