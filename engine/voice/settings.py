"""`voice.toml`: what a voice is made of, as a person may read and edit it."""

import tomllib
import unicodedata
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, get_args

import tomlkit
from tomlkit.exceptions import TOMLKitError

from engine.choices import CleanerName, PresetName, RecipeName
from engine.data.audio import MAX_FFT, AudioSpec
from engine.data.clips import Limits
from engine.errors import InputError
from engine.formatting import brief
from engine.text.vocabulary import BBC_SYMBOLS, Vocabulary

DEFAULT_SENTENCE = "The morning train leaves at half past seven."
"""What auditions speak until the person says otherwise."""

_HEADER = (
    "What this voice is made of. You may edit it while no training runs.\n"
    "Removing the features folder beside it is safe; they are computed again.\n"
)
_COMMENTS = {
    "dataset": "the recordings, in LJ Speech layout; a relative path counts from this file",
    "symbols": "P is padding, E the end of a sentence; trained weights fit these alone",
    "cleaner": "english speaks numbers and abbreviations as words; plain takes text as it is",
    "dropout": "0.05 as the BBC's; 0 learns much faster from many hours, but overfits few",
    "price": 'US dollars an hour for this machine, 0 when unknown, or "auto": as the cloud says',
    "budget": "US dollars that all training of this voice may cost, idle time included; 0: none",
    "checkpoint_every": "steps",
    "checkpoint_minutes": "of training that may be lost with the machine at most",
    "keep_newest": "checkpoints that are kept whatever their step",
    "keep_every": "steps; a checkpoint at each multiple is kept for good",
    "sentence": "what auditions speak",
    "mirror": "where checkpoints are copied to, on machines on which --mirror has named it once",
    "id": "by which a mirror knows this voice again; do not edit",
}
_AUTO = "auto"
_MAY_BE_ZERO = ("price", "budget", "dropout", "audio.preemphasis")
_LARGEST = 2**31 - 1
# In every voice.toml since the first; what came later has a default in older files. A file that
# was cut off lacks some of them, and perhaps the budget with them.
_ALWAYS_THERE = (
    *("preset", "recipe", "symbols", "price", "seed", "checkpoint_every", "keep_newest"),
    *("keep_every", "sentence", "sharpening"),
    *(f"audio.{entry.name}" for entry in fields(AudioSpec)),
    *(f"limits.{entry.name}" for entry in fields(Limits)),
)
_MAX_NAMED = 4
_HOW_TO_RESTORE = (
    "restore it from a backup or the voice's mirror (`train --mirror URL` fetches it once the "
    "damaged file is removed)"
)
# Two layers of SSRN double the frames: four fine ones to a coarse one are built in.
_REDUCTION = 4


@dataclass(frozen=True)
class VoiceSettings:
    """What `voice.toml` says."""

    dataset: Path | None = None
    """The recordings; a relative path counts from the voice folder, which may then be moved.
    None for a voice that has been imported and not been trained on."""
    preset: PresetName = "bbc"
    recipe: RecipeName = "standard"
    symbols: str = BBC_SYMBOLS
    cleaner: CleanerName = "english"
    """How text is made to fit the symbols; see `engine.text.vocabulary`."""
    price: float = 0.0
    """US dollars an hour; 0 where it is not known."""
    price_auto: bool = False
    """Whether the cloud, or else a table, is to say the price: `price = "auto"` in the file."""
    budget: float = 0.0
    """US dollars that all runs of the voice may cost, idle time included; 0 for no budget."""
    dropout: float = 0.05
    """Share of activations dropped after every layer while training."""
    seed: int = 1
    checkpoint_every: int = 1000
    """Steps."""
    checkpoint_minutes: float = 5.0
    """Minutes of training after which a checkpoint is made whatever the step."""
    keep_newest: int = 5
    keep_every: int = 50_000
    """Steps."""
    sentence: str = DEFAULT_SENTENCE
    sharpening: float = 1.2
    """See `engine.speech.vocoder.VocoderSettings`."""
    mirror: str | None = None
    """Where checkpoints are copied to, if a person named it here; see `engine.mirror.named`."""
    id: str | None = None
    """By which a mirror knows the voice again; None for one that never had a mirror."""
    audio: AudioSpec = field(default_factory=AudioSpec)
    limits: Limits = field(default_factory=Limits)


