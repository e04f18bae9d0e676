"""Can these options train this voice? Contradictions are found before anything heavy is loaded.

What both mean for the stop, the budget and the price is settled here; the trainer is handed it.
"""

import math
import secrets
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from engine.checkpoints.state import is_intact, read_state, source_checkpoints
from engine.choices import CloudName
from engine.data.clips import require_layout, scan_corpus
from engine.errors import InputError
from engine.formatting import dollars
from engine.machine.cloud.detect import chosen_cloud
from engine.machine.cloud.providers import metadata_base
from engine.networks.specs import preset_of
from engine.run.options import QUOTE_A_SUM, TrainOptions
from engine.run.sample import FIRST_OF_TWO
from engine.run.stop import AlreadyThereError, StopPoint, StopRule, StoredStop, read_stored_stop
from engine.text.plain import composed_symbols
from engine.text.vocabulary import Vocabulary
from engine.voice.dataset import LEFTOVERS, require_free
from engine.voice.event_files import require_event_writer
from engine.voice.folder import OLD_EXPORT, Voice, as_stored
from engine.voice.layout import is_checkpoint, list_checkpoints
from engine.voice.settings import VoiceSettings
from engine.voice.spend import SpendLog

_Resolve = Callable[[StopRule | StoredStop, int], StopPoint]
"""Where a stop lies for a voice at a step; raises as `StopRule.resolve`."""

Note = tuple[Literal["event", "warn"], str]
"""What is told when the run starts, and the method of the publisher that tells it."""


@dataclass(frozen=True)
class Preflight:
    """How a run starts, as far as can be told without reading the corpus."""

    settings: VoiceSettings
    """The voice's settings, with what the options change. Where an existing voice is to learn from
    other recordings, they still name those of before."""
    dataset: Path
    """The recordings to train on."""
    step: int
    """The global step from which training goes on."""
    new: bool
    """Whether the voice is yet to be made."""
    takes_dataset: bool
    """Whether the voice is new or imported, and learns from its dataset for the first time. A
    dataset that then proves of no use must leave no trace in it."""
    stop: StopRule | StoredStop | None
    """When to stop: as the options say, or where the previous run was to stop."""
    cloud: CloudName | None
    """The cloud whose metadata service may be asked; None where not one request may leave."""
    notes: list[Note]
    """What the person is told when the run starts."""


def check_options(options: TrainOptions) -> Preflight:
    """Check the options against the voice folder.

    Raises:
        AlreadyThereError: the voice has been trained to its stop, or its budget is used up.
        InputError: the options contradict the voice, the dataset or the source, or the stop lies
            behind.
    """
    folder = options.voice_folder
    new = not Voice.exists(folder)
    before = _new_settings(options) if new else _existing_settings(options)
    settings = _with_options(before, options)
    dataset = _dataset(options, settings)
    if new:
        require_free(folder, LEFTOVERS, dataset)
    if options.stop_when and not settings.evaluation:
        raise InputError(
            f"--stop-when {options.stop_when} needs checkpoints to be evaluated: set "
            f"evaluation = true in {folder / 'voice.toml'}"
        )
    cloud = _cloud(options)
    # A price that the cloud is yet to say can be asked for money as well.
    price = math.inf if cloud and settings.price_auto else settings.price
    log = SpendLog(folder / "spend.jsonl")
    _check_budget(settings.budget, log, price)
    first: list[Note] = (
        [("event", FIRST_OF_TWO)] if new and options.networks == ("text2mel",) else []
    )
    notes = [*_budget_notes(before.budget, settings.budget), *first]
    if not (new or options.keep_errors) and (copy := _clean_copy(Voice.open(folder), dataset)):
        text = f"training on {copy}, the clean copy of {dataset}, as before"
        notes.append(("event", f"{text}; `dataset` in voice.toml changes that"))
        dataset = copy

    def resolve(stop: StopRule | StoredStop, step: int) -> StopPoint:
        return stop.resolve(step, log.seconds, log.usd, price)

    step = _first_step(options)
    return Preflight(
        settings=settings,
        dataset=dataset,
        step=step,
        new=new,
        takes_dataset=new or Voice.open(folder).settings.dataset is None,
        stop=_stop(options, step, resolve, notes),
        cloud=cloud,
        notes=notes,
    )


# The price, the budget and the stop


def _cloud(options: TrainOptions) -> CloudName | None:
    """The cloud whose metadata service may be asked."""
    cloud = chosen_cloud(options.cloud)
    if options.price == "auto" and cloud is None:
        raise InputError(
            "--price auto needs a machine of AWS, GCP or Azure, and the firmware of this one names "
            "none of them; give US dollars an hour, such as --price 0.99."
        )
    if cloud is not None:
        metadata_base(cloud, options.metadata_url)  # refuses what is no address
    return cloud


