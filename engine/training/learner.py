"""One network, its optimizer and its EMA: what makes a step, and what a checkpoint holds."""

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.func import functional_call

from engine.checkpoints.checkpoint import Checkpoint
from engine.checkpoints.state import Recovery
from engine.data.batches import Batch
from engine.data.clips import Limits
from engine.evaluation.losses import LossParts, Output, Weights, loss_of, split, weights_of
from engine.machine.device import free_memory, is_out_of_memory
from engine.networks.build import build_network
from engine.networks.dropout import Rows, dropout_seed, random_numbers, uniform
from engine.networks.specs import NetworkSpec
from engine.networks.text2mel import Text2Mel
from engine.run.recipe import EVALUATION, Recipe, learning_rate
from engine.training.graphs import (
    TIMES_SEEN,
    CudaRecorder,
    Noise,
    Recorder,
    StepGraphs,
    graphs_for,
)
from engine.training.loss_scale import LossScale
from engine.training.optimizer import Adam, FiniteGuard, Skips, Vector, clip, move_unless


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
        limits: Limits | None = None,
    ) -> None:
        """Build the network with fresh weights, drawn from `seed`.

        `limits` are those of the voice, for the one guide of all clips that a recipe may have.
        """
        self.spec = spec
        self.recipe = recipe
        self.device = device
        self.precision = precision
        self.optimizer_start_step = 0
        """The step at which Adam started without moments; see `learning_rate`."""
        self.base_step = 0
        """The step of the weights that training began with, where the EMA begins too."""
        self.recovery = Recovery()
        """What divergence has changed: the learning rate, and the seed of batches and dropout."""
        self._seed = seed
        # Held while the weights change, so that others copy those of one step.
        self._updating = threading.Lock()
        self._step = 0
        self._limits = limits or Limits()
        network = self._fresh_network()
        shapes = {name: parameter.shape for name, parameter in network.named_parameters()}
        self._weights = Vector(shapes, device)
        # What the network computes with: the weights, or their copy in a lower precision.
        self._working = self._weights
        if precision != torch.float32:
            self._working = self._weights.like(precision)
        self._weights.load(network.state_dict())
        self._refresh()
        network.load_state_dict(self._working.named, strict=True, assign=True)
        self.network: nn.Module = network
        self._parameters: list[nn.Parameter] = list(network.parameters())
        # What other processes learn of a step goes together: the gradients and, behind them, the
        # losses.
        self._gradients = self._weights.like(tail=len(LossParts._fields))
        # The number of this process among those that share each batch, and how many do.
        self._share = 0, 1
        self._scale = LossScale(device) if precision == torch.float16 else None
        self._optimizer = Adam(self._weights, recipe.betas, self._scale)
        # Updates since Adam's moments were zero; counted here so that no step waits for the device.
        self._updates = 0
        self._guard = FiniteGuard(device)
        self.micro_batches = 1
        """Gradients are accumulated over so many micro-batches where memory is short."""
        self._evaluation_splits = 1
        self.graphs: StepGraphs | None = None
        """What computes gradients on a GPU; None where all is launched one by one."""
        if device.type == "cuda":
            self.use_graphs(CudaRecorder(device))
        self._ema: Vector | None = None
        if recipe.ema_decay is not None:
            self._ema = self._weights.like()
            self._ema.flat.copy_(self._weights.flat)

    def use_graphs(self, recorder: Recorder) -> None:
        """Compute gradients by graphs that `recorder` makes, if the recipe has shapes for them."""
        self.graphs = graphs_for(self.spec, self.recipe, self._compute, recorder)

    def _refresh(self) -> None:
        """Give the network the weights of this moment."""
        if self._working is not self._weights:
            self._working.flat.copy_(self._weights.flat)

    def _fresh_network(self) -> nn.Module:
        # Of the CPU alone: on a GPU another network may be drawing its dropout at this moment.
        torch.default_generator.manual_seed(self._seed)
        return build_network(self.spec)

    @property
    def gradients(self) -> Mapping[str, Tensor]:
        """The clipped gradients of the last step, until the next."""
        return self._gradients.named

    def restore(self, checkpoint: Checkpoint | None) -> None:
        """Take over the weights, the EMA and the optimizer state of a checkpoint, if it has one.

        Without a checkpoint, return to the fresh weights with which it was built.

        Raises:
            KeyError, RuntimeError: names or shapes are not those of this network.
        """
        with self._updating:
            self._restore(checkpoint)

    def _restore(self, checkpoint: Checkpoint | None) -> None:
        self._optimizer.reset()
        self._updates = 0
        self._guard.reset()
        self._step = checkpoint.step if checkpoint else 0
        if checkpoint is None:
            self.base_step = 0
            self.load_weights(self._fresh_network().state_dict())
            return
        self.base_step = checkpoint.base_step
        self.load_weights(checkpoint.weights, checkpoint.ema)
        self.optimizer_start_step = checkpoint.step
        if checkpoint.optimizer:
            self.optimizer_start_step = checkpoint.optimizer_start_step
            self._updates = self._optimizer.load(checkpoint.optimizer)

    def step(self, batch: Batch, step: int) -> LossParts:
        """Make global step number `step` (from 1) on a batch and return its losses, detached.

        Where the loss or a gradient is not finite, weights, optimizer state and EMA stay as they
        are; `take_skips` counts such steps.
        """
        losses = self._gradients_of_step(batch, step)
        if self._scale is not None:
            self._scale.unscale(self._gradients.flat)
        bounds = clip(self._gradients.flat, self.recipe.clip_value)
        skip = self._guard.check(losses.total, *bounds, self._scale)
        with self._updating:
            self._updates += 1
            self._optimizer.step(self._gradients, skip, self.learning_rate(step), self._epsilon())
            if skip.is_cpu:
                # On a GPU, reading it now would wait for the device.
                self._updates -= int(skip)
            self._update_ema(step, skip)
            self._refresh()
            self._step = step
        return losses

    def _gradients_of_step(self, batch: Batch, step: int) -> LossParts:
        return self._compute_gradients(batch, step)

    def probe_memory(self, batch: Batch) -> None:
        """Compute the gradients of a batch and drop them, to see now whether the memory suffices.

        Weights stay as they are; `micro_batches` may grow.

        Raises:
            RuntimeError, MemoryError: not even a single clip fits.
        """
        # The graph of the longest batch comes first: what it takes is enough for all others.
        for _ in range(TIMES_SEEN if self.graphs else 1):
            self._compute_gradients(batch, 0)

    def _compute_gradients(self, batch: Batch, step: int) -> LossParts:
        """Compute the gradients of a batch, and return its losses.

        Where the memory is too small, `micro_batches` doubles, for all later steps too.
        """
        self.network.train()
        while True:
            try:
                return self._accumulate(batch, step)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or self.micro_batches >= len(batch.text):
                    raise
            # Outside of `except`: the tensors that the error's frames held are gone by now.
            if self.graphs is None or not self.graphs.stop("out of memory"):
                self.micro_batches = min(2 * self.micro_batches, len(batch.text))
            self.network.zero_grad()
            free_memory(self.device)

    def _accumulate(self, batch: Batch, step: int) -> LossParts:
        """Accumulate the gradients of micro-batches, weighted to add up to those of the batch."""
        # Dropout is a function of (seed, salt, step) and the place in the batch: a resumed run
        # draws the same, in however many micro-batches.
        seed = dropout_seed(self._seed, self.recovery.salt, step)
        noise = partial(random_numbers, seed, device=self.device)
        whole = self.micro_batches == 1 and self._share == (0, 1)
        parts: Sequence[tuple[Rows | None, Batch]] = [(None, batch)]
        if not whole:
            self._gradients.flat.zero_()
            parts = split(batch, self.micro_batches, *self._share)
        total: LossParts | None = None
        for rows, part in parts:
            weights = None if whole else weights_of(part, batch, self.recipe)
            made = self._compute_part(part.to(self.device), partial(noise, rows), weights)
            total = made.plus(total)
        # There may be more ranks than clips.
        return total or LossParts._make(torch.zeros(len(LossParts._fields), device=self.device))

    def _compute_part(self, part: Batch, noise: Noise, weights: Weights | None) -> LossParts:
        if self.graphs is not None:
            return self.graphs.compute(part, noise, weights, alike=self.micro_batches == 1)
        with noise():
            return self._compute(part, weights)

    def _compute(self, batch: Batch, weights: Weights | None) -> LossParts:
        """Put the gradients of a batch in place, or add those of a micro-batch by its weights."""
        losses = self.losses(batch)
        if weights is not None:
            losses = losses.weighted(*weights)
        total = self._scale.scaled(losses.total) if self._scale else losses.total
        total.backward()  # type: ignore[no-untyped-call]
        self._collect(torch._foreach_copy_ if weights is None else torch._foreach_add_)
        return losses.detached()

    @torch.no_grad()
    def _collect(self, into: Callable[[list[Tensor], list[Tensor]], object]) -> None:
        """Move the gradients of the network to where the optimizer takes them, and free them."""
        found = [parameter.grad for parameter in self._parameters]
        assert all(gradient is not None for gradient in found)
        into([*self._gradients.named.values()], [one for one in found if one is not None])
        self.network.zero_grad()

    def take_skips(self) -> Skips:
        """Return how many steps were skipped since the last call; waits for the device."""
        skips = self._guard.read()
        if self.device.type != "cpu":
            self._updates -= skips.steps + skips.overflows
        return skips

    def _epsilon(self) -> float:
        """Return Adam's epsilon for this update.

        On a GPU a skipped step counts as an update until `take_skips` is called: with `epsilon_hat`
        the few steps between use the epsilon of one update later.
        """
        epsilon = self.recipe.adam_epsilon
        if self.recipe.epsilon_hat:
            # Torch divides the root by that of the correction before it adds epsilon.
            epsilon /= math.sqrt(1.0 - self.recipe.betas[1] ** self._updates)
        return epsilon

    def learning_rate(self, step: int) -> float:
        """Return the learning rate of a global step."""
        return (
            learning_rate(step, self.recipe, self.optimizer_start_step) * self.recovery.rate_factor
        )

    def losses(self, batch: Batch) -> LossParts:
        """Return the losses of a batch with the weights under training, teacher-forced."""
        if isinstance(self.network, Text2Mel):
            output = self.network(batch.text, self._hide_frames(batch.mel))
        else:
            output = self.network(batch.mel)
        return loss_of(output, batch, self.recipe, self._limits)

    def _hide_frames(self, mel: Tensor) -> Tensor:
        dropped = self.recipe.frame_drop
        if not self.network.training or dropped <= 0:
            return mel
        kept = uniform(mel.shape[:2], mel.device) >= dropped
        return mel * kept.unsqueeze(-1)

    @torch.inference_mode()
    def evaluate(self, batch: Batch) -> tuple[LossParts, Output]:
        """Return losses and output of a batch with the EMA weights, without dropout.

        The losses are those of `EVALUATION`, whatever recipe trains. Where the memory is too small
        it is done in micro-batches too.
        """
        self.network.eval()
        while True:
            try:
                return self._evaluate_split(batch)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or self._evaluation_splits >= len(batch.text):
                    raise
            self._evaluation_splits *= 2
            free_memory(self.device)

    def _evaluate_split(self, batch: Batch) -> tuple[LossParts, Output]:
        total, outputs = None, []
        for _, part in split(batch, self._evaluation_splits):
            losses, output = self._evaluate_batch(part)
            total = losses.weighted(*weights_of(part, batch, EVALUATION)).plus(total)
            outputs.append(output)
        assert total is not None
        joined = (torch.cat(tensors) for tensors in zip(*outputs, strict=True))
        return total, type(outputs[0])(*joined)

    def _evaluate_batch(self, batch: Batch) -> tuple[LossParts, Output]:
        averaged = (self._ema or self._weights).named
        weights = {name: tensor.to(self.precision) for name, tensor in averaged.items()}
        inputs = (batch.text, batch.mel) if isinstance(self.network, Text2Mel) else (batch.mel,)
        output = functional_call(self.network, weights, inputs)
        return loss_of(output, batch, EVALUATION, self._limits), output

    def _update_ema(self, step: int, skip: Tensor) -> None:
        """Move the EMA towards the weights, unless the step is to `skip`."""
        decay = self.recipe.ema_decay
        if self._ema is None or decay is None:
            return
        # Early in training a long memory would be mostly of what it began with: of noise, or of
        # another speaker.
        made = step - self.base_step
        decay = min(decay, (1 + made) / (10 + made))
        move_unless(skip, self._ema.flat, self._weights.flat, 1 - decay)

    def live_state(self) -> dict[str, dict[str, Tensor]]:
        """Return what a checkpoint holds: the tensors themselves, which the next step changes.

        Under `weights`, `ema` (empty without one) and `optimizer` (empty before the first step),
        each by variable name.
        """
        return self.named(self.live_flats())

    def live_flats(self) -> list[Tensor]:
        """Return the few vectors in which all that lies."""
        ema = [] if self._ema is None else [self._ema.flat]
        return [self._weights.flat, *ema, *self._optimizer.tensors]

    def named(self, flats: Sequence[Tensor]) -> dict[str, dict[str, Tensor]]:
        """Return what lies in copies of `live_flats` as `live_state` does."""
        weights, *others = flats
        ema = {} if self._ema is None else self._ema.names_in(others.pop(0))
        optimizer = self._optimizer.named(others)
        return {"weights": self._weights.names_in(weights), "ema": ema, "optimizer": optimizer}

    def copy_ema_weights(
        self, into: Mapping[str, Tensor] | None = None
    ) -> tuple[int, Mapping[str, Tensor]]:
        """Return the step, and copies on the CPU of its weights to speak with.

        These are the EMA, if there is one; they are copied `into` an earlier copy, if one is given.
        Other threads may call it, also during a step: it waits for an update of the weights to
        end, not for the step.
        """
        with self._updating:
            chosen, step = self._ema or self._weights, self._step
            if chosen.flat.is_cpu:
                return step, _copied(chosen.named, into)
            # A GPU copies within its memory at once; the next update need not wait for the rest.
            flat = chosen.flat.clone()
        return step, _copied(chosen.names_in(flat.cpu()), into)

    def load_weights(
        self, weights: Mapping[str, Tensor], ema: Mapping[str, Tensor] | None = None
    ) -> None:
        """Take over weights and their EMA; without one, it starts from the weights.

        Raises:
            KeyError, RuntimeError: names or shapes are not those of this network.
        """
        if unknown := weights.keys() - self._weights.named.keys():
            raise KeyError(f"the network has no {min(unknown)}")
        self._weights.load(weights)
        self._refresh()
        if self._ema is not None:
            self._ema.load(ema or weights)


def _copied(
    tensors: Mapping[str, Tensor], into: Mapping[str, Tensor] | None
) -> Mapping[str, Tensor]:
    if into is None:
        return {name: tensor.clone() for name, tensor in tensors.items()}
    for name, tensor in tensors.items():
        into[name].copy_(tensor)
    return into
