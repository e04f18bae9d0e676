"""What an order means for its voice: contradictions are told before anything heavy is loaded."""

import math
import secrets
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.checkpoints.state import read_state, source_checkpoints
from engine.choices import CloudName
from engine.errors import InputError
from engine.machine.cloud.detect import chosen_cloud, metadata_base
from engine.machine.cloud.metadata import require_base
from engine.machine.lock import LOCK_NAME
from engine.networks.specs import preset_of
from engine.preflight_stop import require_stop_ahead
from engine.run.options import Price, TrainOptions
from engine.run.stop import AlreadyThereError
from engine.text.mapping import require_vocabulary
from engine.text.vocabulary import Vocabulary
from engine.voice.dataset import as_stored, require_dataset
from engine.voice.folder import OLD_EXPORT, RESTORING, Voice
from engine.voice.layout import is_checkpoint, list_checkpoints
from engine.voice.settings import VoiceSettings
from engine.voice.spend import SpendLog

# What a run that ended early may have left in the folder of a voice that is yet to be.
_LEFTOVERS = {
    LOCK_NAME,
    "socket",
    "voicecoach.log",
    "features",
    "corpus.json",
    "check.json",
    RESTORING,
}


@dataclass(frozen=True)
class Plan:
    """An order that can be carried out, as far as can be told without reading the corpus."""

    settings: VoiceSettings
    """The settings that the run has: the voice's, with what the order changes."""
    step: int
    """The global step from which training goes on."""
    new: bool
    """Whether the voice is yet to be made."""
    takes_dataset: bool
    """Whether the voice learns from its dataset for the first time: one that is new or has been
    imported. A dataset that then proves of no use must leave no trace in it."""
    stop_text: str = ""
    """The stop as it was asked for, by this order or by that of the run which it takes up."""
    budget_before: float | None = None
    """The budget in US dollars that the order changes, 0 where there was none; None where the
    order leaves it."""
    cloud: CloudName | None = None
    """The cloud whose metadata service may be asked; None where not one request may leave."""


def make_plan(options: TrainOptions) -> Plan:
    """Check an order against its voice folder.

    Raises:
        AlreadyThereError: the voice has been trained to its stop, or its budget is used up.
        InputError: the order contradicts the voice, the dataset or the source, or its stop lies
            behind.
    """
    folder = options.voice_folder
    if options.vocabulary is not None:
        require_vocabulary(options.vocabulary)
    new = not Voice.exists(folder)
    settings = _new_settings(options) if new else _settings_of(options)
    changes: dict[str, Any] = {
        "recipe": options.recipe,
        "dropout": options.dropout,
        "budget": options.budget,
        "checkpoint_every": options.checkpoint_every,
        "checkpoint_minutes": options.checkpoint_minutes,
        "mirror": options.mirror,
    }
    said = {name: value for name, value in changes.items() if value is not None}
    budget_before = None if options.budget in (None, settings.budget) else settings.budget
    settings = _with_price(_with_id(replace(settings, **said)), options.price)
    cloud = _cloud_of(options)
    if settings.dataset is None:
        raise InputError(
            f"The voice in {folder} has no recordings yet; say what it shall learn from: "
            f"`voicecoach train DATASET --voice {folder}`."
        )
    dataset = (folder / settings.dataset).resolve()
    require_dataset(dataset)
    if new:
        _require_room(folder, dataset)
    takes_dataset = new or Voice.open(folder).settings.dataset is None
    plan = Plan(settings, _step_of(options), new, takes_dataset, "", budget_before, cloud)
    spend = SpendLog(folder / "spend.jsonl")
    # One that the cloud is yet to say can be asked for money as well.
    price = math.inf if cloud and settings.price_auto else settings.price
    if settings.budget > 0:
        _require_countable(settings.budget, spend)
        _require_budget(settings.budget, spend, price)
    return replace(plan, stop_text=require_stop_ahead(options, plan.step, spend, price))


def _require_countable(budget: float, spend: SpendLog) -> None:
    """Refuse a budget where nothing that was spent can be read, as after a power cut.

    Raises:
        InputError: saying what to do about the spend.
    """
    if spend.unreadable and not spend.entries:
        raise InputError(
            f"the budget of ${budget:,.2f} cannot be enforced, because {spend.path} is damaged: "
            f"none of its lines can be read; restore it from a backup or the voice's mirror, or "
            f"remove it to count from $0"
        )


