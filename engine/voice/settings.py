"""`voice.toml`: what a voice is made of, as a person may read and edit it."""

import tomllib
import unicodedata
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, cast, get_args

import tomlkit
from msgspec import Meta
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Array, Item

from engine.choices import CleanerName, NetworkName, PresetName, RecipeName
from engine.data.audio_spec import MAX_FFT, AudioSpec
from engine.data.clips import Limits
from engine.data.metadata import clip_id_of
from engine.errors import InputError
from engine.formatting import brief
from engine.networks.specs import NetworkSpec, preset_spec
from engine.run.commands import MAX_SENTENCES, SetSentences
from engine.serialization import Amount, Count, Positive, from_plain
from engine.text.mapping import vocabulary_option
from engine.text.plain import composed_symbols
from engine.text.vocabulary import BBC_SYMBOLS, Vocabulary

_HEADER = (
    "# What this voice is made of. You may edit it while no training runs.\n"
    "# Removing the features folder beside it is safe; they are computed again.\n"
)
_COMMENTS = {
    "dataset": "the recordings, in LJ Speech layout; a relative path counts from this file",
    "symbols": "P is padding, E the end of a sentence; trained weights fit these alone",
    "cleaner": "english speaks numbers and abbreviations as words; plain takes text as it is",
    "dropout": "0.05 as the BBC's; 0 learns much faster from many hours, but overfits few",
    "keep_errors": "true also trains on clips that the check found errors in",
    "price": 'US dollars an hour for this machine, 0 when unknown, or "auto": as the cloud says',
    "budget": "US dollars that all training of this voice may cost, idle time included; 0: none",
    "checkpoint_every": "steps",
    "checkpoint_minutes": "of training after which a checkpoint is saved, whatever the step",
    "keep_newest": "the newest checkpoints are kept",
    "keep_every": "steps; checkpoints at its multiples are kept for good",
    "sentences": "what auditions and the series speak, up to 12; without any, a held-out text",
    "series": "whether each checkpoint speaks the sentences; it costs at most 2 % of the time",
    "evaluation": "whether each checkpoint is evaluated; it costs at most 2 % of the time, too",
    "tensorboard": "whether training writes event files for TensorBoard",
    "mirror": "where checkpoints were copied to; used only when --mirror names it",
    "id": "identifies this voice in its mirror; do not edit",
    "held_out": "clips that are never trained on, to evaluate with; do not edit",
    "left_out": "clips that you left out of training",
}
_AUTO = "auto"
_CHOICES: dict[str, tuple[str, ...]] = {
    "preset": get_args(PresetName),
    "recipe": get_args(RecipeName),
    "cleaner": get_args(CleanerName),
}
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
    price: Amount = 0.0
    """US dollars an hour; 0 where it is not known."""
    price_auto: bool = False
    """Whether the cloud, or else a table, is to say the price: `price = "auto"` in the file."""
    budget: Amount = 0.0
    """US dollars that all runs of the voice may cost, idle time included; 0 for no budget."""
    dropout: Annotated[float, Meta(ge=0, lt=1)] = 0.05
    """Share of activations dropped after every layer while training."""
    keep_errors: bool = False
    """Whether clips that the check finds errors in are trained on where they can be read."""
    seed: Count = 1
    checkpoint_every: Count = 1000
    """Steps."""
    checkpoint_minutes: Positive = 5.0
    """Minutes of training after which a checkpoint is made whatever the step."""
    keep_newest: Count = 5
    keep_every: Count = 50_000
    """Steps."""
    sentences: Annotated[tuple[str, ...], Meta(max_length=MAX_SENTENCES)] = ()
    """What auditions speak; empty until the first run has chosen a held-out clip's text."""
    series: bool = True
    """Whether each checkpoint speaks the sentences while training goes on."""
    evaluation: bool = True
    """Whether each checkpoint is evaluated while training goes on."""
    tensorboard: bool = False
    """Whether training writes event files for TensorBoard."""
    sharpening: Annotated[float, Meta(gt=0, le=3)] = 1.2
    """See `engine.speech.vocoder.VocoderSettings`."""
    mirror: Annotated[str, Meta(min_length=1)] | None = None
    """Where checkpoints were copied to. A run copies only to the mirror that its options name."""
    id: Annotated[str, Meta(min_length=1)] | None = None
    """Identifies the voice in its mirror; None for one that never had a mirror."""
    held_out: tuple[str, ...] = ()
    """Ids of clips that neither network is trained on; empty until the first run has chosen."""
    left_out: tuple[str, ...] = ()
    """Ids of clips that the person does not want; clips with errors are not among them."""
    audio: AudioSpec = field(default_factory=AudioSpec)
    limits: Limits = field(default_factory=Limits)

    def reading(self, vocabulary: str | None, cleaner: CleanerName | None) -> "VoiceSettings":
        """The settings with the symbols and the cleaner that options give, where they give any.

        Raises `InputError` for symbols that the cleaner can never read.
        """
        cleaner = cleaner or self.cleaner
        symbols = self.symbols if vocabulary is None else vocabulary_option(vocabulary, cleaner)
        return replace(self, symbols=symbols, cleaner=cleaner)

    def fresh_spec(self, network: NetworkName) -> NetworkSpec:
        """The sizes of a network that starts from fresh weights."""
        sizes = {"n_mels": self.audio.n_mels, "n_bins": self.audio.n_bins}
        return preset_spec(self.preset, network, vocabulary_size=len(self.symbols), **sizes)


