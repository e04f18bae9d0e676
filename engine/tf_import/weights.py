"""From the variables of the original DC-TTS code to our parameters: names, layouts and sizes.

Its networks are the same as ours; TensorFlow calls the layers by what they are and where they
stand (`C_1`, `HC_2`, `D_4`), and lays kernels out with the taps first.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.choices import NetworkName
from engine.errors import InputError
from engine.networks.build import build_network
from engine.networks.layers import ConvolutionLayer, HighwayLayer, Upsampling
from engine.networks.specs import NetworkSpec, SSRNSpec, Text2MelSpec

SCOPES: dict[NetworkName, str] = {"text2mel": "Text2Mel/", "ssrn": "SSRN/"}
"""How the names of a network's variables begin."""

STEP = "gs/global_step"
"""The variable that counts the steps."""

_EMBEDDING = "Text2Mel/TextEnc/embed_1/lookup_table"
_FIRST_OF_TEXT2MEL = "Text2Mel/AudioEnc/C_1/conv1d/kernel"
_FIRST_OF_SSRN = "SSRN/C_1/conv1d/kernel"
_LAST_OF_SSRN = "SSRN/C_16/conv1d/kernel"
# TensorFlow's layer normalisation adds this to the variance; with another value the logits of
# trained weights move.
_EPSILON = 1e-12
# No width of either network has ever been near it; beyond, products of widths overflow.
_WIDEST = 2**16


