"""From the variables of the original DC-TTS code to our parameters: names, layouts and sizes.

Its networks are the same as ours; TensorFlow calls the layers by what they are and where they
stand (`C_1`, `HC_2`, `D_4`), and lays kernels out with the taps first.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.choices import NetworkName
from engine.errors import InputError
from engine.networks.build import network_without_weights
from engine.networks.layers import ConvolutionLayer, HighwayLayer, Upsampling
from engine.networks.specs import MAX_WIDTH, NetworkSpec, SSRNSpec, Text2MelSpec

SCOPES: dict[NetworkName, str] = {"text2mel": "Text2Mel/", "ssrn": "SSRN/"}
"""How the names of a network's variables begin."""

STEP = "gs/global_step"
"""The variable that counts the steps."""

_EMBEDDING = "Text2Mel/TextEnc/embed_1/lookup_table"
_FIRST_OF_TEXT2MEL = "Text2Mel/AudioEnc/C_1/conv1d/kernel"
_FIRST_OF_SSRN = "SSRN/C_1/conv1d/kernel"
_LAST_OF_SSRN = "SSRN/C_16/conv1d/kernel"
# Of each kind of layer: TensorFlow's names of it and of its convolution, and how the names of our
# parameters of the convolution and of the normalisation begin.
_LAYERS: dict[type[nn.Module], tuple[str, str, str, str]] = {
    ConvolutionLayer: ("C", "conv1d", "convolution.", "norm."),
    HighwayLayer: ("HC", "conv1d", "convolution.", "norm_"),
    Upsampling: ("D", "conv2d_transpose", "", "norm."),
}
# TensorFlow's layer normalisation adds this to the variance; with another value the logits of
# trained weights move.
_EPSILON = 1e-12


@dataclass(frozen=True)
class Variable:
    """The parameter of ours that one of the original's variables is, or is a row of."""

    parameter: str
    """The name of our parameter."""
    shape: tuple[int, ...]
    """The variable's shape."""
    axes: tuple[int, ...] | None = None
    """The order in which our parameter has the variable's last axes; None for the same."""

    def to_parameter(self, value: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the value laid out as our parameter, or as a row of it."""
        return value if self.axes is None else value.reshape(value.shape[-3:]).transpose(self.axes)


def spec_from_shapes(network: NetworkName, shapes: Mapping[str, tuple[int, ...]]) -> NetworkSpec:
    """Derive a network's sizes from the shapes of its variables.

    Raises:
        InputError: a variable that shows them is missing, or of another shape.
    """
    if network == "text2mel":
        symbols, embedding = _sizes(shapes, _EMBEDDING, 2)
        _, n_mels, hidden = _sizes(shapes, _FIRST_OF_TEXT2MEL, 3)
        return Text2MelSpec(
            symbols, n_mels, embedding=embedding, hidden=hidden, epsilon=_EPSILON, mask_text=False
        )
    _, n_mels, hidden = _sizes(shapes, _FIRST_OF_SSRN, 3)
    _, _, n_bins = _sizes(shapes, _LAST_OF_SSRN, 3)
    return SSRNSpec(n_mels, n_bins, hidden=hidden, epsilon=_EPSILON)


def _sizes(shapes: Mapping[str, tuple[int, ...]], name: str, axes: int) -> tuple[int, ...]:
    shape = shapes.get(name)
    if shape is None:
        raise InputError(f"it has no variable {name}, which every such DC-TTS network has")
    if len(shape) != axes or not all(0 < size <= MAX_WIDTH for size in shape):
        raise InputError(f"its variable {name} has the shape {shape}, which no DC-TTS network has")
    return shape


def variables_of(spec: NetworkSpec) -> dict[str, Variable]:
    """Return the original's variables of a network of these sizes, by their names."""
    network = network_without_weights(spec)
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
    for place, layer in enumerate(network.get_submodule(f"{prefix}layers").children()):
        kind, convolution, below, norm = _LAYERS[type(layer)]
        theirs, ours = f"{scope}/{kind}_{first + place}", f"{prefix}layers.{place}."
        outputs, kernel, inputs = layer.get_parameter(f"{below}weight").shape
        if kind == "D":
            # A transposed convolution in two dimensions, one of them of size 1.
            weight = Variable(f"{ours}weight", (1, kernel, outputs, inputs), axes=(1, 0, 2))
        else:
            weight = Variable(f"{ours}{below}weight", (kernel, inputs, outputs), axes=(2, 0, 1))
        yield f"{theirs}/{convolution}/kernel", weight
        yield f"{theirs}/{convolution}/bias", Variable(f"{ours}{below}bias", (outputs,))
        width = tuple(layer.get_parameter(f"{norm}weight").shape[-1:])
        # A highway has the gate's row, then the candidate's.
        for name in ("H1", "H2") if kind == "HC" else ("normalize",):
            yield f"{theirs}/{name}/gamma", Variable(f"{ours}{norm}weight", width)
            yield f"{theirs}/{name}/beta", Variable(f"{ours}{norm}bias", width)


def parameters_from(
    values: dict[str, NDArray[np.float32]], variables: Mapping[str, Variable], slot: str = ""
) -> dict[str, Tensor]:
    """Lay out values of the original's variables as our parameters, by our names.

    Args:
        values: of all `variables`, by their names followed by `slot`; those are removed.
        variables: from `variables_of`; where two make one parameter, the gate's row comes first.
        slot: what the names of Adam's moments end with.
    """
    rows: dict[str, list[NDArray[np.float32]]] = {}
    for name, variable in variables.items():
        laid_out = variable.to_parameter(values.pop(name + slot))
        rows.setdefault(variable.parameter, []).append(laid_out)
    return {
        name: torch.from_numpy(np.stack(parts) if len(parts) > 1 else parts[0].copy(order="C"))
        for name, parts in rows.items()
    }
