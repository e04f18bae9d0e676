"""Causal layers evaluated frame by frame, remembering the past frames that they look at.

A causal convolution sees only the present and its own few past taps, so a frame costs one
product a layer instead of a pass over everything spoken so far.
"""

import torch
from torch import Tensor, nn

from engine.networks.layers import Convolution, ConvolutionLayer, HighwayLayer

# Frames a memory holds before its newest are moved back to the start, at least: moving seldom
# is cheap, and a short memory stays in the processor's cache.
_SPAN = 32


class IncrementalStack:
    """A stack of causal convolution and highway layers that takes one frame at a time.

    The frames that come out equal those of the stack's forward pass over the whole sequence in
    evaluation mode. The layers' weights are used in place, not copied.
    """

    def __init__(self, stack: nn.Module) -> None:
        self._layers: list[tuple[ConvolutionLayer | HighwayLayer, _Past | None]] = []
        for layer in stack.get_submodule("layers").children():
            assert isinstance(layer, ConvolutionLayer | HighwayLayer)
            past = _Past(layer.convolution) if layer.convolution.kernel > 1 else None
            self._layers.append((layer, past))

    @torch.inference_mode()
    def step(self, x: Tensor) -> Tensor:
        """Take the next frame `(1, C)` and return the stack's output for it, `(1, C_out)`."""
        for layer, past in self._layers:
            mixed = layer.convolution.mix(x if past is None else past.taps(x))
            x = layer.finish(mixed, x) if isinstance(layer, HighwayLayer) else layer.finish(mixed)
        return x


class _Past:
    """The frames that one dilated convolution has seen, so laid out that its taps adjoin.

    Frames a dilation apart lie side by side in memory. The taps of a frame are then one view,
    made in advance, and nothing but the new frame is copied.
    """

    @torch.inference_mode()
    def __init__(self, convolution: Convolution) -> None:
        weight, taps, dilation = convolution.weight, convolution.kernel, convolution.dilation
        self._older = taps - 1
        self._turns = max(self._older, -(-_SPAN // dilation))
        # Frames before the first are zero, as the forward pass pads them.
        self._frames = weight.new_zeros(dilation, 1, self._turns + self._older, weight.shape[2])
        self._places: list[tuple[Tensor, Tensor]] = [
            (lane[:, turn + self._older], lane[:, turn : turn + taps].flatten(1))
            for turn in range(self._turns)
            for lane in self._frames
        ]
        self._next = 0

    def taps(self, x: Tensor) -> Tensor:
        """Remember the frame `(1, C)`; return it and its past taps `(1, taps * C)`, oldest first.

        What is returned is valid until the next call.
        """
        if self._next == len(self._places):
            self._frames[:, :, : self._older] = self._frames[:, :, self._turns :]
            self._next = 0
        newest, taps = self._places[self._next]
        self._next += 1
        newest.copy_(x)
        return taps
