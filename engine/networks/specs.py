"""The sizes of the two networks, and the presets a person can ask for by name."""

from dataclasses import dataclass, fields
from typing import get_args

from engine.choices import NetworkName, PresetName
from engine.errors import InputError
from engine.formatting import brief

MAX_WIDTH = 2**14
"""Channels, mel bands or bins: the weights of one square layer of that width take a gigabyte."""
MAX_VOCABULARY = 2**16
"""Symbols that a network reads."""


@dataclass(frozen=True)
class Text2MelSpec:
    """What fixes the shape of a Text2Mel; letters as in the paper's section 3."""

    vocabulary_size: int
    """Symbols, padding and end of sentence included."""
    n_mels: int = 80
    """Mel bands, the paper's F."""
    embedding: int = 128
    """Width of a symbol's embedding, the paper's e."""
    hidden: int = 256
    """Width of the audio side and half that of the text side, the paper's d."""
    dropout: float = 0.05
    """Share of activations dropped after every layer but the last while training."""
    logit_dropout: float = 0.0
    """The same for the last layer. The BBC's code drops logits too, which sets the prediction to
    one half there and teaches nothing."""
    epsilon: float = 1e-5
    """Added to the variance by layer normalisation. The BBC's weights want TensorFlow's 1e-12;
    training from random weights with so small a value overflows at the all-zero first frame."""
    mask_text: bool = True
    """Keep padding positions at zero through the text encoder, so that a sentence is encoded the
    same alone and in a batch. The BBC's code does not, and needs its texts padded to 180."""

    def __post_init__(self) -> None:
        _require_sizes(self)


@dataclass(frozen=True)
class SSRNSpec:
    """What fixes the shape of an SSRN (spectrogram super-resolution network)."""

    n_mels: int = 80
    """Mel bands of the coarse mel that comes in."""
    n_bins: int = 1025
    """Bins of the magnitude spectrum that goes out, the paper's F'."""
    hidden: int = 512
    """Width, the paper's c."""
    dropout: float = 0.05
    """Share of activations dropped after every layer but the last while training."""
    logit_dropout: float = 0.0
    """The same for the last layer. The BBC's code drops logits too, which sets the prediction to
    one half there and teaches nothing."""
    epsilon: float = 1e-5
    """Added to the variance by layer normalisation; see `Text2MelSpec.epsilon`."""

    def __post_init__(self) -> None:
        _require_sizes(self)


NetworkSpec = Text2MelSpec | SSRNSpec


def _require_sizes(spec: NetworkSpec) -> None:
    """Refuse sizes that no network can have, and types other than those of the fields.

    Raises:
        InputError: naming the field.
    """
    for entry in fields(spec):
        value = getattr(spec, entry.name)
        most = MAX_VOCABULARY if entry.name == "vocabulary_size" else MAX_WIDTH
        if entry.type is bool:
            fits, need = type(value) is bool, "true or false"
        elif entry.type is int:
            fits = type(value) is int and 0 < value <= most
            need = f"a whole number from 1 to {most:,}"
        else:
            least = "above" if entry.name == "epsilon" else "from"
            fits = type(value) in (int, float) and 0 <= value < 1 and (value > 0 or least == "from")
            need = f"a number {least} 0 and below 1"
        if not fits:
            raise InputError(f"{entry.name} is {brief(value)} in the network's size; give {need}")


_WIDTHS: dict[PresetName, dict[str, int]] = {
    "bbc": {"embedding": 128, "text2mel": 256, "ssrn": 512},
    "small": {"embedding": 128, "text2mel": 128, "ssrn": 128},
}

PRESETS: tuple[PresetName, ...] = get_args(PresetName)
"""The presets, the full size first."""

OWN_SIZE = "own size"
"""Where a preset is named: a network has widths of its own, as an imported one may."""


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
    """The preset whose widths a network has; None for widths of its own."""
    network: NetworkName = "ssrn" if isinstance(spec, SSRNSpec) else "text2mel"
    for preset, known in _WIDTHS.items():
        embedding = spec.embedding if isinstance(spec, Text2MelSpec) else known["embedding"]
        if (spec.hidden, embedding) == (known[network], known["embedding"]):
            return preset
    return None


def size_of(spec: NetworkSpec) -> str:
    """Name a size: the preset's name, or the widths of one's own in the paper's letters."""
    if (preset := preset_of(spec)) is not None:
        return preset
    if isinstance(spec, SSRNSpec):
        return f"{OWN_SIZE} (c = {spec.hidden})"
    return f"{OWN_SIZE} (e = {spec.embedding}, d = {spec.hidden})"


def read_spec(network: NetworkName, said: object) -> NetworkSpec:
    """Take a spec as a checkpoint's `state.json` or another file says it.

    Raises:
        InputError: it is no spec of that network, or one far beyond the sizes of any.
    """
    kind = Text2MelSpec if network == "text2mel" else SSRNSpec
    try:
        return kind(**said)  # type: ignore[arg-type]
    except TypeError as error:
        raise InputError(f"spec is {brief(said)}; the sizes of a {network} are needed") from error