def _require_budget(budget: float, spend: SpendLog, price: float) -> None:
    """Refuse a budget that is used up, or that nobody can watch.

    Raises:
        AlreadyThereError: it is used up; saying what is spent, and on what.
        InputError: there is no price.
    """
    if price <= 0:
        raise InputError(
            f"the budget of ${budget:,.2f} cannot be enforced, because this run has no price; give "
            f"--price in $ an hour, or --budget none"
        )
    if spend.usd >= budget:
        spent, idle = spend.usd, spend.idle_usd
        raise AlreadyThereError(
            f"the budget of ${budget:,.2f} is used up: ${spent:,.2f} is spent, "
            f"${spent - idle:,.2f} on training and ${idle:,.2f} on idle time; give a larger "
            f"--budget, or none"
        )


def _cloud_of(options: TrainOptions) -> CloudName | None:
    """The cloud whose metadata service may be asked.

    Raises:
        InputError: there is none, and the price is to come from it; or its address is none.
    """
    cloud = chosen_cloud(options.cloud)
    if options.price == "auto" and cloud is None:
        raise InputError(
            "--price auto needs a machine of AWS, GCP or Azure, and the firmware of this one names "
            "none of them; give US dollars an hour, such as --price 0.99."
        )
    if cloud is not None:
        require_base(metadata_base(cloud, options.metadata_url))
    return cloud


def _with_id(settings: VoiceSettings) -> VoiceSettings:
    """The settings with what a mirror knows the voice by, where it has a mirror."""
    if settings.mirror is None or settings.id is not None:
        return settings
    return replace(settings, id=secrets.token_hex(16))


def _with_price(settings: VoiceSettings, price: Price | None) -> VoiceSettings:
    if price is None:
        return settings
    if price == "auto":
        return replace(settings, price=0.0, price_auto=True)
    return replace(settings, price=price, price_auto=False)


def _step_of(options: TrainOptions) -> int:
    entries = list_checkpoints(options.voice_folder / options.network / "checkpoints")
    if entries:
        return entries[-1].step
    if options.source is None:
        return 0
    source = source_checkpoints(options.source).get(options.network)
    return 0 if source is None else read_state(source).step


def _settings_of(options: TrainOptions) -> VoiceSettings:
    """The settings of a voice that exists."""
    folder = options.voice_folder
    voice = Voice.open(folder)
    settings = voice.settings
    if settings.dataset is None:
        # A voice that was imported: the first recordings that it is trained on become its own.
        given = options.dataset and as_stored(options.dataset, folder)
        settings = replace(settings, dataset=given)
    elif options.dataset is not None and options.dataset.resolve() != voice.dataset:
        raise InputError(
            f"The voice in {folder} learns from {voice.dataset}, not from {options.dataset}; leave "
            f"the dataset out, or make another voice with --voice."
        )
    if options.preset is not None and options.preset != settings.preset:
        raise InputError(
            f"The voice in {folder} has the preset {settings.preset}, not {options.preset}; "
            f"leave --preset out, or make another voice with --voice."
        )
    _require_own_vocabulary(options, settings)
    if options.source is not None:
        if voice.checkpoints(options.network):
            raise InputError(
                f"The voice in {folder} has a {options.network} already, which --from would "
                f"replace; leave --from out to train it on, or make another voice with --voice."
            )
        _require_fitting_source(options)
    return settings


def _require_own_vocabulary(options: TrainOptions, settings: VoiceSettings) -> None:
    """Refuse other symbols for a voice that exists: its weights know their rows by them.

    Raises:
        InputError: saying how to make a voice with those symbols.
    """
    folder = options.voice_folder
    if options.vocabulary is not None and options.vocabulary != settings.symbols:
        raise InputError(
            f"The voice in {folder} reads the symbols {settings.symbols!r}, and a voice keeps its "
            f"symbols; leave --vocabulary out, or make another voice from it: `voicecoach train "
            f"DATASET --voice NEW --from {folder} --vocabulary {shlex.quote(options.vocabulary)}`."
        )
    if options.cleaner is not None and options.cleaner != settings.cleaner:
        raise InputError(
            f"The voice in {folder} has the cleaner {settings.cleaner}, not {options.cleaner}; "
            f"leave --cleaner out, or make another voice from it: `voicecoach train DATASET "
            f"--voice NEW --from {folder} --cleaner {options.cleaner}`."
        )


def _new_settings(options: TrainOptions) -> VoiceSettings:
    """The settings of a new voice: the source's, where there is one."""
    folder = options.voice_folder
    if options.dataset is None:
        raise InputError(
            f"There is no voice in {folder}; say what it shall learn from: "
            f"`voicecoach train DATASET --voice {folder}`."
        )
    settings = VoiceSettings(dataset=as_stored(options.dataset, folder))
    if options.source is not None:
        settings = _like_source(options.source, settings)
        if options.preset is not None and options.preset != settings.preset:
            raise InputError(
                f"The weights in {options.source} have the preset {settings.preset}, not "
                f"{options.preset}; leave --preset out."
            )
        _require_fitting_source(options)
    said: dict[str, Any] = {
        "preset": options.preset,
        "symbols": options.vocabulary,
        "cleaner": options.cleaner,
    }
    return replace(settings, **{name: value for name, value in said.items() if value is not None})


def _like_source(source: Path, settings: VoiceSettings) -> VoiceSettings:
    """Settings for weights that come from another voice or from a checkpoint of one.

    Raises:
        InputError: `source` is neither.
    """
    home = source
    if is_checkpoint(source):
        home = _home_of(source)
        if not Voice.exists(home):
            preset = preset_of(read_state(source).network_spec) or settings.preset
            return replace(settings, symbols=_symbols_of(source), preset=preset)
    if not Voice.exists(home) and not (home / OLD_EXPORT).is_file():
        raise InputError(
            f"{source} is neither a voice (no voice.toml) nor a checkpoint (no state.json); give "
            f"the folder of a voice, or one of its step-… folders."
        )
    theirs = Voice.open(home).settings
    return replace(
        settings,
        preset=theirs.preset,
        symbols=theirs.symbols,
        cleaner=theirs.cleaner,
        sentence=theirs.sentence,
        dropout=theirs.dropout,
        sharpening=theirs.sharpening,
        audio=theirs.audio,
        limits=theirs.limits,
    )


def _require_fitting_source(options: TrainOptions) -> None:
    """Refuse a lone checkpoint of another network, and weights that their own voice disowns.

    Other symbols than the voice's are no hindrance: each finds its row, or a neighbour's.

    Raises:
        InputError: saying what does not fit.
    """
    assert options.source is not None
    found = source_checkpoints(options.source)
    if is_checkpoint(options.source):
        theirs = read_state(options.source).network
        if options.network != theirs:
            raise InputError(
                f"{options.source} is a checkpoint of {theirs}, not of {options.network}; give the "
                f"folder of its voice, or --network {theirs}."
            )
    if "text2mel" not in found:
        return
    weights = found["text2mel"]
    symbols = _symbols_of(weights)
    home = _home_of(weights)
    if Voice.exists(home) and symbols != (owned := Voice.open(home).settings.symbols):
        raise InputError(
            f"The weights in {weights} were trained with the symbols {symbols!r}, but the "
            f"voice.toml in {home} says {owned!r}; write the former there."
        )


def _symbols_of(checkpoint: Path) -> str:
    """The symbols that a checkpoint was trained with.

    Raises:
        InputError: they are no vocabulary.
    """
    symbols = read_state(checkpoint).symbols
    try:
        Vocabulary(symbols)
    except InputError as error:
        raise InputError(f"The weights in {checkpoint} cannot be taken over: {error}") from error
    return symbols


def _home_of(checkpoint: Path) -> Path:
    """The voice folder that a checkpoint would be of, by where it lies."""
    return checkpoint.resolve().parent.parent.parent


def _require_room(folder: Path, dataset: Path) -> None:
    """Refuse to make a voice among somebody's other files."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; give a folder with --voice.")
    if not folder.exists():
        return
    inside = dataset.is_relative_to(folder.resolve()) and dataset != folder.resolve()
    expected = {dataset.relative_to(folder.resolve()).parts[0]} if inside else set()
    try:
        strange = sorted({path.name for path in folder.iterdir()} - expected - _LEFTOVERS)
    except OSError as error:
        raise InputError(
            f"Cannot read the folder {folder}: {error.strerror}; name another one with --voice."
        ) from error
    if strange:
        raise InputError(
            f"{folder} holds something else than a voice ({strange[0]}); name a new folder "
            f"with --voice."
        )
