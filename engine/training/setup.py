"""Everything before the first step: the voice, its corpus, its features and its weights."""

import logging
import os
import shlex
from dataclasses import dataclass, replace

import numpy as np
import torch

from engine.checkpoints.checkpoint import Checkpoint
from engine.checkpoints.retention import sweep
from engine.checkpoints.state import AutoPrecision, Unlogged
from engine.choices import NETWORKS, NetworkName
from engine.data.batches import Batch, BatchSource
from engine.data.features import FeatureStore
from engine.errors import InputError, VoicecoachError
from engine.files import sweep_parts, unremoved_message
from engine.machine.device import (
    choose_device,
    choose_threads,
    describe_device,
    explains_lack_of_memory,
    make_repeatable,
    possible_precisions,
    slow_precision,
    unused_gpu,
    use_in_this_thread,
)
from engine.machine.lock import LOCK_NAME
from engine.machine.ranks import Ranks
from engine.networks.build import weight_shapes
from engine.networks.specs import NetworkSpec, size_of
from engine.run.commands import Inbox, clean_sentence
from engine.run.options import TrainOptions
from engine.run.publisher import Publisher
from engine.run.recipe import Recipe, recipe_named
from engine.run.snapshot import Progress
from engine.speech.growing import sweep_growing
from engine.training.corpus_history import note_corpus, report_corpus_change
from engine.training.following import lead, report_ranks
from engine.training.initial_weights import newest_checkpoint, take_over_source
from engine.training.learner import Learner
from engine.training.precision import settle_precision
from engine.training.rank_learner import RankLearner
from engine.training.training_data import load_training_data
from engine.voice.folder import SETTINGS, Voice
from engine.voice.layout import is_exposed
from engine.voice.settings import VoiceSettings

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingContext:
    """What a trainer needs."""

    voice: Voice
    network: NetworkName
    learner: Learner
    store: FeatureStore
    batches: BatchSource
    held_out: Batch
    """All held-out clips in one batch, on the device."""
    held_out_clips: tuple[int, ...]
    """The same clips by their numbers in the store."""
    attention_batch: Batch
    """The clip whose attention is drawn, on the device."""
    attention_clip: int
    step: int
    """The global step from which training continues."""
    base_step: int
    unlogged: Unlogged
    """Losses of the steps since the last logged one, as the checkpoint has them."""
    damaged: int | None = None
    """The step of the newest checkpoint, where that is damaged and an earlier one is used."""
    corpus_change: str = ""
    """In what the corpus differs from the one that the checkpoint was trained on."""
    auto_precision: AutoPrecision | None = None
    """What `--precision auto` chose, for the checkpoints to come."""


def prepare(
    options: TrainOptions, voice: Voice, publisher: Publisher, inbox: Inbox
) -> TrainingContext:
    """Load or make the weights, read the corpus, compute what is missing of its features.

    Raises:
        InputError: the dataset, the device or the weights cannot be used.
        EngineError: the disk has no room for checkpoints and features.
        Cancelled: the person asked to finish before it was done; `Declined` where that was their
            answer to what the check of the corpus found.
    """
    ranks = Ranks.of_this_process
    device = ranks.device if ranks else choose_device(_asked_device(options))
    with explains_lack_of_memory(device, "before the first step"):
        return _prepare(options, voice, device, publisher, inbox)


def _asked_device(options: TrainOptions) -> str:
    """The device that was asked for; of several GPUs SSRN has the second, beside Text2Mel."""
    spread = options.both and options.network == "ssrn" and options.device == "auto"
    return "cuda:1" if spread and torch.cuda.device_count() > 1 else options.device


