"""The cache of a corpus: what the networks learn from, in one memory-mapped file."""

import os
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data.audio import AudioSpec, load_recording
from engine.data.clips import Clip, Corpus, Limits, reason_of, too_long
from engine.data.content import CorpusContent, hash_of_clip
from engine.data.feature_file import (
    Entry,
    FeatureIndex,
    checksum,
    features_path,
    is_as_written,
    keep_only,
    load_index,
)
from engine.data.hashes import ContentHashes
from engine.data.metadata import Rejected
from engine.data.spectrograms import analyse, coarse_frames, is_silent, trim
from engine.data.workers import Workers
from engine.errors import Cancelled, EngineError, InputError
from engine.files import PRIVATE_FOLDER, replacing, sweep_parts, unremoved_message

# Part of every key: raise it when the numbers or their layout change.
_FORMAT = 1
_UNDONE = "The features were not completed."


def _nobody_is_told(_sentence: str) -> None:
    """Let a damaged cache be made again in silence."""


class FeatureStore:
    """Coarse mels and magnitudes of a corpus, read from disk as they are asked for.

    The magnitudes of all clips come first in the file and the coarse mels stand together at
    its end, so that training Text2Mel touches no page of magnitudes. Both are float16, whose
    rounding (at most 0.0005) is far below what the networks resolve.
    """

    clips: tuple[Clip, ...]
    """Usable clips in the corpus's order; index i is the same in all methods."""
    rejected: tuple[Rejected, ...]
    """Clips of the corpus that failed in analysis: silent, unreadable, too long when trimmed."""
    key: str
    """Hash of the recordings, the audio constants and the limit that made these features."""
    audio: AudioSpec
    """The audio constants."""
    content: CorpusContent
    """What the usable clips consist of, their transcripts included."""

    def __init__(
        self,
        corpus: Corpus,
        audio: AudioSpec,
        index: FeatureIndex,
        path: Path,
        recordings: dict[str, str],
    ) -> None:
        by_id = {clip.clip_id: clip for clip in corpus.clips}
        self.clips = tuple(by_id[entry.clip_id] for entry in index.entries)
        self.rejected = tuple(
            Rejected(by_id[clip_id].line, clip_id, reason) for clip_id, reason in index.rejected
        )
        self.content = CorpusContent(
            {clip.clip_id: hash_of_clip(recordings[clip.clip_id], clip.text) for clip in self.clips}
        )
        self.key = index.key
        self.audio = audio
        counts = [entry.frames for entry in index.entries]
        self._starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        total, bins = index.frames, index.n_bins
        self._magnitude: NDArray[np.float16] = np.memmap(path, np.float16, "r", shape=(total, bins))
        self._mel: NDArray[np.float16] = np.memmap(
            path,
            np.float16,
            "r",
            offset=2 * total * bins,
            shape=(total // index.reduction, index.n_mels),
        )

    @classmethod
    def open(
        cls,
        corpus: Corpus,
        audio: AudioSpec,
        limits: Limits,
        folder: Path,
        *,
        on_progress: Callable[[int, int], None],
        cancelled: Callable[[], bool],
        magnitudes: bool = True,
        on_damage: Callable[[str], None] = _nobody_is_told,
    ) -> "FeatureStore":
        """Open the features of a corpus in a cache folder, and compute them first if need be.

        They are taken from the folder when the same recordings were analysed there with the
        same constants; transcripts may differ. `on_progress(done, total)` counts clips and
        ends at the total; it and `cancelled` are called from the calling thread. Of a cache in
        which a number has changed nothing is taken: `on_damage` is told in a sentence, as it is
        of old features that cannot be removed. Without `magnitudes`, which nobody will ask for
        then, the coarse mels alone are looked through.

        Raises `Cancelled` as soon as `cancelled()` is true, leaving nothing half-made;
        `InputError` when no clip can be used; `EngineError` when the folder cannot be written.
        """
        try:
            folder.mkdir(PRIVATE_FOLDER, exist_ok=True)
            on_progress(0, len(corpus.clips))
            with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
                workers = Workers(pool, cancelled, _UNDONE)
                recordings = _hash_recordings(corpus, folder, workers)
                key = _key(recordings, audio, limits)
                index = load_index(folder, key)
                if index is not None and not _is_of(index, corpus, audio):
                    index = None
                if index is not None and not _is_sound(folder, index, magnitudes, cancelled):
                    on_damage(
                        f"{features_path(folder, key)} is damaged: its numbers are not those that "
                        f"were computed; they are computed again"
                    )
                    index = None
                if index is None:
                    left = sweep_parts(folder)
                    index = _build(corpus, audio, limits, folder, key, workers, on_progress)
                    left |= keep_only(folder, key)
                    if left:
                        on_damage(unremoved_message(left))
                else:
                    on_progress(len(corpus.clips), len(corpus.clips))
        except OSError as error:
            raise EngineError(
                f"The features cannot be kept in {folder}: {error.strerror or error}. "
                "Free some space or choose another place for the voice."
            ) from error
        if not index.entries:
            clip_id, reason = index.rejected[0]
            raise InputError(
                f"{corpus.directory} is no usable corpus: none of its {len(index.rejected)} "
                f"recordings can be used; {clip_id} {reason}."
            )
        return cls(corpus, audio, index, features_path(folder, key), recordings)

    def coarse_mel(self, i: int) -> NDArray[np.float16]:
        """Every `reduction`-th mel frame of clip i, `(T / reduction, n_mels)`, read-only."""
        start, end = self._starts[i : i + 2] // self.audio.reduction
        return self._mel[start:end]

    def magnitude(self, i: int) -> NDArray[np.float16]:
        """Magnitude of clip i, `(T, n_bins)`, read-only."""
        start, end = self._starts[i : i + 2]
        return self._magnitude[start:end]

    def coarse_frames(self, i: int) -> int:
        """Coarse frames of clip i, T / reduction."""
        return int(self._starts[i + 1] - self._starts[i]) // self.audio.reduction


@dataclass(frozen=True)
class _Analysed:
    """What one recording came to: features, or the reason why there are none."""

    mel: NDArray[np.float16]
    magnitude: NDArray[np.float16]
    problem: str = ""


def _analyse_clip(clip: Clip, audio: AudioSpec, limits: Limits) -> _Analysed:
    nothing = np.empty((0, 0), np.float16)
    try:
        waveform = load_recording(clip.path, audio.sample_rate)
    except InputError as error:
        return _Analysed(nothing, nothing, reason_of(error, clip.path))
    if is_silent(waveform):
        return _Analysed(nothing, nothing, "is silent")
    trimmed = trim(waveform, audio.trim_db)
    frames = coarse_frames(len(trimmed), audio)
    if frames > limits.max_coarse_frames:
        seconds = len(trimmed) / audio.sample_rate
        return _Analysed(nothing, nothing, too_long(frames, seconds, limits, audio))
    mel, magnitude = analyse(waveform, audio)
    return _Analysed(mel[:: audio.reduction].astype(np.float16), magnitude.astype(np.float16))


def _hash_recordings(corpus: Corpus, folder: Path, workers: Workers) -> dict[str, str]:
    """Hashes of what the recordings hold, by the id of their clip."""
    hashes = ContentHashes(folder / "recordings.json")
    paths = [clip.path for clip in corpus.clips]
    contents = list(workers.map(hashes.of, paths))
    workers.stop_if_cancelled()
    hashes.save(paths)
    return {clip.clip_id: content for clip, content in zip(corpus.clips, contents, strict=True)}


def _is_of(index: FeatureIndex, corpus: Corpus, audio: AudioSpec) -> bool:
    """Whether an index, which came with the voice perhaps, tells of each clip once."""
    sizes = (index.n_bins, index.n_mels, index.reduction)
    told = [entry.clip_id for entry in index.entries] + [one for one, _ in index.rejected]
    return sizes == (audio.n_bins, audio.n_mels, audio.reduction) and sorted(told) == sorted(
        clip.clip_id for clip in corpus.clips
    )


def _is_sound(
    folder: Path, index: FeatureIndex, magnitudes: bool, cancelled: Callable[[], bool]
) -> bool:
    """Whether the numbers of a cache are as they were computed.

    Raises:
        Cancelled: that was asked for meanwhile.
        OSError: they cannot be read.
    """

    def stop() -> None:
        if cancelled():
            raise Cancelled(_UNDONE)

    return is_as_written(folder, index, magnitudes=magnitudes, stop=stop)


def _key(recordings: dict[str, str], audio: AudioSpec, limits: Limits) -> str:
    """Hash of all that the features depend on."""
    ingredients = {
        "format": _FORMAT,
        "audio": asdict(audio),
        "max_coarse_frames": limits.max_coarse_frames,
        "clips": [list(one) for one in recordings.items()],
    }
    return checksum(ingredients)[:32]


def _build(
    corpus: Corpus,
    audio: AudioSpec,
    limits: Limits,
    folder: Path,
    key: str,
    workers: Workers,
    on_progress: Callable[[int, int], None],
) -> FeatureIndex:
    """Analyse every clip and write the file and its index."""
    entries: list[Entry] = []
    rejected: list[tuple[str, str]] = []
    mels: list[NDArray[np.float16]] = []
    total = len(corpus.clips)
    magnitude_sum = mel_sum = 0
    with replacing(features_path(folder, key)) as file:
        results = workers.map(lambda clip: _analyse_clip(clip, audio, limits), corpus.clips)
        for done, (clip, result) in enumerate(zip(corpus.clips, results, strict=True), start=1):
            if result.problem:
                rejected.append((clip.clip_id, result.problem))
            else:
                entries.append(Entry(clip.clip_id, len(result.magnitude)))
                file.write(result.magnitude.data)
                magnitude_sum = zlib.crc32(result.magnitude.data, magnitude_sum)
                mels.append(np.ascontiguousarray(result.mel))
            on_progress(done, total)
        for mel in mels:
            file.write(mel.data)
            mel_sum = zlib.crc32(mel.data, mel_sum)
    index = FeatureIndex(
        key,
        audio.n_bins,
        audio.n_mels,
        audio.reduction,
        tuple(entries),
        tuple(rejected),
        magnitude_sum,
        mel_sum,
    )
    index.save(folder)
    return index
