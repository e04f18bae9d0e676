"""The sizes of the two networks, and the presets a person can ask for by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from engine.choices import NetworkName, PresetName
from engine.errors import InputError
from engine.formatting import brief
from engine.serialization import from_plain

MAX_WIDTH = 2**14
"""Channels, mel bands, bins or symbols: one square layer of that width takes a gigabyte."""

_Width = Annotated[int, Meta(ge=1, le=MAX_WIDTH)]
_Share = Annotated[float, Meta(ge=0, lt=1)]
_Epsilon = Annotated[float, Meta(gt=0, lt=1)]


@dataclass(frozen=True)
class Text2MelSpec:
    """What fixes the shape of a Text2Mel; letters as in the paper's section 3."""

    vocabulary_size: _Width
    """Symbols, padding and end of sentence included."""
    n_mels: _Width = 80
    """Mel bands, the paper's F."""
    embedding: _Width = 128
    """Width of a symbol's embedding, the paper's e."""
    hidden: _Width = 256
    """Width of the audio side and half that of the text side, the paper's d."""
    dropout: _Share = 0.05
    """Share of activations dropped after every layer but the last while training."""
    logit_dropout: _Share = 0.0
    """The same for the last layer. The BBC's code drops logits too, which sets the prediction to
    one half there and teaches nothing."""
    epsilon: _Epsilon = 1e-5
    """Added to the variance by layer normalisation. The BBC's weights want TensorFlow's 1e-12;
    training from random weights with so small a value overflows at the all-zero first frame."""
    mask_text: bool = True
    """Keep padding positions at zero through the text encoder, so that a sentence is encoded the
    same alone and in a batch. The BBC's code does not, and needs its texts padded to 180."""


@dataclass(frozen=True)
class SSRNSpec:
    """What fixes the shape of an SSRN (spectrogram super-resolution network)."""

    n_mels: _Width = 80
    """Mel bands of the coarse mel that comes in."""
    n_bins: _Width = 1025
    """Bins of the magnitude spectrum that goes out, the paper's F'."""
    hidden: _Width = 512
    """Width, the paper's c."""
    dropout: _Share = 0.05
    """This and what follows as in `Text2MelSpec`."""
    logit_dropout: _Share = 0.0
    epsilon: _Epsilon = 1e-5


NetworkSpec = Text2MelSpec | SSRNSpec


_WIDTHS: dict[PresetName, dict[str, int]] = {
    "bbc": {"embedding": 128, "text2mel": 256, "ssrn": 512},
    "small": {"embedding": 128, "text2mel": 128, "ssrn": 128},
}

OWN_SIZE = "own size"
"""Shown in place of a preset where a network has other widths, as an imported one may."""


def preset_spec(
    preset: PresetName, network: NetworkName, *, vocabulary_size: int, n_mels: int, n_bins: int
) -> NetworkSpec:
    """Return the spec of a network at a preset's size for a voice's symbols and audio."""
    widths = _WIDTHS[preset]
    if network == "text2mel":
        return Text2MelSpec(
            vocabulary_size, n_mels, embedding=widths["embedding"], hidden=widths["text2mel"]
        )
    return SSRNSpec(n_mels, n_bins, hidden=widths["ssrn"])


def preset_of(spec: NetworkSpec) -> PresetName | None:
    """The preset whose widths a network has, or None."""
    widths = {"ssrn": spec.hidden}
    if isinstance(spec, Text2MelSpec):
        widths = {"text2mel": spec.hidden, "embedding": spec.embedding}
    found = (preset for preset, known in _WIDTHS.items() if widths.items() <= known.items())
    return next(found, None)


def size_of(spec: NetworkSpec) -> str:
    """Name a size: the preset, or else the widths in the paper's letters."""
    if (preset := preset_of(spec)) is not None:
        return preset
    if isinstance(spec, SSRNSpec):
        return f"{OWN_SIZE} (c = {spec.hidden})"
    return f"{OWN_SIZE} (e = {spec.embedding}, d = {spec.hidden})"


def read_spec(network: NetworkName, plain: Mapping[str, object]) -> NetworkSpec:
    """Read a spec as a checkpoint's `state.json` has it.

    Raises:
        InputError: it is no spec of that network, or one far beyond the sizes of any.
    """
    kind: type[NetworkSpec] = Text2MelSpec if network == "text2mel" else SSRNSpec
    # One that is not known may change what the others mean.
    if unknown := plain.keys() - kind.__dataclass_fields__.keys():
        raise InputError(f"spec: {brief(min(unknown))} is not a size of a {network}")
    spec: NetworkSpec = from_plain(plain, kind, "spec")
    return spec
