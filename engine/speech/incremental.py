"""Causal layers evaluated frame by frame, remembering the past frames that they look at.

A causal convolution sees only the present and its own few past taps, so a frame costs one
product a layer instead of a pass over everything spoken so far. Reading the weights is what takes
the time: several sentences share it, and bfloat16 halves it where the processor has it.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from engine.networks.layers import Convolution, ConvolutionLayer, HighwayLayer

# Frames a memory holds before its newest are moved back to the start, at least: moving seldom
# is cheap, and a short memory stays in the processor's cache.
_SPAN = 32


_Step = Callable[[Tensor], Tensor]


class IncrementalStack:
    """A stack of causal convolution and highway layers that takes one frame at a time.

    The frames that come out equal those of the stack's forward pass over the whole sequence in
    evaluation mode.
    """

    @torch.inference_mode()
    def __init__(
        self, stack: nn.Module, precision: torch.dtype | None = None, sentences: int = 1
    ) -> None:
        """Take the weights as they are now, for so many sentences at once.

        Without a `precision` it is that of the weights.
        """
        self._precision = precision or next(stack.parameters()).dtype
        self._pasts: list[_Past] = []
        self._steps = [
            _step_of(layer, self._mixer(layer, sentences), self._precision)
            for layer in stack.get_submodule("layers").children()
        ]

    def _mixer(self, layer: nn.Module, sentences: int) -> _Step:
        """The convolution of the newest of the frames given, `(B, C)` to `(B, C_out)`."""
        assert isinstance(layer, ConvolutionLayer | HighwayLayer)
        product = _product(layer.convolution, self._precision, sentences)
        if layer.convolution.kernel == 1:
            return product
        past = _Past(layer.convolution, self._precision, sentences)
        self._pasts.append(past)
        return lambda x: product(past.taps(x))

    @torch.inference_mode()
    def step(self, x: Tensor) -> Tensor:
        """Take the next frame `(B, C)` and return the stack's output for it, `(B, C_out)`."""
        x = x.to(self._precision)
        for step in self._steps:
            x = step(x)
        return x

    def restart(self, sentence: int) -> None:
        """Forget what one of the sentences was, for another to begin in its place."""
        for past in self._pasts:
            past.forget(sentence)


def _step_of(layer: nn.Module, mix: _Step, precision: torch.dtype) -> _Step:
    if isinstance(layer, HighwayLayer):
        return _highway(layer, mix, precision)
    assert isinstance(layer, ConvolutionLayer)
    return _normalisation(layer, mix, precision)


def _product(convolution: Convolution, precision: torch.dtype, sentences: int) -> _Step:
    """What multiplies taps laid side by side `(B, taps * C)` by the weights."""
    weight = convolution.weight.detach().flatten(1).to(precision)
    bias = convolution.bias.detach().to(precision)
    if precision != torch.bfloat16:
        transposed = weight.T
        return lambda taps: torch.addmm(bias, taps, transposed)
    # Laid out in advance as oneDNN reads them, which it would else do for each frame.
    packed = torch.ops.mkldnn._reorder_linear_weight(weight, sentences)
    product = torch.ops.mkldnn._linear_pointwise
    return lambda taps: product(taps, packed, bias, "none", [], "")


def _normalisation(layer: ConvolutionLayer, mix: _Step, precision: torch.dtype) -> _Step:
    norm = layer.norm
    shape, weight, bias = norm.normalized_shape, norm.weight.to(precision), norm.bias.to(precision)
    epsilon = norm.eps
    if layer.relu:
        return lambda x: torch.layer_norm(mix(x), shape, weight, bias, epsilon).relu_()
    return lambda x: torch.layer_norm(mix(x), shape, weight, bias, epsilon)


def _highway(layer: HighwayLayer, mix: _Step, precision: torch.dtype) -> _Step:
    of_gate, of_candidate = layer.norm_weight.to(precision).unbind()
    gate_bias, candidate_bias = layer.norm_bias.to(precision).unbind()
    width, epsilon = len(of_gate), layer.epsilon

    def step(x: Tensor) -> Tensor:
        gate, candidate = mix(x).chunk(2, dim=1)
        gate = torch.layer_norm(gate, (width,), of_gate, gate_bias, epsilon).sigmoid_()
        candidate = torch.layer_norm(candidate, (width,), of_candidate, candidate_bias, epsilon)
        return torch.lerp(x, candidate, gate)

    return step


class _Past:
    """The frames that one dilated convolution has seen, so laid out that its taps adjoin.

    Frames a dilation apart lie side by side in memory. The taps of a frame are then one view,
    made in advance, and nothing but the new frame is copied.
    """

    @torch.inference_mode()
    def __init__(self, convolution: Convolution, precision: torch.dtype, sentences: int) -> None:
        weight, taps, dilation = convolution.weight, convolution.kernel, convolution.dilation
        self._older = taps - 1
        self._turns = max(self._older, -(-_SPAN // dilation))
        # Frames before the first are zero, as the forward pass pads them.
        shape = dilation, sentences, self._turns + self._older, weight.shape[2]
        self._frames = weight.new_zeros(shape, dtype=precision)
        self._places: list[tuple[Tensor, Tensor]] = [
            (lane[:, turn + self._older], lane[:, turn : turn + taps].flatten(1))
            for turn in range(self._turns)
            for lane in self._frames
        ]
        self._next = 0

    def forget(self, sentence: int) -> None:
        """Set the frames of a sentence to zero."""
        self._frames[:, sentence] = 0

    def taps(self, x: Tensor) -> Tensor:
        """Remember the frame `(B, C)`; return it and its past taps `(B, taps * C)`, oldest first.

        What is returned is valid until the next call.
        """
        if self._next == len(self._places):
            self._frames[:, :, : self._older] = self._frames[:, :, self._turns :]
            self._next = 0
        newest, taps = self._places[self._next]
        self._next += 1
        newest.copy_(x)
        return taps
