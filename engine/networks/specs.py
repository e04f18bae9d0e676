"""The sizes of the two networks, and the presets a person can ask for by name."""

from dataclasses import asdict, dataclass
from typing import Any, get_args

from engine.choices import NetworkName, PresetName
from engine.errors import InputError


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
        _require_positive(self)


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
        _require_positive(self)


NetworkSpec = Text2MelSpec | SSRNSpec


def _require_positive(spec: NetworkSpec) -> None:
    """Refuse sizes that no network can have.

    Raises:
        InputError: a size is not a positive number, or dropout is outside [0, 1).
    """
    sizes: dict[str, Any] = asdict(spec)
    for name, value in sizes.items():
        if name in ("dropout", "logit_dropout"):
            if not 0 <= value < 1:
                raise InputError(f"{name} is {value}; give a share from 0 up to, not including, 1")
        elif name != "mask_text" and not value > 0:
            raise InputError(f"{name} is {value} in the network's size; give a positive number")


_WIDTHS: dict[PresetName, dict[str, int]] = {
    "bbc": {"embedding": 128, "text2mel": 256, "ssrn": 512},
    "small": {"embedding": 128, "text2mel": 128, "ssrn": 128},
}
_MOST_WIDTH = 2**14


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
        InputError: it is no spec of that network, or one far beyond the widths of any.
    """
    kind = Text2MelSpec if network == "text2mel" else SSRNSpec
    try:
        spec = kind(**said)  # type: ignore[arg-type]
        widths = [width for name, width in asdict(spec).items() if name in ("embedding", "hidden")]
    except TypeError as error:
        raise InputError(f"spec is {said!r:.80}; the sizes of a {network} are wanted") from error
    if not all(isinstance(width, int) and width <= _MOST_WIDTH for width in widths):
        raise InputError(f"spec has the widths {widths}; give whole numbers up to {_MOST_WIDTH:,}")
    return spec
