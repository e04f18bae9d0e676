"""The weights that a run starts from: the voice's own newest, or those of another voice."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from engine.checkpoints.checkpoint import (
    Checkpoint,
    NewestGood,
    find_newest_good,
    has_ema,
    load_checkpoint,
    save_checkpoint,
)
from engine.checkpoints.state import Recovery, source_checkpoints
from engine.choices import NETWORK_TITLES, NETWORKS, NetworkName
from engine.errors import InputError
from engine.networks.specs import SSRNSpec, Text2MelSpec
from engine.run.options import TrainOptions
from engine.run.publisher import Publisher
from engine.run.recipe import recipe_named
from engine.text.mapping import SymbolMapping, listed_symbols, map_symbols, unread_symbols
from engine.text.vocabulary import Vocabulary
from engine.voice.folder import Voice
from engine.voice.settings import VoiceSettings

_FROM_RANDOM_WEIGHTS = (
    "{} starts from random weights, which takes many hours of speech and hundreds of thousands of "
    "steps; --from starts from a base: see `voicecoach train --help`"
)
_EMBEDDING = "text_encoder.embedding.weight"
# Adam's moments of the embedding have a row for each symbol too; its count of steps has none.
_MOMENTS = (f"exp_avg/{_EMBEDDING}", f"exp_avg_sq/{_EMBEDDING}")


def newest_checkpoint(voice: Voice, network: NetworkName, publisher: Publisher) -> NewestGood:
    """Load the newest good checkpoint; refuse one that does not fit the voice's settings.

    Raises:
        InputError: none can be used, or its symbols or audio settings are not the voice's.
    """
    found = find_newest_good(voice, network, publisher, with_incomplete=True)
    checkpoint = found.checkpoint
    if checkpoint is None:
        publisher.event(_FROM_RANDOM_WEIGHTS.format(NETWORK_TITLES[network]))
        return found
    path = voice.checkpoint_folder(network, checkpoint.step)
    _require_symbols(checkpoint, voice.settings, path)
    _require_audio(checkpoint, voice.settings, path, "set {} in its [audio] to match")
    if checkpoint.step != checkpoint.base_step and not checkpoint.optimizer:
        publisher.warn(
            f"Checkpoint {checkpoint.step:,} of {network} has no optimizer.safetensors: "
            f"optimizer reset."
        )
    return found


def take_over_source(options: TrainOptions, voice: Voice, publisher: Publisher) -> None:
    """Copy from `--from` each network that the voice lacks, with its step.

    The weights are those that speak. Where that is the EMA, the optimizer state is not theirs, and
    the optimizer is reset, with a warm-up of the learning rate. Where the trained weights
    themselves speak (those from TensorFlow, and the recipe `bbc`), it comes along, and training
    continues as if it had never stopped.

    A Text2Mel with other symbols has its embedding moved by symbol; what became of each is
    reported, and saved in the `state.json` of the base checkpoint.

    Raises:
        InputError: a checkpoint cannot be used, or has other audio settings than the voice.
    """
    if options.source is None:
        return
    if options.dropout is None and all(voice.newest(network) is None for network in NETWORKS):
        _report_dropout(voice.settings.dropout, options.source, publisher)
    found = source_checkpoints(options.source)
    if options.network not in found:
        publisher.warn(f"{options.source} has no {options.network}: starting from random weights")
    for network, path in found.items():
        if voice.newest(network) is not None:
            continue
        if options.demo and network != options.network:
            # An SSRN gives what it is fed the pitch of the speaker whom it knows.
            continue
        source = load_checkpoint(path, with_optimizer=not has_ema(path))
        remedy = "give the folder of its voice with --from and a new one with --voice"
        _require_audio(source, voice.settings, path, f"{remedy}, to take over its {{}}")
        base = _as_base(source)
        publisher.event(
            f"{network} starts from step {source.step:,} of {options.source}, "
            f"{_about_optimizer(base, voice.settings)}"
        )
        if network == "text2mel" and options.cleaner is not None:
            _report_unread_symbols(voice.vocabulary, publisher)
        base = _with_voice_symbols(base, voice.settings.symbols, path, publisher)
        voice.locate()
        save_checkpoint(base, voice.checkpoint_folder(network, source.step))


def _report_dropout(dropout: float, source: Path, publisher: Publisher) -> None:
    """Say that a new voice takes over another dropout than the default."""
    usual = VoiceSettings().dropout
    if dropout != usual:
        publisher.event(
            f"dropout {dropout:g}, as in {source} (default {usual:g}); --dropout sets another"
        )


def _as_base(source: Checkpoint) -> Checkpoint:
    """What a voice starts from: the EMA weights, and the optimizer state if it is theirs."""
    optimizer = {} if source.ema else source.optimizer
    return replace(
        source,
        base_step=source.step,
        optimizer_start_step=source.optimizer_start_step if optimizer else 0,
        weights=source.inference_weights,
        ema={},
        optimizer=optimizer,
        symbols_from={},
        corpus="",
        recovery=Recovery(),
        auto_precision=None,
    )


def _about_optimizer(base: Checkpoint, settings: VoiceSettings) -> str:
    if base.optimizer:
        return "with its optimizer state"
    recipe = recipe_named(settings.recipe)
    reset = "from the EMA weights; optimizer reset"
    if recipe.restart_factor == 1:
        return reset
    factor = f"{recipe.restart_factor:g} × its learning rate"
    return f"{reset}, {recipe.restart_steps}-step warm-up to {factor}"


def _with_voice_symbols(
    base: Checkpoint, symbols: str, path: Path, publisher: Publisher
) -> Checkpoint:
    """Return a base with the voice's symbols.

    A symbol that the source has keeps its row, to the bit, and Adam's moments of it; padding and
    the end of a sentence are such symbols. A new one starts from its neighbour's row, or from the
    mean of the letters', and from moments of zero, so that it learns fast at first.
    """
    if base.network == "ssrn":  # never sees text
        return replace(base, symbols=symbols)
    try:
        _require_row_per_symbol(base)
        mapping = map_symbols(base.symbols, symbols)
    except InputError as error:
        raise InputError(
            f"The weights in {path} cannot be used: {str(error).rstrip('.')}; give another "
            f"checkpoint with --from."
        ) from error
    if mapping.source == mapping.target:
        return base
    for sentence in mapping.sentences():
        publisher.event(f"text2mel: {sentence}")
    known = torch.tensor(mapping.known).unsqueeze(-1)  # (symbols, 1)
    moments = {
        name: _move_rows(base.optimizer[name], mapping) * known
        for name in _MOMENTS
        if name in base.optimizer
    }
    assert isinstance(base.spec, Text2MelSpec)
    return replace(
        base,
        spec=replace(base.spec, vocabulary_size=len(symbols)),
        symbols=symbols,
        weights={**base.weights, _EMBEDDING: _move_rows(base.weights[_EMBEDDING], mapping)},
        optimizer={**base.optimizer, **moments},
        symbols_from=mapping.as_json(),
    )


def _move_rows(table: Tensor, mapping: SymbolMapping) -> Tensor:
    """Rows of `table` `(source, e)` as those of the mapping's symbols, `(target, e)`."""
    mean = table[list(mapping.letter_rows)].mean(dim=0)
    return torch.stack([mean if row is None else table[row] for row in mapping.rows])


def _require_row_per_symbol(base: Checkpoint) -> None:
    symbols = len(base.symbols)
    tables = {name: base.optimizer[name] for name in _MOMENTS if name in base.optimizer}
    for name, table in {**tables, _EMBEDDING: base.weights[_EMBEDDING]}.items():
        if table.ndim != 2 or len(table) != symbols:
            raise InputError(
                f"its {name} has the shape {tuple(table.shape)}, but its state.json names "
                f"{symbols} symbols, one for each row"
            )


def _report_unread_symbols(vocabulary: Vocabulary, publisher: Publisher) -> None:
    if unread := unread_symbols(vocabulary):
        publisher.event(
            f"--cleaner {vocabulary.cleaner} never reads {listed_symbols(unread)}: these symbols "
            f"of the source learn nothing more",
            "warning",
        )


def _require_symbols(checkpoint: Checkpoint, settings: VoiceSettings, path: Path) -> None:
    # SSRN never sees text.
    if checkpoint.network == "text2mel" and checkpoint.symbols != settings.symbols:
        raise InputError(
            f"The weights in {path} were trained with the symbols {checkpoint.symbols!r}, "
            f"but voice.toml has {settings.symbols!r}; change it back. For other symbols make "
            f"another voice: `voicecoach train DATASET --from {path} --vocabulary SYMBOLS`."
        )


def _require_audio(
    checkpoint: Checkpoint, settings: VoiceSettings, path: Path, remedy: str
) -> None:
    """Refuse weights for other audio settings; `remedy` says what to do about the setting `{}`."""
    spec, audio = checkpoint.spec, settings.audio
    sizes = [("n_mels", spec.n_mels, audio.n_mels, "n_mels")]
    if isinstance(spec, SSRNSpec):
        sizes.append(("n_bins", spec.n_bins, audio.n_bins, "n_fft"))
    for name, trained, ours, setting in sizes:
        if trained != ours:
            raise InputError(
                f"The weights in {path} have {name} = {trained}, but voice.toml gives {ours}; "
                f"{remedy.format(setting)}."
            )
