"""CUDA graphs: what a GPU does for the gradients of a batch, recorded once for each shape.

A step launches hundreds of kernels so short that a fast GPU waits for the host to launch the next;
a graph launches them all at once. Batches are filled up with padding to few shapes, which changes
no loss and no gradient. Shapes that stay rare are computed without a graph, to the same numbers.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from engine.data.batches import Batch
from engine.evaluation.losses import LossParts, Weights
from engine.machine.device import is_out_of_memory
from engine.networks.specs import NetworkSpec, Text2MelSpec
from engine.run.recipe import Recipe

_log = logging.getLogger(__name__)

MAX_GRAPHS = 64
"""Each takes some megabytes; what they compute with is shared."""
TIMES_SEEN = 2
"""A shape is recorded when it is seen for the second time: only shapes that come back are worth a
graph, and kernels cannot be loaded while recording."""

_Shapes = tuple[tuple[str, tuple[int, ...]], ...]
"""Of the tensors of a batch, by name."""
Replay = Callable[[], None]


Compute = Callable[[Batch, Weights | None], LossParts]
Noise = Callable[[], AbstractContextManager[None]]
"""Within it, random numbers are those of the step."""


class Recorder(Protocol):
    """Records work for a device."""

    def record(self, work: Callable[[], LossParts]) -> tuple[LossParts, Replay]:
        """Return where the results of `work` will be, and what computes them anew.

        Nothing may be computed yet. What `work` reads and writes stays where it is.
        """


class CudaRecorder:
    """Records CUDA graphs, whose intermediate results share one pool of memory."""

    # One at a time in a process, as torch wants it.
    _recording = threading.Lock()
    # The allocator refers to a graph whose recording failed for as long as the process lives.
    _failed: list[torch.cuda.CUDAGraph] = []  # noqa: RUF012 (shared by all)

    def __init__(self, device: torch.device) -> None:
        self._device = device
        with torch.cuda.device(device):
            self._pool = torch.cuda.graph_pool_handle()
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def record(self, work: Callable[[], LossParts]) -> tuple[LossParts, Replay]:
        """Record it; other threads may go on using the device."""
        graph = torch.cuda.CUDAGraph()
        recording = torch.cuda.graph(
            graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"
        )
        with self._recording, torch.cuda.device(self._device):
            current = torch.cuda.current_stream()
            try:
                with recording:
                    results = work()
            except BaseException:
                self._failed.append(graph)
                torch.cuda.set_stream(current)
                raise
        return results, graph.replay


class _Graph(NamedTuple):
    inputs: Batch
    """The tensors that are read."""
    weights: Tensor
    """How much the batch counts where it is part of one."""
    losses: LossParts
    """The tensors that are written, beside the gradients."""
    replay: Replay


# Characters and frames are filled up to a multiple of this, which products like, too.
_MULTIPLE = 16


class StepGraphs:
    """Computes the gradients of batches, by graphs where their shapes come back."""

    def __init__(
        self,
        compute: Compute,
        recorder: Recorder,
        *,
        characters: int,
        frames: int,
    ) -> None:
        """Record nothing yet.

        Args:
            compute: puts gradients of a batch where they belong, or adds those of a part of it by
                its weights; returns the losses, detached.
            recorder: that of the device.
            characters: a multiple to which texts are filled up; 0 where none is read.
            frames: the same for frames.
        """
        self._compute = compute
        self._recorder: Recorder | None = recorder
        self._characters, self._frames = characters, frames
        self._seen: Counter[_Shapes] = Counter()
        self._graphs: dict[_Shapes, _Graph] = {}
        self.recorded = 0
        """How many graphs were recorded so far."""
        self.trouble = ""
        """Why none is used any more; empty while they are."""

    def compute(
        self, batch: Batch, noise: Noise, weights: Weights | None, *, alike: bool
    ) -> LossParts:
        """Compute the gradients of a batch on the device, or of a part of it by its weights.

        `alike`: whether every batch of this shape draws dropout for the same rows. Micro-batches do
        not, so no graph fits them all.
        """
        if not self._characters:
            batch = replace(batch, text=batch.text[:, :0])
        shapes = self._shapes(batch)
        graph = self._graphs.get(shapes)
        if graph is None and alike and self._is_worth_one(shapes):
            graph = self._record(batch, shapes, noise, weights)
        if graph is None or not alike:
            with noise():
                return self._compute(_filled(batch, shapes), weights)
        _load(batch, graph.inputs)
        if weights is not None:
            graph.weights.copy_(_joined(weights), non_blocking=True)
        with noise():
            graph.replay()
        return graph.losses.copied()

    def _shapes(self, batch: Batch) -> _Shapes:
        """The shapes of a batch, filled up."""
        shapes = {name: tuple(tensor.shape) for name, tensor in _tensors(batch)}
        for name, multiple in (("text", self._characters or 1), ("mel", self._frames)):
            rows, length, *rest = shapes[name]
            shapes[name] = (rows, -(-length // multiple) * multiple, *rest)
        return tuple(shapes.items())

    def _is_worth_one(self, shapes: _Shapes) -> bool:
        self._seen[shapes] += 1
        room = self._recorder is not None and len(self._graphs) < MAX_GRAPHS
        return room and self._seen[shapes] >= TIMES_SEEN

    def _record(
        self, batch: Batch, shapes: _Shapes, noise: Noise, weights: Weights | None
    ) -> _Graph | None:
        """Record a graph for these shapes; None where that fails, as it then would again."""
        assert self._recorder is not None
        inputs = _zeros(batch, shapes)
        # On the device, or a graph would keep their values.
        own = torch.ones(2, device=batch.mel.device)
        given = None if weights is None else (own[0], own[1])
        try:
            with noise():
                losses, replay = self._recorder.record(lambda: self._compute(inputs, given))
        except (RuntimeError, MemoryError) as error:
            _log.warning("a CUDA graph cannot be recorded", exc_info=True)
            # Ending the recording may have failed, too.
            cause = error.__context__ or error
            out_of_memory = is_out_of_memory(cause)
            self.stop("out of memory" if out_of_memory else str(cause).partition("\n")[0])
            return None
        self.recorded += 1
        self._graphs[shapes] = _Graph(inputs, own, losses, replay)
        return self._graphs[shapes]

    def stop(self, reason: str) -> bool:
        """Give the graphs and their memory back, and use none any more; False without any."""
        had_any = self._recorder is not None
        self._graphs.clear()
        self._recorder = None
        self.trouble = self.trouble or reason
        return had_any


def _tensors(batch: Batch) -> list[tuple[str, Tensor]]:
    return [(name, one) for name, one in vars(batch).items() if isinstance(one, Tensor)]


def _zeros(batch: Batch, shapes: _Shapes) -> Batch:
    made = {name: getattr(batch, name).new_zeros(shape) for name, shape in shapes}
    return replace(batch, **made)


def _filled(batch: Batch, shapes: _Shapes) -> Batch:
    """Fill a batch up with padding."""
    if all(getattr(batch, name).shape == shape for name, shape in shapes):
        return batch
    inputs = _zeros(batch, shapes)
    _load(batch, inputs)
    return inputs


def _joined(weights: Weights) -> Tensor:
    return torch.stack([torch.as_tensor(weight) for weight in weights])


def _load(batch: Batch, inputs: Batch) -> None:
    """Copy a batch to where a graph reads it."""
    for (_, tensor), (_, into) in zip(_tensors(batch), _tensors(inputs), strict=True):
        if tensor.shape != into.shape:
            into.zero_()
        into[tuple(map(slice, tensor.shape))].copy_(tensor)


def graphs_for(
    spec: NetworkSpec,
    recipe: Recipe,
    compute: Compute,
    recorder: Recorder,
) -> StepGraphs | None:
    """Return graphs for a network and a recipe; None where hardly a shape would come back.

    Text2Mel's frames do not see later ones, nor its texts the padding behind them where that is
    masked; SSRN sees padding, but learns from crops of one length.
    """
    if isinstance(spec, Text2MelSpec):
        characters = _MULTIPLE if spec.mask_text else 1
        fits, frames = recipe.masked, _MULTIPLE
    else:
        characters, frames = 0, 1
        fits = recipe.crop_frames is not None
    if not fits:
        return None
    return StepGraphs(compute, recorder, characters=characters, frames=frames)
