"""The card of an exported voice: everything but the weights, readable by a person.

Nothing here imports torch, so that `info` answers at once.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from engine.choices import NETWORKS, CleanerName, NetworkName
from engine.data.audio import MAX_FFT, AudioSpec
from engine.data.clips import Limits
from engine.errors import InputError
from engine.exported.fields import Fields
from engine.exported.folder import CARD, opened, weights_file
from engine.exported.layout import LAYOUT
from engine.networks.specs import MAX_WIDTH, NetworkSpec, SSRNSpec, Text2MelSpec
from engine.run.stop import MAX_STEPS
from engine.text.vocabulary import Vocabulary

DTYPES = ("float32", "float16")
"""The number formats that exported weights come in."""

CORPUS_FIGURES = ("clips", "training_clips", "held_out_clips", "left_out_clips", "hours")
"""What a card tells of the corpus; null where nobody counted."""

_FORMAT = 1
_MAX_BYTES = 2**20
_MUTE = "This voice has no SSRN: it speaks from the mel alone, which sounds muffled."
_DIGEST = re.compile("[0-9a-f]{64}")
# Sizes far beyond those of any voice, to keep what a stranger asks for within a machine's means:
# the longest text and sentence.
_MAX_RATE = 768_000
_MAX_SYMBOLS = 4_000
_MAX_FRAMES = 4_000
# Levels whose powers single precision can still square.
_MAX_REFERENCE_DB = 100.0
_MAX_RANGE_DB = 300.0
_MAX_SHARPENING = 3.0
# Two layers of SSRN double the frames.
_REDUCTION = 4


@dataclass(frozen=True)
class NetworkCard:
    """What a card tells of one network."""

    spec: NetworkSpec
    step: int
    """The step of the checkpoint that was exported."""
    base_step: int
    recipe: str
    """How it was taught."""
    parameters: int
    dtype: str
    """One of `DTYPES`."""
    sha256: str
    """Of the file of weights, in hexadecimal."""


@dataclass(frozen=True)
class ExportCard:
    """What a card tells of a voice."""

    name: str
    voicecoach: str
    """The version that exported it."""
    exported: str
    """When that was, in UTC."""
    symbols: str
    cleaner: CleanerName
    sharpening: float
    audio: AudioSpec
    limits: Limits
    networks: Mapping[NetworkName, NetworkCard]
    """Text2Mel, and SSRN where the voice has one."""
    corpus: Mapping[str, float | None]
    """What the voice has learned from; the keys are `CORPUS_FIGURES`."""


def render(card: ExportCard) -> bytes:
    """Write a card as JSON.

    Raises:
        InputError: it could not be read again, for something in it is beyond what a card allows.
    """
    networks = {
        name: {"file": weights_file(name), **asdict(card.networks[name])}
        if name in card.networks
        else None
        for name in NETWORKS
    }
    said = {
        "format": _FORMAT,
        **asdict(card),
        "networks": networks,
        **({} if "ssrn" in card.networks else {"note": _MUTE}),
        "layout": LAYOUT,
    }
    text = json.dumps(said, indent=2, ensure_ascii=False) + "\n"
    content = text.encode("utf-8", errors="surrogatepass")
    parse(content, Path(CARD))
    return content


def read_card(folder: Path) -> ExportCard:
    """Read the card of an export.

    Raises:
        InputError: it cannot be read, or a field of it cannot be used; the message names both.
    """
    path = folder / CARD
    with opened(path) as (file, size):
        if size > _MAX_BYTES:
            raise InputError(f"{path} is too large (maximum {_MAX_BYTES:,} bytes).")
        content = file.read(_MAX_BYTES)
    return parse(content, path)


def parse(content: bytes, path: Path) -> ExportCard:
    """Read the content of the card at `path`.

    Raises:
        InputError: a field of it cannot be used; the message names path and field.
    """
    try:
        said = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no card of a voice: {error}; export it again.") from error
    fields = Fields(said, path)
    fields.whole("format", _FORMAT, _FORMAT)
    symbols = fields.text("symbols", most=_MAX_BYTES)
    cleaner = fields.choice("cleaner", get_args(CleanerName))
    try:
        Vocabulary(symbols, cleaner)
    except InputError as error:
        raise InputError(f"{path}: symbols: {error}") from error
    audio = _audio(fields.table("audio"))
    return ExportCard(
        name=fields.text("name"),
        voicecoach=fields.text("voicecoach"),
        exported=fields.text("exported"),
        symbols=symbols,
        cleaner=cleaner,
        sharpening=fields.number("sharpening", above=0, most=_MAX_SHARPENING),
        audio=audio,
        limits=_limits(fields.table("limits")),
        networks=_networks(fields.table("networks"), len(symbols), audio),
        corpus=_corpus(fields.table("corpus")),
    )


def _audio(fields: Fields) -> AudioSpec:
    n_fft = fields.whole("n_fft", 2, MAX_FFT)
    win_length = fields.whole("win_length", 1, n_fft)
    _require_fields_of(AudioSpec, fields)
    return AudioSpec(
        sample_rate=fields.whole("sample_rate", 1, _MAX_RATE),
        n_fft=n_fft,
        hop_length=fields.whole("hop_length", 1, win_length),
        win_length=win_length,
        n_mels=fields.whole("n_mels", 1, n_fft // 2 + 1),
        preemphasis=fields.share("preemphasis"),
        trim_db=fields.number("trim_db", above=0, most=_MAX_RANGE_DB),
        ref_db=fields.number("ref_db", above=0, most=_MAX_REFERENCE_DB),
        max_db=fields.number("max_db", above=0, most=_MAX_RANGE_DB),
        reduction=fields.whole("reduction", _REDUCTION, _REDUCTION),
    )


def _limits(fields: Fields) -> Limits:
    _require_fields_of(Limits, fields)
    return Limits(
        # Room for a character and the end.
        max_characters=fields.whole("max_characters", 2, _MAX_SYMBOLS),
        max_coarse_frames=fields.whole("max_coarse_frames", 1, _MAX_FRAMES),
    )


def _networks(
    fields: Fields, vocabulary_size: int, audio: AudioSpec
) -> dict[NetworkName, NetworkCard]:
    fields.require_only(*NETWORKS)
    text2mel = fields.table("text2mel")
    found: dict[NetworkName, NetworkCard] = {
        "text2mel": _network("text2mel", text2mel, _text2mel(text2mel, vocabulary_size, audio))
    }
    if fields.has("ssrn"):
        ssrn = fields.table("ssrn")
        found["ssrn"] = _network("ssrn", ssrn, _ssrn(ssrn, audio))
    return found


def _network(name: NetworkName, fields: Fields, spec: NetworkSpec) -> NetworkCard:
    fields.choice("file", (weights_file(name),))
    sha256 = fields.text("sha256")
    if not _DIGEST.fullmatch(sha256):
        raise fields.unfit("sha256", "64 hexadecimal digits are needed")
    step = fields.whole("step", 0, MAX_STEPS)
    return NetworkCard(
        spec=spec,
        step=step,
        base_step=fields.whole("base_step", 0, step),
        recipe=fields.text("recipe"),
        parameters=fields.whole("parameters", 1, 2**40),
        dtype=fields.choice("dtype", DTYPES),
        sha256=sha256,
    )


def _text2mel(network: Fields, vocabulary_size: int, audio: AudioSpec) -> Text2MelSpec:
    fields = network.table("spec")
    _require_fields_of(Text2MelSpec, fields)
    return Text2MelSpec(
        vocabulary_size=fields.whole("vocabulary_size", vocabulary_size, vocabulary_size),
        n_mels=fields.whole("n_mels", audio.n_mels, audio.n_mels),
        embedding=fields.whole("embedding", 1, MAX_WIDTH),
        mask_text=fields.flag("mask_text"),
        **_common(fields),
    )


def _ssrn(network: Fields, audio: AudioSpec) -> SSRNSpec:
    fields = network.table("spec")
    _require_fields_of(SSRNSpec, fields)
    return SSRNSpec(
        n_mels=fields.whole("n_mels", audio.n_mels, audio.n_mels),
        n_bins=fields.whole("n_bins", audio.n_bins, audio.n_bins),
        **_common(fields),
    )


def _common(fields: Fields) -> dict[str, Any]:
    """What the specs of both networks have."""
    return {
        "hidden": fields.whole("hidden", 1, MAX_WIDTH),
        "dropout": fields.share("dropout"),
        "logit_dropout": fields.share("logit_dropout"),
        "epsilon": fields.number("epsilon", above=0, most=1),
    }


def _corpus(fields: Fields) -> dict[str, float | None]:
    fields.require_only(*CORPUS_FIGURES)
    figures: dict[str, float | None] = {}
    for name in CORPUS_FIGURES:
        if not fields.has(name):
            figures[name] = None
        elif name == "hours":
            figures[name] = fields.amount(name, 1e9)
        else:
            figures[name] = fields.whole(name, 0, 10**9)
    return figures


def _require_fields_of(kind: type[AudioSpec | Limits | NetworkSpec], fields: Fields) -> None:
    fields.require_only(*kind.__dataclass_fields__)