def _prepare(
    options: TrainOptions, voice: Voice, device: torch.device, publisher: Publisher, inbox: Inbox
) -> TrainingContext:
    network, recipe = options.network, recipe_named(voice.settings.recipe)
    _prepare_device(device, options, voice.settings, publisher)
    _remove_leftovers(voice, network, publisher)
    _warn_if_exposed(voice, publisher)
    # Before the features, which take long: a run that ends meanwhile, and is resumed without
    # `--from`, must not start from nothing.
    publisher.update(progress=Progress("loading weights", 0, 1))
    take_over_source(options, voice, publisher)
    newest = newest_checkpoint(voice, network, publisher)
    checkpoint = newest.checkpoint
    spec = checkpoint.spec if checkpoint else voice.settings.fresh_spec(network)
    publisher.update(preset=size_of(spec))
    size = _checkpoint_bytes(spec, recipe)
    data = load_training_data(options, voice, size, publisher, inbox)
    store, held_out = data.store, data.held_out
    batches = _batch_source(data.training, store, voice, network, recipe)

    def make_fresh(precision: torch.dtype) -> Learner:
        return _make_learner(voice, spec, recipe, None, device, precision)

    possible = possible_precisions(options.precision, device, exact=recipe.exact)
    remembered = checkpoint.auto_precision if checkpoint else None
    precision, remembered = settle_precision(
        possible, device, remembered, make_fresh, batches, publisher
    )
    if slow := slow_precision(precision, device):
        publisher.warn(slow)
    learner = _make_learner(voice, spec, recipe, checkpoint, device, precision)
    batches.reseed(learner.recovery.salt)
    if isinstance(learner, RankLearner) and (ranks := Ranks.of_this_process) is not None:
        lead(ranks, learner, voice, network, data)
        report_ranks(ranks, publisher)
    _probe_memory(learner, batches, publisher)
    whole = _batch_source(held_out, store, voice, network, recipe)
    # The clip of middle length.
    clip = sorted(held_out, key=lambda i: (store.coarse_frames(i), store.clips[i].clip_id))[
        len(held_out) // 2
    ]
    _choose_sentence(voice, data.texts[store.clips[clip].line], publisher)
    note_corpus(voice, [store.clips[i].clip_id for i in held_out], publisher)
    return TrainingContext(
        voice=voice,
        network=network,
        learner=learner,
        store=store,
        batches=batches,
        held_out=whole.gather(np.array(held_out)).to(device),
        held_out_clips=tuple(held_out),
        attention_batch=whole.gather(np.array([clip])).to(device),
        attention_clip=clip,
        step=checkpoint.step if checkpoint else 0,
        base_step=checkpoint.base_step if checkpoint else 0,
        unlogged=checkpoint.unlogged if checkpoint else Unlogged(),
        damaged=newest.damaged[0] if newest.damaged else None,
        corpus_change=report_corpus_change(
            voice, network, checkpoint, store.content, data.new_letters, publisher
        ),
        auto_precision=remembered,
    )


def _choose_sentence(voice: Voice, held_out_text: str, publisher: Publisher) -> None:
    """Let auditions speak a text of the voice's own language, unless they have one."""
    if voice.settings.sentences:
        return
    sentences = (clean_sentence(held_out_text),)
    publisher.update(sentences=sentences)
    try:
        voice.save(replace(voice.settings, sentences=sentences))
    except VoicecoachError as error:
        publisher.event(f"the sentence is kept for this run only: {error}", "warning")


def _batch_source(
    clips: list[int],
    store: FeatureStore,
    voice: Voice,
    network: NetworkName,
    recipe: Recipe,
) -> BatchSource:
    return BatchSource(
        store,
        {clip: voice.vocabulary.indices(store.clips[clip].text) for clip in clips},
        magnitudes=network == "ssrn",
        batch_size=recipe.batch_size,
        crop_frames=recipe.crop_frames,
        tempo=recipe.tempo,
        seed=voice.settings.seed,
    )


def _checkpoint_bytes(spec: NetworkSpec, recipe: Recipe) -> int:
    """Bytes of a checkpoint to train on from: weights, their EMA if there is one, Adam's state."""
    weights = sum(shape.numel() for shape in weight_shapes(spec).values())
    copies = 3 if recipe.ema_decay is None else 4
    return copies * weights * torch.float32.itemsize


def _prepare_device(
    device: torch.device, options: TrainOptions, settings: VoiceSettings, publisher: Publisher
) -> None:
    """Make the device's steps repeatable, and publish it."""
    use_in_this_thread(device)
    unused = unused_gpu(options.device, device)
    if unused and (settings.price > 0 or settings.price_auto):
        raise InputError(f"{unused}. To train on the CPU anyway, give --device cpu.")
    choose_threads()
    make_repeatable(device)
    name, ranks = describe_device(device), Ranks.of_this_process
    publisher.update(device=f"{ranks.place.ranks} × {name}" if ranks else name)
    if unused:
        publisher.warn(unused)