_TABLES = {"audio": AudioSpec, "limits": Limits}
# That a price is "auto" is said in the price itself.
_SETTINGS = [one.name for one in fields(VoiceSettings) if one.name not in ("price_auto", *_TABLES)]
_SETTINGS += [f"{table}.{one.name}" for table, kind in _TABLES.items() for one in fields(kind)]
# These have a default in older files. One that lacks any other was cut off, and perhaps the budget
# with it.
_ADDED_LATER = {
    *("dataset", "cleaner", "budget", "dropout", "checkpoint_minutes", "mirror", "id", "held_out"),
    *("keep_errors", "left_out", "sentences", "series", "evaluation", "tensorboard"),
}


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
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"Cannot read {path}: {error}; correct that line.") from error
    try:
        values = _with_current_names(values)
        _require_known(values)
        settings = _converted(values)
        _require_usable(settings)
        # As `Audition` names them: samples of one text belong together.
        settings = replace(settings, sentences=SetSentences(settings.sentences).sentences)
        settings = replace(settings, left_out=tuple(map(clip_id_of, settings.left_out)))
    except (ValueError, InputError) as error:
        raise InputError(f"{path}: {str(error).rstrip('.')}.") from error
    _require_complete(values, path)
    return settings


def _with_current_names(values: dict[str, Any]) -> dict[str, Any]:
    """Settings of earlier versions, which had one sentence, under the names of today."""
    if "sentence" not in values:
        return values
    if "sentences" in values:
        raise ValueError("there are both sentence and sentences; delete sentence")
    values = dict(values)
    match values.pop("sentence"):
        case "":
            return values
        case str(sentence):
            return {**values, "sentences": [sentence]}
        case other:
            return {**values, "sentences": other}


def _converted(values: dict[str, Any]) -> VoiceSettings:
    if values.get("dataset") == "":
        raise ValueError('dataset is empty; write a line such as dataset = "recordings"')
    price_auto = values.get("price") == _AUTO
    if price_auto:
        values = {**values, "price": 0.0, "price_auto": True}
    try:
        settings = from_plain(values, VoiceSettings, "")
        # Typed as letters and accents apart, some come more than once: of no voice with weights.
        if len(set(settings.symbols)) < len(settings.symbols):
            settings = replace(settings, symbols=composed_symbols(settings.symbols))
        return settings
    except InputError as error:
        message = str(error).removeprefix(": ").removeprefix("$.")
        raise InputError(message + _advice(message.partition(":")[0], values)) from None


def _advice(name: str, values: dict[str, Any]) -> str:
    """What a setting is and what it could be, where that can be named."""
    if choices := _CHOICES.get(name):
        return f"; write {' or '.join(choices)}"
    value: Any = values
    example: Any = VoiceSettings(
        Path("recordings"), sentences=("Good morning.",), held_out=("clip-1",), left_out=("clip-2",)
    )
    for part in name.partition("[")[0].split("."):
        if not isinstance(value, dict) or part not in value:
            return ""
        value, example = value[part], getattr(example, part, None)
    example = list(example) if isinstance(example, tuple) else example
    return f"; it is {brief(value)}, write it like {example}"