def _check_budget(budget: float, log: SpendLog, price: float) -> None:
    """Refuse a budget that is used up, or that cannot be enforced; 0 is none."""
    if budget <= 0:
        return
    if log.unreadable and not log.entries:
        raise InputError(
            f"the budget of {dollars(budget)} cannot be enforced, because {log.path} is damaged: "
            f"none of its lines can be read; restore it from a backup or the voice's mirror, or "
            f"remove it to count from $0"
        )
    if price <= 0:
        raise InputError(
            f"the budget of {dollars(budget)} cannot be enforced, because this run has no price; "
            f"give --price in $ an hour, or --budget none"
        )
    if log.usd >= budget:
        spent, idle = log.usd, log.idle_usd
        raise AlreadyThereError(
            f"the budget of {dollars(budget)} is used up: {dollars(spent)} is spent, "
            f"{dollars(spent - idle)} on training and {dollars(idle)} on idle time; give a larger "
            f"--budget, or none"
        )


def _budget_notes(before: float, now: float) -> list[Note]:
    """Say that the options change the budget: a shell may have made another sum of it."""
    if before == now:
        return []
    was, is_ = (dollars(usd) if usd else "none" for usd in (before, now))
    # What is likely to be a mistake ends the run early, or never.
    likely_wrong = before > 0 and (now == 0 or now < before)
    return [("warn" if likely_wrong else "event", f"budget is now {is_} (was {was})")]


def _stop(
    options: TrainOptions, step: int, resolve: _Resolve, notes: list[Note]
) -> StopRule | StoredStop | None:
    """When to stop; notes where the previous run was to stop elsewhere."""
    if isinstance(options.stop, StoredStop):
        return options.stop
    try:
        stored = read_stored_stop(options.voice_folder / options.network)
    except InputError as error:
        if options.stop is None:
            raise
        stored = None
        notes.append(("warn", str(error)))
    if stored is not None and stored.matches(options.stop):
        _require_ahead(stored, options, step, resolve)
        return stored
    rule = options.stop if isinstance(options.stop, StopRule) else None
    if rule is not None:
        _require_ahead(rule, options, step, resolve)
    if stored is not None:
        now = rule.text if rule else "no stop"
        notes.append(("event", f"stop changed from {stored.point.words} to {now}"))
    return rule


def _require_ahead(
    stop: StopRule | StoredStop, options: TrainOptions, step: int, resolve: _Resolve
) -> None:
    """Refuse a stop that lies behind the newest checkpoint that is not damaged."""
    try:
        resolve(stop, step)
        return
    except InputError as error:
        checkpoints = list_checkpoints(options.voice_folder / options.network / "checkpoints")
        # To read all checkpoints takes long, and is needed only where the answer depends on it.
        sound = next((one.step for one in reversed(checkpoints) if is_intact(one.path)), step)
        there = isinstance(error, AlreadyThereError)
        if sound == step and there and not checkpoints:
            # Where the weights of another voice stand, this one has not been trained to.
            raise InputError(str(error)) from error
        if sound == step and stop.text.isdecimal() and not there:
            raise InputError(f"{error}; {QUOTE_A_SUM}") from error
        if sound == step:
            raise
    resolve(stop, sound)


def _first_step(options: TrainOptions) -> int:
    checkpoints = list_checkpoints(options.voice_folder / options.network / "checkpoints")
    if checkpoints:
        return checkpoints[-1].step
    if options.source is None:
        return 0
    source = source_checkpoints(options.source).get(options.network)
    return 0 if source is None else read_state(source).step


# The recordings and the settings


def _dataset(options: TrainOptions, settings: VoiceSettings) -> Path:
    """The recordings to train on: those named, or else the voice's own."""
    if options.dataset is not None:
        require_layout(options.dataset)
        return options.dataset.resolve()
    folder = options.voice_folder
    command = f"train DATASET --voice {shlex.quote(str(folder))}"
    command += "" if options.network == "text2mel" else f" --network {options.network}"
    if settings.dataset is None:
        raise InputError(
            f"The voice in {folder} has no recordings yet; say what to train on: "
            f"`voicecoach {command}`."
        )
    dataset = (folder / settings.dataset).resolve()
    try:
        require_layout(dataset)
    except InputError as error:
        problem = str(error).rpartition(";")[0]
        if not dataset.exists():
            problem = f"The recordings of the voice in {folder} are no longer in {dataset}"
        raise InputError(
            f"{problem}; if they were moved, give their new place: `voicecoach {command}`."
        ) from error
    return dataset


def _clean_copy(voice: Voice, given: Path) -> Path | None:
    """The voice's own recordings, where they are the clean copy of what was given."""
    own = voice.settings.dataset and voice.dataset
    if own is None or own == given or not (own / "clean.json").is_file():
        return None
    # Few voices need what it imports.
    from engine.check.clean_copy import origin_of
    from engine.check.survey import corpus_key

    settings = voice.settings
    try:
        key = corpus_key(scan_corpus(given), voice.vocabulary, settings.limits, settings.audio)
    except (OSError, InputError):
        return None  # what is wrong with it is said later
    return own if origin_of(own).source_key == key else None