def parse_settings(text: str, path: Path) -> VoiceSettings:
    """Read the text of the `voice.toml` at `path`.

    Raises:
        InputError: it is not TOML, it lacks settings, or one is unknown or of no use; the message
            names file and setting.
    """
    if "\0" in text:
        # What some file systems leave of a file that was written just before a power cut.
        raise InputError(f"{path} is damaged: it holds NUL bytes; {_HOW_TO_RESTORE}.")
    try:
        said = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"Cannot read {path}: {error}; mend that line.") from error
    dataset = said.get("dataset")
    if dataset is not None and (not isinstance(dataset, str) or not dataset.strip("\0")):
        raise InputError(f'{path} names no dataset; write a line such as dataset = "recordings".')
    try:
        price_auto = said.get("price") == _AUTO
        values = _checked(VoiceSettings, {**said, "price": 0.0} if price_auto else said)
        values["price_auto"] = price_auto
        values["dataset"] = None if dataset is None else Path(dataset)
        values["audio"] = AudioSpec(**_checked(AudioSpec, said.get("audio", {}), "audio."))
        values["limits"] = Limits(**_checked(Limits, said.get("limits", {}), "limits."))
        _require_choice(values, "preset", get_args(PresetName))
        _require_choice(values, "recipe", get_args(RecipeName))
        _require_choice(values, "cleaner", get_args(CleanerName))
        settings = VoiceSettings(**values)
        _require_sound_audio(settings.audio)
        _require_room_to_speak(settings.limits)
        Vocabulary(settings.symbols)
        _require_shown(settings)
        _require_words(values, "mirror")
        _require_words(values, "id")
    except (ValueError, InputError) as error:
        raise InputError(f"{path}: {str(error).rstrip('.')}.") from error
    _require_complete(said, path)
    return settings


def _require_complete(said: dict[str, Any], path: Path) -> None:
    """Refuse settings that were cut off: with the defaults in their place a budget would be gone.

    Raises:
        InputError: naming what is missing.
    """
    found = set(said)
    for table in ("audio", "limits"):
        found |= {f"{table}.{name}" for name in said.get(table, {})}
    missing = [name for name in _ALWAYS_THERE if name not in found]
    if missing:
        more = f" and {len(missing) - _MAX_NAMED} more" if len(missing) > _MAX_NAMED else ""
        raise InputError(
            f"{path} is incomplete: it lacks {', '.join(missing[:_MAX_NAMED])}{more}; "
            f"{_HOW_TO_RESTORE}, or add what is missing as the voice had it."
        )


def edited(text: str | None, old: VoiceSettings | None, new: VoiceSettings) -> str:
    """Return the text of `voice.toml` with what changed from `old` to `new`, all else kept.

    Without a text, or without `old`, everything is written.

    Raises:
        InputError: the text is not TOML.
    """
    try:
        document = _new_document() if text is None else tomlkit.parse(text)
        before = {} if text is None or old is None else _plain(old)
        for name, value in _plain(new).items():
            if isinstance(value, dict):
                _write_table(document, name, value, before.get(name, {}))
            elif name not in before or before[name] != value:
                fresh = name not in document
                document[name] = value
                if fresh and name in _COMMENTS:
                    document[name].comment(_COMMENTS[name])
        return tomlkit.dumps(document)
    except TOMLKitError as error:
        raise InputError(f"Cannot edit voice.toml: {error}; mend that line.") from error


def _plain(settings: VoiceSettings) -> dict[str, Any]:
    # TOML has no word for nothing: the line is left out.
    plain = {name: value for name, value in asdict(settings).items() if value is not None}
    dataset = plain.pop("dataset", None)
    if plain.pop("price_auto"):
        plain["price"] = _AUTO
    return plain if dataset is None else {"dataset": str(dataset), **plain}


