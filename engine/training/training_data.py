"""What a run learns from: the clips of the corpus, their features, and a report on both."""

import json
from dataclasses import asdict

from engine.check.report import UnknownCharacter
from engine.data.clips import METADATA, Corpus, held_out, open_corpus
from engine.data.features import FeatureStore
from engine.data.metadata import Rejected, read_metadata
from engine.errors import EngineError, InputError
from engine.files import write_whole
from engine.formatting import plural
from engine.machine.lock import FolderLostError
from engine.run.commands import Inbox
from engine.run.options import TrainOptions
from engine.run.publisher import Publisher
from engine.run.snapshot import Progress
from engine.text.unknown import sentence_about, unknown_characters
from engine.training.data_check import check_before_training
from engine.voice.folder import Voice

# Clips left out that are named one by one on the screen; corpus.json has all.
_MAX_NAMED = 8
# Characters without a symbol that are told one by one.
_MAX_UNKNOWN = 6


def open_material(
    options: TrainOptions, voice: Voice, publisher: Publisher, inbox: Inbox
) -> tuple[FeatureStore, list[int], list[int]]:
    """Return the features, the numbers of the clips to train on and of the held-out ones.

    The corpus is checked first, and a person at a screen asked where it has errors:
    features take far longer. The snapshot says what was left out; everything found is in
    `check.json` and `corpus.json`.

    Raises:
        InputError: the dataset cannot be used.
        Cancelled: the person asked to finish before the features were complete.
        Declined: the person did not want to train on what the check found.
    """
    settings = voice.settings
    publisher.update(progress=Progress("reading the corpus", 0, 1))
    corpus = open_corpus(voice.dataset, voice.vocabulary, settings.limits, settings.audio)
    rows, _ = read_metadata(voice.dataset / METADATA)
    unknown = unknown_characters(rows, voice.vocabulary)
    _tell_unknown(unknown, publisher)
    told = check_before_training(options, voice, corpus.clips, publisher, inbox)

    def show(done: int, total: int) -> None:
        publisher.update(progress=Progress("computing features", done, total))

    features = voice.locate() / "features"

    def is_to_end() -> bool:
        try:
            if voice.locate() != features.parent:
                raise FolderLostError(f"{features.parent} was moved.")
        except FolderLostError:
            raise
        except EngineError:
            pass  # a disk that does not answer this now is asked again
        return inbox.finish_requested()

    store = FeatureStore.open(
        corpus,
        settings.audio,
        settings.limits,
        features,
        on_progress=show,
        cancelled=is_to_end,
        magnitudes=options.network == "ssrn",
        on_damage=lambda sentence: publisher.event(sentence, "warning"),
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
    _tell_rejected(rejected, told, corpus, publisher, voice)
    _write_report(voice, publisher, store, rejected, unknown, len(training), sorted(ids))
    return store, training, held


def _tell_unknown(unknown: tuple[UnknownCharacter, ...], publisher: Publisher) -> None:
    """Tell which characters of the corpus the voice has no symbol for, and what it reads."""
    for one in unknown[:_MAX_UNKNOWN]:
        # What is lost of words changes what a network learns; lost punctuation hardly does.
        lost = one.character.isalnum() and not one.becomes.strip()
        text = f"without a symbol: {sentence_about(one)}"
        publisher.event(text, "warning" if lost else "information")
    if len(unknown) > _MAX_UNKNOWN:
        more = len(unknown) - _MAX_UNKNOWN
        others = plural(more, "other character")
        publisher.event(f"and {others} without a symbol; corpus.json lists all")


def _tell_rejected(
    rejected: list[Rejected],
    told: frozenset[int],
    corpus: Corpus,
    publisher: Publisher,
    voice: Voice,
) -> None:
    """Tell what was left out, line by line but for those whose fault was `told` already."""
    total = len(corpus.rejected) + len(corpus.clips)
    if not rejected:
        return
    publisher.event(f"left out {len(rejected)} of {total} rows of metadata.csv", "warning")
    untold = [clip for clip in rejected if clip.line not in told]
    for clip in untold[:_MAX_NAMED]:
        publisher.event(f"line {clip.line}: {clip.clip_id or 'no id'} {clip.reason}", "warning")
    if len(untold) > _MAX_NAMED:
        more = len(untold) - _MAX_NAMED
        publisher.event(f"and {more} more; {voice.corpus_report} lists them all", "warning")


def _write_report(
    voice: Voice,
    publisher: Publisher,
    store: FeatureStore,
    rejected: list[Rejected],
    unknown: tuple[UnknownCharacter, ...],
    training: int,
    held: list[str],
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
        "unknown_characters": [asdict(one) for one in unknown],
    }
    text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
    try:
        voice.locate()
        write_whole(voice.corpus_report, text.encode(), make_folders=False)
    except EngineError as error:
        publisher.event(str(error), "warning")