@dataclass(frozen=True)
class Variable:
    """What one of the original's variables is to us."""

    parameter: str
    """The name of our parameter."""
    shape: tuple[int, ...]
    """The variable's shape."""
    axes: tuple[int, ...] | None = None
    """The order in which our parameter has the variable's last axes; None for the same."""
    row: int | None = None
    """Which row of our parameter it is, where ours joins two."""

    def to_parameter(self, value: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the value laid out as our parameter, or as the row of it."""
        if self.axes is None:
            return value
        taps_first = value.reshape(value.shape[-3:])
        return taps_first.transpose(self.axes)


def networks_in(names: Mapping[str, object]) -> list[NetworkName]:
    """Return the networks whose variables are among the names."""
    return [
        network
        for network, scope in SCOPES.items()
        if any(name.startswith(scope) for name in names)
    ]


def spec_from_shapes(network: NetworkName, shapes: Mapping[str, tuple[int, ...]]) -> NetworkSpec:
    """Infer a network's sizes from the shapes of its variables.

    Raises:
        InputError: the variables that tell are missing, or have other numbers of axes.
    """
    if network == "text2mel":
        symbols, embedding = _sizes(shapes, _EMBEDDING, 2)
        _, n_mels, hidden = _sizes(shapes, _FIRST_OF_TEXT2MEL, 3)
        return Text2MelSpec(
            symbols,
            n_mels,
            embedding=embedding,
            hidden=hidden,
            epsilon=_EPSILON,
            mask_text=False,
        )
    _, n_mels, hidden = _sizes(shapes, _FIRST_OF_SSRN, 3)
    _, _, n_bins = _sizes(shapes, _LAST_OF_SSRN, 3)
    return SSRNSpec(n_mels, n_bins, hidden=hidden, epsilon=_EPSILON)


def _sizes(shapes: Mapping[str, tuple[int, ...]], name: str, axes: int) -> tuple[int, ...]:
    shape = shapes.get(name)
    if shape is None:
        raise InputError(f"it has no variable {name}, which every DC-TTS network of its kind has")
    if len(shape) != axes or not all(0 < size <= _WIDEST for size in shape):
        raise InputError(f"its variable {name} has the shape {shape}, which none of DC-TTS has")
    return shape


def variables_of(spec: NetworkSpec) -> dict[str, Variable]:
    """Return what each variable of the original is, for a network of these sizes."""
    with torch.device("meta"):
        network = build_network(spec)
    if isinstance(spec, SSRNSpec):
        return dict(_of_stack(network, "SSRN", "", 1))
    table = Variable("text_encoder.embedding.weight", (spec.vocabulary_size, spec.embedding))
    return {
        _EMBEDDING: table,
        # The embedding counts as the first layer.
        **dict(_of_stack(network, "Text2Mel/TextEnc", "text_encoder.", 2)),
        **dict(_of_stack(network, "Text2Mel/AudioEnc", "audio_encoder.", 1)),
        **dict(_of_stack(network, "Text2Mel/AudioDec", "audio_decoder.", 1)),
    }


def _of_stack(
    network: nn.Module, scope: str, prefix: str, first: int
) -> Iterator[tuple[str, Variable]]:
    """The variables of layers in a row, which are numbered from `first`."""
    layers = network.get_submodule(f"{prefix}layers")
    for place, layer in enumerate(layers.children()):
        theirs, ours = f"{scope}/{{}}_{first + place}", f"{prefix}layers.{place}"
        match layer:
            case ConvolutionLayer():
                yield from _convolution(theirs.format("C"), ours, layer.convolution.weight)
                yield from _normalisation(theirs.format("C"), ours, layer.norm)
            case HighwayLayer():
                yield from _convolution(theirs.format("HC"), ours, layer.convolution.weight)
                yield from _two_normalisations(theirs.format("HC"), ours, layer)
            case Upsampling():
                yield from _upsampling(theirs.format("D"), ours, layer)
            case _:
                raise TypeError(f"a {type(layer).__name__} has no counterpart")


def _convolution(theirs: str, ours: str, weight: Tensor) -> Iterator[tuple[str, Variable]]:
    outputs, kernel, inputs = weight.shape
    yield (
        f"{theirs}/conv1d/kernel",
        Variable(f"{ours}.convolution.weight", (kernel, inputs, outputs), axes=(2, 0, 1)),
    )
    yield f"{theirs}/conv1d/bias", Variable(f"{ours}.convolution.bias", (outputs,))


def _upsampling(theirs: str, ours: str, layer: Upsampling) -> Iterator[tuple[str, Variable]]:
    outputs, kernel, inputs = layer.weight.shape
    theirs_below = f"{theirs}/conv2d_transpose"
    # A transposed convolution in two dimensions, one of them of size 1.
    yield (
        f"{theirs_below}/kernel",
        Variable(f"{ours}.weight", (1, kernel, outputs, inputs), axes=(1, 0, 2)),
    )
    yield f"{theirs_below}/bias", Variable(f"{ours}.bias", (outputs,))
    yield from _normalisation(theirs, ours, layer.norm)


def _normalisation(theirs: str, ours: str, norm: nn.LayerNorm) -> Iterator[tuple[str, Variable]]:
    shape = tuple(norm.weight.shape)
    yield f"{theirs}/normalize/gamma", Variable(f"{ours}.norm.weight", shape)
    yield f"{theirs}/normalize/beta", Variable(f"{ours}.norm.bias", shape)


def _two_normalisations(
    theirs: str, ours: str, layer: HighwayLayer
) -> Iterator[tuple[str, Variable]]:
    shape = tuple(layer.norm_weight.shape[1:])
    for row, name in enumerate(("H1", "H2")):  # the gate, then the candidate
        yield f"{theirs}/{name}/gamma", Variable(f"{ours}.norm_weight", shape, row=row)
        yield f"{theirs}/{name}/beta", Variable(f"{ours}.norm_bias", shape, row=row)


class Collector:
    """Takes variables in any order, until all parameters of a network are there."""

    def __init__(self, variables: Mapping[str, Variable]) -> None:
        self._variables = variables
        self._halves: dict[str, dict[int, NDArray[np.float32]]] = {}
        self.tensors: dict[str, Tensor] = {}
        """The parameters that are complete, by our names."""

    def take(self, name: str, value: NDArray[Any]) -> None:
        """Take the variable `name`, single precision and of the shape that `variables` has."""
        variable = self._variables[name]
        laid_out = variable.to_parameter(value)
        if variable.row is None:
            self.tensors[variable.parameter] = torch.from_numpy(laid_out.copy(order="C"))
            return
        halves = self._halves.setdefault(variable.parameter, {})
        halves[variable.row] = laid_out
        if len(halves) == 2:
            both = np.stack((halves[0], halves[1]))
            self.tensors[variable.parameter] = torch.from_numpy(both)
            del self._halves[variable.parameter]