def _new_document() -> tomlkit.TOMLDocument:
    document = tomlkit.document()
    for line in _HEADER.splitlines():
        document.add(tomlkit.comment(line))
    return document


def _write_table(
    document: tomlkit.TOMLDocument, name: str, new: dict[str, Any], old: dict[str, Any]
) -> None:
    changes = {key: value for key, value in new.items() if key not in old or old[key] != value}
    if changes:
        document.setdefault(name, tomlkit.table()).update(changes)


def _require_words(values: dict[str, Any], key: str) -> None:
    if key in values and (not isinstance(values[key], str) or not values[key]):
        raise ValueError(
            f"{key} is {brief(values[key])}; write text in quotes, or leave the line out"
        )


def _require_shown(settings: VoiceSettings) -> None:
    """Refuse texts with characters that a terminal obeys; those that join letters may be needed."""
    for name, text in (("symbols", settings.symbols), ("sentence", settings.sentence)):
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
            raise ValueError(f"{name} has control characters in it: {text[:100]!r}; leave them out")


def _require_choice(values: dict[str, Any], key: str, choices: tuple[str, ...]) -> None:
    if key in values and values[key] not in choices:
        raise ValueError(f"{key} is {brief(values[key])}; write one of {', '.join(choices)}")


def _require_sound_audio(audio: AudioSpec) -> None:
    """Refuse constants that no analysis can work with.

    Raises:
        ValueError: saying which.
    """
    if audio.reduction != _REDUCTION:
        raise ValueError(f"audio.reduction is {audio.reduction}; the networks need {_REDUCTION}")
    if audio.n_fft > MAX_FFT:
        raise ValueError(f"audio.n_fft is {audio.n_fft}; give at most {MAX_FFT}, such as 2048")
    if audio.win_length > audio.n_fft:
        raise ValueError(
            f"audio.win_length is {audio.win_length}; give at most n_fft, {audio.n_fft}"
        )
    if audio.hop_length > audio.win_length:
        raise ValueError(
            f"audio.hop_length is {audio.hop_length}; give at most win_length, {audio.win_length}"
        )
    if audio.n_mels > audio.n_bins:
        raise ValueError(
            f"audio.n_mels is {audio.n_mels}; give at most the {audio.n_bins} bins of n_fft"
        )


def _require_room_to_speak(limits: Limits) -> None:
    if limits.max_characters < 2:
        raise ValueError("limits.max_characters is 1; give room for a character and the end")


def _checked(
    kind: type[VoiceSettings | AudioSpec | Limits], said: object, prefix: str = ""
) -> dict[str, Any]:
    """Return the settings of a table, whole numbers made fractions where those are wanted.

    Raises:
        ValueError: a name is unknown, or a value of the wrong type or sign.
    """
    if not isinstance(said, dict):
        raise ValueError(f"{prefix.rstrip('.')} is {brief(said)}; write a table of settings")
    # That a price is "auto" is said in the price itself.
    known = {entry.name: entry.default for entry in fields(kind) if entry.name != "price_auto"}
    values: dict[str, Any] = {}
    for name, value in said.items():
        if name not in known:
            raise ValueError(
                f"there is no setting {brief(prefix + name)}; the names are {', '.join(known)}"
            )
        default = known[name]
        if isinstance(default, float) and type(value) is int and abs(value) <= _LARGEST:
            value = float(value)
        if isinstance(default, int | float | str) and type(value) is not type(default):
            raise ValueError(f"{prefix}{name} is {brief(value)}; write it like {default!r}")
        if isinstance(value, int | float):
            _require_positive(prefix + name, value)
        values[name] = value
    return values


def _require_positive(name: str, value: float) -> None:
    # What is no number is in no range either.
    if not value <= _LARGEST:
        raise ValueError(f"{name} is too large; give at most {_LARGEST:,}")
    if name == "dropout" and value >= 1:
        raise ValueError(f"dropout is {value!r}; give a share below 1, such as 0.05")
    if value < 0 or (value == 0 and name not in _MAY_BE_ZERO):
        raise ValueError(f"{name} is {brief(value)}; give a positive number")
