"""Everything before the first step: the voice, its corpus, its features and its weights."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from engine.board import Board
from engine.checkpoint_folders import source_checkpoints
from engine.choices import NetworkName
from engine.control import Inbox
from engine.corpus.batches import Batch, BatchSource
from engine.corpus.clips import Corpus, held_out, open_corpus
from engine.corpus.features import FeatureStore
from engine.corpus.metadata import Rejected
from engine.errors import InputError
from engine.host.device import (
    choose_device,
    choose_precision,
    describe_device,
    leave_a_core_for_the_screen,
)
from engine.host.files import write_whole
from engine.networks.specs import NetworkSpec, preset_spec
from engine.order import TrainOrder
from engine.settings import VoiceSettings
from engine.snapshot import Progress
from engine.training.attention_plot import choose_clip
from engine.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint, sweep
from engine.training.learner import Learner
from engine.training.recipe import Recipe, recipe_named
from engine.voice import Voice

# Clips left out that are named one by one on the screen; corpus.json has all.
_MOST_NAMED = 8


@dataclass(frozen=True)
class Prepared:
    """What a trainer needs."""

    voice: Voice
    network: NetworkName
    learner: Learner
    store: FeatureStore
    batches: BatchSource
    held_out: Batch
    """All held-out clips in one batch, on the device."""
    watched: Batch
    """The clip whose attention is drawn, on the device."""
    watched_clip: int
    held_out_clips: tuple[int, ...]
    step: int
    """The global step from which training goes on."""
    base_step: int


def prepare(order: TrainOrder, voice: Voice, board: Board, inbox: Inbox) -> Prepared:
    """Read the corpus, compute what is missing of its features, load or make the weights.

    Raises:
        InputError: the dataset, the device or the weights cannot be used.
        Cancelled: the person asked to finish before it was done.
    """
    device = choose_device(order.device)
    precision = choose_precision(order.precision, device)
    leave_a_core_for_the_screen()
    word = "bf16" if precision == torch.bfloat16 else "fp32"
    board.update(device=describe_device(device), precision=word)
    store, training, held = _open_features(voice, board, inbox.asks_to_finish)

    board.update(progress=Progress("loading weights", 0, 1))
    sweep(voice.folder / order.network / "checkpoints")
    _take_over_source(order, voice, board)
    checkpoint = _newest(voice, order.network)
    recipe = recipe_named(voice.settings.recipe)
    learner = _make_learner(order.network, voice, recipe, checkpoint, device, precision)

    def source(clips: list[int], crop: int | None) -> BatchSource:
        return BatchSource(
            store,
            voice.vocabulary,
            magnitudes=order.network == "ssrn",
            clips=clips,
            batch_size=recipe.batch_size,
            crop_frames=crop,
            seed=voice.settings.seed,
        )

    whole = source(held, None)
    watched = choose_clip(store, held)
    return Prepared(
        voice=voice,
        network=order.network,
        learner=learner,
        store=store,
        batches=source(training, recipe.crop_frames if order.network == "ssrn" else None),
        held_out=whole.gather(np.array(held)).to(device),
        watched=whole.gather(np.array([watched])).to(device),
        watched_clip=watched,
        held_out_clips=tuple(held),
        step=checkpoint.step if checkpoint else 0,
        base_step=checkpoint.base_step if checkpoint else 0,
    )


def _open_features(
    voice: Voice, board: Board, cancelled: Callable[[], bool]
) -> tuple[FeatureStore, list[int], list[int]]:
    """Return the features, the clips to train on and the held-out ones."""
    settings = voice.settings
    board.update(progress=Progress("reading the corpus", 0, 1))
    corpus = open_corpus(voice.dataset, voice.vocabulary, settings.limits, settings.audio)

    def show(done: int, total: int) -> None:
        board.update(progress=Progress("computing features", done, total))

    store = FeatureStore.open(
        corpus,
        settings.audio,
        settings.limits,
        voice.features,
        on_progress=show,
        cancelled=cancelled,
    )
    if len(store.clips) < 2:
        raise InputError(
            f"{voice.dataset} has a single usable clip; training needs at least two, one to "
            f"learn from and one to be judged by."
        )
    ids = held_out(store.clips)
    training = [i for i, clip in enumerate(store.clips) if clip.clip_id not in ids]
    held = [i for i, clip in enumerate(store.clips) if clip.clip_id in ids]
    rejected = sorted((*corpus.rejected, *store.rejected), key=lambda clip: clip.line)
    _tell_rejected(rejected, corpus, board, voice)
    _write_report(voice, store, rejected, len(training), sorted(ids))
    return store, training, held


def _tell_rejected(rejected: list[Rejected], corpus: Corpus, board: Board, voice: Voice) -> None:
    total = len(rejected) + len(corpus.clips)
    if not rejected:
        return
    board.event(f"left out {len(rejected)} of {total} rows of metadata.csv", "warning")
    for clip in rejected[:_MOST_NAMED]:
        board.event(f"line {clip.line}: {clip.clip_id or 'no id'} {clip.reason}", "warning")
    if len(rejected) > _MOST_NAMED:
        more = len(rejected) - _MOST_NAMED
        board.event(f"and {more} more; {voice.corpus_report} lists them all", "warning")


def _write_report(
    voice: Voice, store: FeatureStore, rejected: list[Rejected], training: int, held: list[str]
) -> None:
    frames = sum(store.coarse_frames(i) for i in range(len(store.clips)))
    report = {
        "clips": len(store.clips),
        "training_clips": training,
        "held_out": held,
        "hours": round(frames * store.audio.coarse_frame_seconds / 3600, 4),
        "left_out": [
            {"line": clip.line, "id": clip.clip_id, "reason": clip.reason} for clip in rejected
        ],
    }
    text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
    write_whole(voice.corpus_report, text.encode())


def _newest(voice: Voice, network: NetworkName) -> Checkpoint | None:
    """The newest checkpoint, refused when its symbols are not the voice's."""
    entry = voice.newest(network)
    if entry is None:
        return None
    checkpoint = load_checkpoint(entry.path)
    if checkpoint.symbols != voice.settings.symbols:
        raise InputError(
            f"The weights in {entry.path} were trained with the symbols {checkpoint.symbols!r}, "
            f"but voice.toml says {voice.settings.symbols!r}; write the former there."
        )
    return checkpoint


def _make_learner(
    network: NetworkName,
    voice: Voice,
    recipe: Recipe,
    checkpoint: Checkpoint | None,
    device: torch.device,
    precision: torch.dtype,
) -> Learner:
    settings = voice.settings
    learner = Learner(
        checkpoint.spec if checkpoint else fresh_spec(network, settings),
        recipe,
        device=device,
        precision=precision,
        seed=settings.seed,
        moments_from=_moments_from(checkpoint),
        max_characters=settings.limits.max_characters,
        max_frames=settings.limits.max_coarse_frames,
    )
    if checkpoint is not None:
        try:
            learner.load_weights(checkpoint.weights, checkpoint.average)
            if checkpoint.optimizer:
                learner.load_optimizer_state(checkpoint.optimizer)
        except (KeyError, RuntimeError) as error:
            raise InputError(
                f"The checkpoint of {network} at step {checkpoint.step} does not fit its own "
                f"state.json: {str(error).splitlines()[0]}; move it away to use the one before."
            ) from error
    return learner


def _moments_from(checkpoint: Checkpoint | None) -> int:
    """The step at which Adam starts, or started, without moments."""
    if checkpoint is None:
        return 0
    return checkpoint.moments_from if checkpoint.optimizer else checkpoint.step


def fresh_spec(network: NetworkName, settings: VoiceSettings) -> NetworkSpec:
    """The spec of a network that starts from fresh weights."""
    return preset_spec(
        settings.preset,
        network,
        vocabulary_size=len(settings.symbols),
        n_mels=settings.audio.n_mels,
        n_bins=settings.audio.n_bins,
    )


def _take_over_source(order: TrainOrder, voice: Voice, board: Board) -> None:
    """Copy the weights that speak from `--from`, each network at its own step."""
    if order.source is None:
        return
    for network, path in source_checkpoints(order.source).items():
        if voice.newest(network) is not None:
            continue
        found = load_checkpoint(path, to_speak=True)
        base = replace(found, base_step=found.step, weights=found.speaking, average={})
        save_checkpoint(base, voice.checkpoint_folder(network, found.step))
        board.event(f"{network} starts from step {found.step:,} of {order.source}")
