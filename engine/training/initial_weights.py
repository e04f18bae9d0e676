"""The weights that a run starts from: the voice's own newest, or those of another voice."""

from dataclasses import replace
from pathlib import Path

from engine.checkpoints.checkpoint import Checkpoint, has_average, load_checkpoint, save_checkpoint
from engine.checkpoints.folders import source_checkpoints
from engine.checkpoints.newest_good import NewestGood, load_newest_good
from engine.checkpoints.recovery import Recovery
from engine.choices import NetworkName
from engine.errors import InputError
from engine.networks.specs import SSRNSpec
from engine.run.options import TrainOptions
from engine.run.publisher import Publisher
from engine.text.mapping import map_symbols, never_read
from engine.text.vocabulary import Vocabulary
from engine.training.recipe import recipe_named
from engine.training.vocabulary_mapping import require_rows_of_symbols, with_symbols
from engine.voice.folder import Voice
from engine.voice.settings import VoiceSettings

_SOUND_OF_SOURCE = (
    "name its voice's folder with --from and a new one with --voice, so that {} comes along"
)


def newest_checkpoint(voice: Voice, network: NetworkName, publisher: Publisher) -> NewestGood:
    """Find the newest good checkpoint, refused when it is not for this voice's symbols and sound.

    Raises:
        InputError: none can be used, or the voice's settings do not fit it.
    """
    found = load_newest_good(voice, network, publisher)
    checkpoint = found.checkpoint
    if checkpoint is None:
        return found
    path = voice.checkpoint_folder(network, checkpoint.step)
    _require_symbols(checkpoint, voice.settings, path)
    _require_sound(checkpoint, voice.settings, path, "set {} in its [audio] to fit")
    if checkpoint.step != checkpoint.base_step and not checkpoint.optimizer:
        publisher.warn(
            f"{path} has no optimizer.safetensors: Adam starts anew",
            f"Checkpoint {checkpoint.step:,} of {network} has no optimizer.safetensors: Adam "
            f"starts anew.",
        )
    return found


def take_over_source(options: TrainOptions, voice: Voice, publisher: Publisher) -> None:
    """Take over from `--from` each network that the voice has not, at its own step.

    What is taken is what speaks. Where that is an average of the weights, Adam's moments are not
    of it: it starts without them, and the learning rate rises while they form. Where the trained
    weights themselves speak (those from TensorFlow, and the recipe `bbc`), their moments come
    along and training goes on as if it had never stopped.

    A Text2Mel with other symbols has its embedding moved by symbol; what became of each is told
    in the snapshot and kept in the `state.json` of the base checkpoint.

    Raises:
        InputError: a checkpoint cannot be used, or is of another sound than the voice.
    """
    if options.vocabulary is not None or options.cleaner is not None:
        _tell_never_read(voice.vocabulary, publisher)
    if options.source is None:
        return
    found = source_checkpoints(options.source)
    if options.network not in found:
        publisher.warn(f"{options.source} has no {options.network}: it starts fresh")
    for network, path in found.items():
        if voice.newest(network) is not None:
            continue
        theirs = load_checkpoint(path, to_speak=has_average(path))
        _require_sound(theirs, voice.settings, path, _SOUND_OF_SOURCE)
        base = _as_base(theirs)
        publisher.event(
            f"{network} starts from step {theirs.step:,} of {options.source}, "
            f"{_about_moments(base, voice.settings)}"
        )
        base = _for_symbols(base, voice.settings.symbols, path, publisher)
        voice.locate()
        save_checkpoint(base, voice.checkpoint_folder(network, theirs.step))


def _as_base(theirs: Checkpoint) -> Checkpoint:
    """What a voice starts from: the weights that speak, and Adam's moments where they are its."""
    moments = {} if theirs.average else theirs.optimizer
    return replace(
        theirs,
        base_step=theirs.step,
        moments_from=theirs.moments_from if moments else 0,
        weights=theirs.speaking,
        average={},
        optimizer=moments,
        symbols_from={},
        corpus="",
        recovery=Recovery(),
    )


def _about_moments(base: Checkpoint, settings: VoiceSettings) -> str:
    if base.optimizer:
        return "with Adam's moments: training goes on where it stood"
    steps = recipe_named(settings.recipe).restart_steps
    rise = f", while the learning rate rises over {steps} steps" if steps > 1 else ""
    return f"with the weights that speak: Adam's moments form anew{rise}"


def _for_symbols(base: Checkpoint, symbols: str, path: Path, publisher: Publisher) -> Checkpoint:
    """The base with the voice's symbols, and in the snapshot what became of each.

    Raises:
        InputError: it cannot be told which row is whose.
    """
    # SSRN never sees text.
    if base.network == "ssrn":
        return replace(base, symbols=symbols)
    try:
        require_rows_of_symbols(base)
        mapping = map_symbols(base.symbols, symbols)
    except InputError as error:
        raise InputError(
            f"The weights in {path} cannot be taken over: {str(error).rstrip('.')}; give another "
            f"checkpoint with --from."
        ) from error
    if mapping.same:
        return base
    for sentence in mapping.sentences():
        publisher.event(f"text2mel: {sentence}")
    return with_symbols(base, mapping)


def _tell_never_read(vocabulary: Vocabulary, publisher: Publisher) -> None:
    idle = never_read(vocabulary)
    if not idle:
        return
    other = "" if vocabulary.cleaner == "plain" else ", or make the voice with --cleaner plain"
    publisher.event(
        f"the cleaner {vocabulary.cleaner} never reads {' '.join(idle)}: these symbols learn "
        f"nothing; leave them out{other}",
        "warning",
    )


def _require_symbols(checkpoint: Checkpoint, settings: VoiceSettings, path: Path) -> None:
    """Refuse the voice's own weights where they were trained with other symbols.

    Raises:
        InputError: saying with which.
    """
    # SSRN never sees text.
    if checkpoint.network == "text2mel" and checkpoint.symbols != settings.symbols:
        raise InputError(
            f"The weights in {path} were trained with the symbols {checkpoint.symbols!r}, "
            f"but voice.toml says {settings.symbols!r}; write the former there. For other symbols "
            f"make another voice: `voicecoach train DATASET --from {path} --vocabulary SYMBOLS`."
        )


def _require_sound(
    checkpoint: Checkpoint, settings: VoiceSettings, path: Path, remedy: str
) -> None:
    """Refuse weights for another sound; `remedy` says what to do about the setting `{}`.

    Raises:
        InputError: saying in what it differs.
    """
    spec, audio = checkpoint.spec, settings.audio
    sizes = [("n_mels", spec.n_mels, audio.n_mels, "n_mels")]
    if isinstance(spec, SSRNSpec):
        sizes.append(("n_bins", spec.n_bins, audio.n_bins, "n_fft"))
    for name, theirs, ours, setting in sizes:
        if theirs != ours:
            raise InputError(
                f"The weights in {path} have {name} = {theirs}, but voice.toml gives {ours}; "
                f"{remedy.format(setting)}."
            )