def _remove_leftovers(voice: Voice, network: NetworkName, publisher: Publisher) -> None:
    """Remove what killed processes left half written; what cannot be removed is reported."""
    voice.locate()
    home = voice.folder / network
    # Those of checkpoints are removed, or reported, again when the first one is saved.
    if left := unremoved_message(sweep(home / "checkpoints")):
        _log.warning("%s", left)
    for folder in (voice.folder, voice.samples, home, home / "corpora"):
        try:
            if left := unremoved_message(sweep_parts(folder) | sweep_growing(folder)):
                publisher.event(left, "warning")
        except OSError as error:
            _log.info("leftovers in %s are not removed: %s", folder, error)


def _warn_if_exposed(voice: Voice, publisher: Publisher) -> None:
    """Warn where others can read a voice: one from elsewhere, or on a disk that refuses chmod."""
    folder = voice.folder
    if any(is_exposed(path, folder) for path in (voice.log, folder / LOCK_NAME)):
        publisher.warn(
            "Other users of this host can read this voice: its file system refuses chmod; mount it "
            "with umask=077, or move the voice to another disk."
        )
        return
    try:
        exposed = _exposed_parts(voice) if folder.stat().st_uid == os.geteuid() else []
    except OSError as error:
        _log.info("not known whether others can read %s: %s", folder, error)
        return
    if exposed:
        publisher.warn(
            f"Other users of this host can read files of {folder}, its {' and '.join(exposed[:2])} "
            f"included; `chmod -R go= {shlex.quote(str(folder))}` makes it private."
        )


def _exposed_parts(voice: Voice) -> list[str]:
    newest = (voice.newest(network) for network in NETWORKS)
    parts = {
        "weights": [entry.path / "weights.safetensors" for entry in newest if entry],
        "features": voice.features.glob("*.features"),
        "spend": [voice.spend.path],
        "settings": [voice.folder / SETTINGS],
    }
    return [
        words
        for words, paths in parts.items()
        if any(is_exposed(path, voice.folder) for path in paths)
    ]


def _probe_memory(learner: Learner, batches: BatchSource, publisher: Publisher) -> None:
    """Try the longest batch before the first step, so that too little memory shows now."""
    publisher.update(progress=Progress("trying the longest batch", 0, 1))
    with explains_lack_of_memory(learner.device, "for a single one of the longest clips"):
        learner.probe_memory(batches.longest())
    batches.keep_on(learner.device)
    if learner.micro_batches > 1:
        publisher.event(micro_batches_notice(learner), "warning")


def _make_learner(
    voice: Voice,
    spec: NetworkSpec,
    recipe: Recipe,
    checkpoint: Checkpoint | None,
    device: torch.device,
    precision: torch.dtype,
) -> Learner:
    settings = voice.settings
    kind = RankLearner if Ranks.of_this_process else Learner
    learner = kind(
        replace(
            spec,
            dropout=settings.dropout,
            logit_dropout=settings.dropout if recipe.drop_logits else 0.0,
        ),
        recipe,
        device=device,
        precision=precision,
        seed=settings.seed,
        limits=settings.limits,
    )
    if checkpoint is not None:
        learner.recovery = checkpoint.recovery
        try:
            learner.restore(checkpoint)
        except (KeyError, RuntimeError) as error:
            raise InputError(
                f"The checkpoint of {checkpoint.network} at step {checkpoint.step} does not fit "
                f"its own state.json: {str(error).splitlines()[0]}; move it away to use the "
                f"previous one."
            ) from error
    return learner


def micro_batches_notice(learner: Learner) -> str:
    """Say that gradients are accumulated, and what that means."""
    return (
        f"the memory of {learner.device} is too small for a whole batch: gradients are accumulated "
        f"over {learner.micro_batches} micro-batches from here on; same losses and dropout, but "
        f"slower"
    )