def _require_known(values: dict[str, Any]) -> None:
    """Refuse names that are no settings, as a misspelled budget would be."""
    for table in _TABLES:
        if not isinstance(values.get(table, {}), dict):
            raise ValueError(f"{table} is {brief(values[table])}; write a table of settings")
    for name in _dotted(values):
        if name not in _SETTINGS:
            near = get_close_matches(name, _SETTINGS, 1) or _SETTINGS
            raise ValueError(f"there is no setting {brief(name)}; write {' or '.join(near)}")


def _require_complete(values: dict[str, Any], path: Path) -> None:
    """Refuse settings that were cut off: with defaults in their place a budget would be gone."""
    missing = [name for name in _SETTINGS if name not in {*_dotted(values), *_ADDED_LATER}]
    if missing:
        more = f" and {len(missing) - _MAX_NAMED} more" if len(missing) > _MAX_NAMED else ""
        raise InputError(
            f"{path} is incomplete: it lacks {', '.join(missing[:_MAX_NAMED])}{more}; "
            f"{_HOW_TO_RESTORE}, or add what is missing as the voice had it."
        )


def _dotted(values: dict[str, Any]) -> Iterator[str]:
    """The names of settings, those in a table with its name before them: `audio.n_fft`."""
    for name, value in values.items():
        if name in _TABLES:
            yield from (f"{name}.{key}" for key in value)
        else:
            yield name


def _require_usable(settings: VoiceSettings) -> None:
    """Refuse values that do not fit each other."""
    Vocabulary(settings.symbols)
    texts = [("symbols", settings.symbols), *(("sentences", text) for text in settings.sentences)]
    for name, text in texts:
        # Characters that join letters may be needed.
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
            raise ValueError(f"{name} has control characters in it: {text[:100]!r}; leave them out")
    if not all(map(str.strip, settings.sentences)):
        raise ValueError("sentences has an empty one in it; leave it out")
    audio = settings.audio
    if audio.reduction != _REDUCTION:
        raise ValueError(f"audio.reduction is {audio.reduction}; the networks need {_REDUCTION}")
    for name, limit, what in (
        ("n_fft", MAX_FFT, "the maximum"),
        ("win_length", audio.n_fft, "n_fft"),
        ("hop_length", audio.win_length, "win_length"),
        ("n_mels", audio.n_bins, "the bins of n_fft"),
    ):
        value = getattr(audio, name)
        if value > limit:
            raise ValueError(f"audio.{name} is {value}; give at most {what}, {limit}")


def settings_text(
    new: VoiceSettings, old: VoiceSettings | None = None, text: str | None = None
) -> str:
    """Return the text of `voice.toml` with what changed from `old` to `new`, all else kept.

    Without a text, or without `old`, everything is written.

    Raises:
        InputError: the text is not TOML.
    """
    try:
        document = tomlkit.parse(_HEADER if text is None else text)
        before = {} if text is None or old is None else _plain(old)
        after = _plain(new)
        for name in before.keys() - after.keys():
            document.pop(name, None)
        if new.sentences != before.get("sentences", ()):
            document.pop("sentence", None)  # of an earlier version
        for name, value in after.items():
            if isinstance(value, dict):
                _write_table(document, name, value, before.get(name, {}))
            elif name not in before or before[name] != value:
                fresh = name not in document
                document[name] = value
                if isinstance(item := document.item(name), Array):
                    item.multiline(name == "sentences" and len(value) > 1)
                if fresh and name in _COMMENTS:
                    # A plain `True` is no item that could have a comment.
                    cast(Item, document.item(name)).comment(_COMMENTS[name])
        return tomlkit.dumps(document)
    except TOMLKitError as error:
        raise InputError(f"Cannot edit voice.toml: {error}; correct that line.") from error


def _plain(settings: VoiceSettings) -> dict[str, Any]:
    # TOML has no word for nothing: the line is left out.
    plain = {name: value for name, value in asdict(settings).items() if value not in (None, ())}
    dataset = plain.pop("dataset", None)
    if plain.pop("price_auto"):
        plain["price"] = _AUTO
    return plain if dataset is None else {"dataset": str(dataset), **plain}


def _write_table(
    document: tomlkit.TOMLDocument, name: str, new: dict[str, Any], old: dict[str, Any]
) -> None:
    changes = {key: value for key, value in new.items() if key not in old or old[key] != value}
    if changes:
        document.setdefault(name, tomlkit.table()).update(changes)
