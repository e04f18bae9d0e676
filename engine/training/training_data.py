"""What a run learns from: the clips of the corpus and their features, and changes of either."""

import shlex
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.check.kinds import left_out_by_hand, reason
from engine.choices import NetworkName
from engine.data.clips import METADATA, Corpus, scan_corpus, usable_clips
from engine.data.corpus_changes import first_few
from engine.data.features import FeatureStore
from engine.data.metadata import LEFT_OUT, Rejected, recording_key
from engine.errors import EngineError, InputError
from engine.files import require_room, write_whole
from engine.formatting import format_bytes, plural
from engine.machine.background import BackgroundThread
from engine.machine.lock import FolderLostError
from engine.run.commands import Inbox
from engine.run.options import TrainOptions
from engine.run.publisher import Publisher
from engine.run.snapshot import Progress
from engine.serialization import to_json, to_plain
from engine.text.remembered import RememberingVocabulary
from engine.text.unknown import UnknownCharacter, sentence_about, unknown_characters
from engine.training.corpus_history import CorpusHistory
from engine.training.data_check import DataCheck, must_end
from engine.voice.check_record import CheckRecord
from engine.voice.folder import Voice, read_corpus_report

# Clips left out that are named one by one on the screen; corpus.json has all.
_MAX_NAMED = 8
# Characters without a symbol that are reported one by one.
_MAX_UNKNOWN = 6
# Lines of a few hundred thousand steps.
_HISTORY_BYTES = 2**22
_BYTES_OF_A_FEATURE = 2
# Seconds between two checks whether files of the corpus have changed.
_WATCH_SECONDS = 60.0


@dataclass(frozen=True)
class TrainingData:
    """The clips of a corpus that can be used, and which of them to train on."""

    store: FeatureStore
    training: list[int]
    """Numbers of the clips to train on."""
    held_out: list[int]
    """Numbers of the others."""
    texts: Mapping[int, str]
    """Transcripts by their line in `metadata.csv`, as they are written."""
    new_letters: str
    """Letters without a symbol that the voice's corpus did not have in the run before, named."""


def load_training_data(
    options: TrainOptions,
    voice: Voice,
    checkpoint_bytes: int,
    publisher: Publisher,
    inbox: Inbox,
) -> TrainingData:
    """Read the corpus, check it, and compute its features unless they are in the cache.

    The check comes first, and a person at a screen is asked where it found errors: features take
    far longer. Everything found is in `check.json` and `corpus.json`.

    Raises:
        InputError: the dataset cannot be used.
        EngineError: the disk has no room for two checkpoints of `checkpoint_bytes` and features.
        Cancelled: the person asked to finish before the features were complete.
        Declined: the person did not want to train on what the check found.
    """
    check, history = DataCheck(options, voice, publisher, inbox), CorpusHistory.of(voice)
    vocabulary = RememberingVocabulary(
        voice.settings.symbols, voice.settings.cleaner, voice.features / "texts.json"
    )
    while True:
        publisher.update(progress=Progress("reading the corpus", 0, 1))
        scan = scan_corpus(voice.dataset)
        corpus = usable_clips(scan, vocabulary, voice.settings.limits)
        check.run(scan)
        _require_room(voice, checkpoint_bytes, check.record)
        if not check.wait_for_answer(scan):
            break
    if check.left_out is not None:
        corpus = corpus.without([row for row in check.left_out if row.kind != LEFT_OUT])
    _require_clips(corpus)
    texts = {row.line: row.text for row in scan.rows}
    unknown = unknown_characters(texts, vocabulary)
    if read_corpus_report(voice).get("unknown_characters") != [*to_plain(unknown)]:
        _report_unknown(unknown, publisher)
    store = _open_features(corpus, options.network, voice, publisher, inbox)
    vocabulary.remember(texts.values())
    check.take_left_out(scan)
    store, by_hand = _without_unwanted(store, voice)
    rejected = sorted((*corpus.rejected, *store.rejected, *by_hand), key=lambda clip: clip.line)
    _require_clips(Corpus(voice.dataset, store.clips, tuple(rejected)))
    ids = history.held_out_of(store, publisher)
    _report_rejected(rejected, len(rejected) + len(store.clips), check, voice, publisher)
    _save_report(store, ids, rejected, unknown, voice, publisher)
    chosen = [clip.clip_id in ids for clip in store.clips]
    return TrainingData(
        store,
        training=[i for i, held_out in enumerate(chosen) if not held_out],
        held_out=[i for i, held_out in enumerate(chosen) if held_out],
        texts=texts,
        new_letters=history.new_letters(unknown),
    )


def _without_unwanted(store: FeatureStore, voice: Voice) -> tuple[FeatureStore, list[Rejected]]:
    """The features of the clips that the person wants, and the other clips.

    Those have features all the same, which are there once they are wanted again.
    """
    keys, why = set(map(recording_key, voice.settings.left_out)), reason(left_out_by_hand())
    by_hand = [
        Rejected(clip.line, clip.clip_id, why, LEFT_OUT)
        for clip in store.clips
        if recording_key(clip.clip_id) in keys
    ]
    return store.without([row.clip_id for row in by_hand]), by_hand


def _require_clips(corpus: Corpus) -> None:
    """Refuse a corpus that has too few clips left to learn from."""
    if len(corpus.clips) > 1:
        return
    first = corpus.rejected[0] if corpus.rejected else None
    why = f" Line {first.line}, {first.clip_id or 'no id'}: {first.reason}." if first else ""
    found = "a single usable clip" if corpus.clips else "no usable clip"
    raise InputError(
        f"{corpus.directory} has {found}; training needs at least two, one to train on and one to "
        f"evaluate with.{why} "
        f"`voicecoach check {shlex.quote(str(corpus.directory))}` lists what is wrong."
    )