def _with_options(settings: VoiceSettings, options: TrainOptions) -> VoiceSettings:
    """The settings with what the options change, and an id where there is a mirror."""
    names = ["recipe", "dropout", "keep_errors", "budget", "mirror"]
    names += ["checkpoint_every", "checkpoint_minutes", "tensorboard"]
    if options.tensorboard:
        require_event_writer()
    given = {name: getattr(options, name) for name in names}
    settings = replace(settings, **{name: one for name, one in given.items() if one is not None})
    if options.price is not None:
        price = 0.0 if options.price == "auto" else options.price
        settings = replace(settings, price=price, price_auto=options.price == "auto")
    if settings.mirror is None or settings.id is not None:
        return settings
    return replace(settings, id=secrets.token_hex(16))


def _existing_settings(options: TrainOptions) -> VoiceSettings:
    """The settings of a voice that exists."""
    folder = options.voice_folder
    voice = Voice.open(folder)
    settings = voice.settings
    if settings.dataset is None:
        # A voice that was imported: the first recordings that it is trained on become its own.
        given = options.dataset and as_stored(options.dataset, folder)
        settings = replace(settings, dataset=given)
    _require_own_vocabulary(options, settings)
    if options.source is not None:
        if voice.checkpoints(options.network):
            raise InputError(
                f"The voice in {folder} already has a {options.network}, which --from would "
                f"replace; leave --from out to continue it, or make another voice with --voice."
            )
        _require_fitting_source(options)
    return settings


def _require_own_vocabulary(options: TrainOptions, settings: VoiceSettings) -> None:
    """Refuse another preset or other symbols for a voice that exists: its weights fit its own."""
    folder, typed = shlex.quote(str(options.voice_folder)), options.vocabulary
    if typed is not None and typed != settings.symbols:
        typed = composed_symbols(typed)
    for option, given, own in (
        ("preset", options.preset, settings.preset),
        ("vocabulary", typed, settings.symbols),
        ("cleaner", options.cleaner, settings.cleaner),
    ):
        if given not in (None, own):
            other = "with --voice"
            if option != "preset":
                command = f"voicecoach train DATASET --voice NEW --from {folder} --{option}"
                other = f"from it: `{command} {shlex.quote(str(given))}`"
            raise InputError(
                f"The voice in {options.voice_folder} has the {option} {own}, not {given}; leave "
                f"--{option} out, or make another voice {other}."
            )


def _new_settings(options: TrainOptions) -> VoiceSettings:
    """The settings of a new voice: the source's, where there is one."""
    folder = options.voice_folder
    if options.dataset is None:
        raise InputError(
            f"There is no voice in {folder}; check the path, or say what to train a new one on: "
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
    settings = settings.reading(options.vocabulary, options.cleaner)
    return settings if options.preset is None else replace(settings, preset=options.preset)


# The source


def _like_source(source: Path, settings: VoiceSettings) -> VoiceSettings:
    """Settings for weights that come from another voice or from a checkpoint of one."""
    home = source
    if is_checkpoint(source):
        home = source.resolve().parents[2]
        if not Voice.exists(home):
            preset = preset_of(read_state(source).network_spec) or settings.preset
            return replace(settings, symbols=_symbols_of(source), preset=preset)
    if not Voice.exists(home) and not (home / OLD_EXPORT).is_file():
        raise InputError(
            f"{source} is neither a voice (no voice.toml) nor a checkpoint (no state.json); give "
            f"the folder of a voice, or one of its step-… folders."
        )
    theirs = Voice.open(home).settings
    names = ["preset", "symbols", "cleaner", "dropout", "sharpening", "audio", "limits"]
    return replace(settings, **{name: getattr(theirs, name) for name in names})


def _require_fitting_source(options: TrainOptions) -> None:
    """Refuse a lone checkpoint of another network, and weights that their own voice disowns.

    Other symbols than the voice's are no hindrance: each finds its row, or a neighbour's."""
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
    home = weights.resolve().parents[2]
    if Voice.exists(home) and symbols != (owned := Voice.open(home).settings.symbols):
        raise InputError(
            f"The weights in {weights} were trained with the symbols {symbols!r}, but the "
            f"voice.toml in {home} says {owned!r}; write the former there."
        )


def _symbols_of(checkpoint: Path) -> str:
    """The symbols that a checkpoint was trained with."""
    symbols = read_state(checkpoint).symbols
    try:
        Vocabulary(symbols)
    except InputError as error:
        raise InputError(f"The weights in {checkpoint} cannot be used: {error}") from error
    return symbols
