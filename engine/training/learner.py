"""One network, its optimiser and its average: what makes a step, and what a checkpoint holds."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from engine.corpus.batches import Batch
from engine.networks.build import build_network
from engine.networks.specs import NetworkSpec
from engine.networks.ssrn import SSRNOutput
from engine.networks.text2mel import Text2Mel, Text2MelOutput
from engine.training.objective import LossParts, ssrn_loss, text2mel_loss
from engine.training.recipe import Recipe, learning_rate

# Which random numbers of a step: 0 and 1 are those of its batch.
_DROPOUT = 2
MOST_UPDATES = 2**24
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
        max_characters: int = 180,
        max_frames: int = 210,
    ) -> None:
        """Build the network with fresh weights, drawn from `seed`.

        `moments_from` is the step at which Adam started without moments; see `learning_rate`.
        """
        torch.manual_seed(seed)
        self.spec = spec
        self.recipe = recipe
        self.device = device
        self.precision = precision
        self.moments_from = moments_from
        self._seed = seed
        self._max_characters = max_characters
        self._max_frames = max_frames
        self.network: nn.Module = build_network(spec).to(device)
        self._parameters: list[nn.Parameter] = list(self.network.parameters())
        self._optimizer = torch.optim.Adam(
            self._parameters, betas=recipe.betas, eps=recipe.adam_epsilon, fused=True
        )
        # Steps since Adam's moments were zero; known here so that no step waits for the device.
        self._updates = 0
        self._average: list[Tensor] | None = None
        if recipe.average_decay is not None:
            self._average = [p.detach().clone() for p in self._parameters]

    def step(self, batch: Batch, step: int) -> LossParts:
        """Make global step number `step` (from 1) on a batch and return its losses, detached."""
        # Dropout is a function of (seed, step): a run taken up again draws the same.
        torch.manual_seed(_seed_of(self._seed, step))
        self.network.train()
        self._prepare_update(step)
        parts = self.losses(batch)
        self._optimizer.zero_grad(set_to_none=True)
        parts.total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_value_(self._parameters, self.recipe.clip_value)
        self._optimizer.step()
        self._update_average(step)
        return parts.detached()

    def _prepare_update(self, step: int) -> None:
        """Set what Adam's next update depends on besides the gradients."""
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
        return learning_rate(step, self.recipe, self.moments_from)

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
        """Return losses and output of a batch with the weights that speak, without dropout."""
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
        kept = torch.rand(mel.shape[:2], device=mel.device) >= share
        return mel * kept.unsqueeze(-1)

    @torch.no_grad()
    def _update_average(self, step: int) -> None:
        if self._average is None:
            return
        decay = self.recipe.average_decay
        assert decay is not None
        # Early in a run from fresh weights a long memory would still speak with noise.
        decay = min(decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self._average, list[Tensor](self._parameters), 1 - decay)

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


def _seed_of(seed: int, step: int) -> int:
    """A seed for every step of every run, mixed so that no two of them are alike."""
    return int(np.random.SeedSequence((seed, _DROPOUT, step)).generate_state(1, np.uint64)[0])


def _count(steps: Tensor) -> int:
    if not (steps.numel() == 1 and 0 <= float(steps) <= MOST_UPDATES):
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