def _require_room(voice: Voice, checkpoint_bytes: int, record: CheckRecord | None) -> None:
    """Refuse to begin where checkpoints could not be saved.

    Two of them must fit, because a new one is there before an old one goes, and the features,
    unless there are some, or nobody knows how long the recordings are.
    """
    audio, features = voice.settings.audio, 0
    if record is not None and not any(voice.features.glob("*.features")):
        frames = record.report.hours * 3600 * audio.sample_rate / audio.hop_length
        frames += record.report.usable * audio.reduction
        # Mels lie in a file of their own until all magnitudes are written.
        numbers = audio.n_bins + 2 * audio.n_mels
        features = int(frames * numbers * _BYTES_OF_A_FEATURE)
    parts = [f"two checkpoints of {format_bytes(checkpoint_bytes)}"]
    if features:
        parts.append(f"features of {format_bytes(features)}")
    require_room(
        voice.folder,
        2 * checkpoint_bytes + features + _HISTORY_BYTES,
        f"Training ({', '.join(parts)} and the history)",
    )


def _open_features(
    corpus: Corpus, network: NetworkName, voice: Voice, publisher: Publisher, inbox: Inbox
) -> FeatureStore:
    folder = voice.locate() / "features"

    def show(done: int, total: int) -> None:
        publisher.update(progress=Progress("computing features", done, total))

    def cancelled() -> bool:
        try:
            if voice.locate() != folder.parent:
                raise FolderLostError(f"{folder.parent} was moved.")
        except FolderLostError:
            raise
        except EngineError:
            pass  # a disk that does not answer is asked again
        return must_end(inbox, publisher)

    return FeatureStore.open(
        corpus,
        voice.settings.audio,
        voice.settings.limits,
        folder,
        on_progress=show,
        cancelled=cancelled,
        magnitudes=network == "ssrn",
        on_damage=lambda sentence: publisher.event(sentence, "warning"),
    )


def _report_unknown(unknown: tuple[UnknownCharacter, ...], publisher: Publisher) -> None:
    """Report the characters that the voice has no symbol for, and what is read instead."""
    for one in unknown[:_MAX_UNKNOWN]:
        # A lost letter changes what a network learns; lost punctuation hardly does.
        lost = one.character.isalnum() and not one.becomes.strip()
        text = f"without a symbol: {sentence_about(one)}"
        publisher.event(text, "warning" if lost else "information")
    if len(unknown) > _MAX_UNKNOWN:
        others = plural(len(unknown) - _MAX_UNKNOWN, "other character")
        publisher.event(f"and {others} without a symbol; see corpus.json")


def _report_rejected(
    rejected: list[Rejected], clips: int, check: DataCheck, voice: Voice, publisher: Publisher
) -> None:
    """Report the clips left out, one by one unless the check has done so."""
    if not rejected:
        return
    publisher.event(f"left out {len(rejected):,} of {clips:,} clips", "warning")
    rest = [clip for clip in rejected if clip.line not in check.reported]
    for clip in rest[:_MAX_NAMED]:
        publisher.event(f"line {clip.line}: {clip.clip_id or 'no id'} {clip.reason}", "warning")
    if len(rest) > _MAX_NAMED:
        publisher.event(f"and {len(rest) - _MAX_NAMED} more; see {voice.corpus_report}", "warning")


def _save_report(
    store: FeatureStore,
    held_out_ids: Collection[str],
    rejected: list[Rejected],
    unknown: tuple[UnknownCharacter, ...],
    voice: Voice,
    publisher: Publisher,
) -> None:
    frames = sum(store.coarse_frames(i) for i in range(len(store.clips)))
    report = {
        "clips": len(store.clips),
        "training_clips": len(store.clips) - len(held_out_ids),
        "held_out": sorted(held_out_ids),
        "hours": round(frames * store.audio.coarse_frame_seconds / 3600, 4),
        "left_out": [
            {"line": clip.line, "id": clip.clip_id, "reason": clip.reason} for clip in rejected
        ],
        "unknown_characters": unknown,
    }
    try:
        voice.locate()
        write_whole(voice.corpus_report, to_json(report, indent=2) + b"\n", make_folders=False)
    except EngineError as error:
        publisher.event(str(error), "warning")


def watch_corpus(
    dataset: Path, recordings: Iterable[Path], publisher: Publisher
) -> BackgroundThread:
    """Check every minute, in a thread that a slow disk may hold up, whether the corpus changes.

    A run learns from its features, which no change of the recordings touches; but the person who
    changes them should know that. They are told once.
    """
    before = {path: _state(path) for path in (dataset / METADATA, *recordings)}

    def check() -> None:
        now = {path: _state(path) for path in before}
        found = {
            "gone": [path.name for path in now if now[path] is None and before[path]],
            "changed": [path.name for path in now if now[path] and now[path] != before[path]],
        }
        parts = [
            f"{len(names):,} {what} ({first_few(names)})" for what, names in found.items() if names
        ]
        if watch.stopped or not parts:
            return
        watch.stop(wait=False)
        publisher.warn(
            f"Files of the corpus changed during training: {', '.join(parts)}; the next run reads "
            f"the new ones."
        )

    watch = BackgroundThread("corpus monitoring", check, publisher.event, every=_WATCH_SECONDS)
    watch.start()
    return watch


def _state(path: Path) -> tuple[int, int] | None:
    """Size and time of change of a file; None where it is gone."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns
