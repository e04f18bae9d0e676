"""The cache of a corpus: what the networks learn from, in one memory-mapped file.

`<key>.features` holds float16 numbers and nothing else: the magnitudes of all clips one after
another, then their mels one after another. `<key>.json` beside it is the index: which clips
these are, and checksums of the numbers. It is written last, so a cache with an index is complete.
"""

import os
import zlib
from collections.abc import Callable, Collection, Iterator
from copy import copy
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Annotated, TypeVar

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from engine.data.audio import AudioSpec, RecordingFile
from engine.data.clips import Clip, Corpus, Limits, map_in_order, reason_of, too_long
from engine.data.corpus_changes import (
    UNREADABLE,
    CorpusContent,
    RecordingHashes,
    checksum,
    hash_of_clip,
)
from engine.data.frames import Frames
from engine.data.metadata import Rejected
from engine.data.spectrograms import analyse, coarse_frames, is_silent, trim
from engine.errors import Cancelled, EngineError, InputError
from engine.files import (
    PRIVATE_FOLDER,
    plain_file,
    read_plain,
    remove_all,
    replacing,
    sweep_parts,
    unremoved_message,
)
from engine.serialization import from_json, from_plain, to_json

# Part of every key: raise it when the numbers or their layout change.
_FORMAT = 4
_IF_CANCELLED = "The features were not completed."
# More than the index of any corpus has; a file that is longer is none.
_MAX_INDEX_BYTES = 2**28
# Bytes of numbers whose checksum is computed at a time.
_BLOCK = 2**22
# Larger sections (an hour of magnitudes) are verified once, not at every start.
_MANY_BYTES = 2**29
# A recording this many times longer than the limit is not decoded to see what trimming leaves.
_HOPELESS = 4

_Count = Annotated[int, Meta(gt=0, lt=2**31)]
_Known = tuple[Clip, str | None]
"""A clip and the hash of its recording, None where that is not known yet."""
_Features = tuple[NDArray[np.float16], NDArray[np.float16]]
"""Mel and magnitude of a clip."""
_R = TypeVar("_R")


@dataclass(frozen=True)
class IndexEntry:
    """A usable clip's share of the file."""

    clip_id: str
    frames: _Count
    """Its frames, a multiple of `reduction`."""


@dataclass(frozen=True)
class FeatureIndex:
    """What a file of features holds; the sizes are those of the `AudioSpec`."""

    key: str
    """Hash of all that the features depend on; the name of the file."""
    n_bins: _Count
    n_mels: _Count
    reduction: _Count
    entries: tuple[IndexEntry, ...]
    """Usable clips in the order in which they lie in the file."""
    rejected: tuple[tuple[str, str], ...]
    """Id and reason of each clip that failed in analysis."""
    magnitude_sum: int
    """CRC-32 of all magnitudes, as they lie in the file."""
    mel_sum: int
    """CRC-32 of all mels, as they lie in the file."""

    def __post_init__(self) -> None:
        if any(entry.frames % self.reduction for entry in self.entries):
            raise ValueError("a clip has part of a coarse frame")

    @property
    def frames(self) -> int:
        """Frames of all clips."""
        return sum(entry.frames for entry in self.entries)

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.mels_from + 2 * self.frames * self.n_mels

    @property
    def mels_from(self) -> int:
        """Where in the file the mels begin, in bytes."""
        return 2 * self.frames * self.n_bins

    @property
    def sums(self) -> set[str]:
        """Both checksums, as `recordings.json` has those that were verified."""
        return {str(self.magnitude_sum), str(self.mel_sum)}

    def save(self, folder: Path) -> None:
        """Write the index beside its file, which must be complete by now."""
        content = {**asdict(self), "bytes": self.size}
        content["checksum"] = checksum(content)
        with replacing(folder / f"{self.key}.json") as file:
            file.write(to_json(content, indent=1))

    def describes(self, corpus: Corpus, audio: AudioSpec) -> bool:
        """Whether it has each clip of a corpus once, and the sizes of its audio constants."""
        ids = [entry.clip_id for entry in self.entries] + [one for one, _ in self.rejected]
        sizes = (self.n_bins, self.n_mels, self.reduction)
        return sizes == (audio.n_bins, audio.n_mels, audio.reduction) and sorted(ids) == sorted(
            clip.clip_id for clip in corpus.clips
        )


class FeatureStore(Frames):
    """The features of a corpus, and what they are made of."""

    def __init__(
        self, corpus: Corpus, audio: AudioSpec, index: FeatureIndex, path: Path, hashes: list[str]
    ) -> None:
        by_id = {clip.clip_id: clip for clip in corpus.clips}
        self.clips = tuple(by_id[entry.clip_id] for entry in index.entries)
        """Usable clips in the corpus's order; index i is the same in all methods."""
        self.rejected = tuple(
            Rejected(by_id[clip_id].line, clip_id, reason) for clip_id, reason in index.rejected
        )
        """Clips of the corpus that failed in analysis: silent, unreadable, too long."""
        self._hash_of = dict(zip(by_id, hashes, strict=True))
        self.key = index.key
        """Hash of the recordings, the audio constants and the limit that made these features."""
        counts = np.asarray([entry.frames for entry in index.entries], dtype=np.int64)
        ends = np.cumsum(counts)
        super().__init__(path, audio, index.frames, np.stack([ends - counts, ends], axis=1))
        self.content = self._content()
        """What the usable clips consist of, their transcripts included."""

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
        on_damage: Callable[[str], None] = lambda sentence: None,
    ) -> "FeatureStore":
        """Open the features of a corpus in a cache folder, and compute them first if need be.

        They are taken from the folder when the same recordings were analysed there with the
        same constants; transcripts may differ. `on_progress(done, total)` counts clips; it and
        `cancelled` are called from the calling thread. `on_damage` gets a sentence where a number
        in the cache has changed, so that all are computed again, or old features cannot be
        removed. Without `magnitudes`, which Text2Mel does not read, only mels are verified; what
        is large once, and again when the file has another size or time.

        Raises:
            Cancelled: `cancelled()` was true; nothing half-made is left.
            InputError: no clip can be used.
            EngineError: the folder cannot be written.
        """
        builder = _Builder(corpus, audio, limits, folder, on_progress, cancelled, on_damage)
        try:
            folder.mkdir(PRIVATE_FOLDER, exist_ok=True)
            index, hashes = builder.load_or_build(magnitudes)
        except OSError as error:
            raise EngineError(
                f"The features cannot be written to {folder}: {error.strerror or error}. "
                "Free some space or choose another place for the voice."
            ) from error
        if not index.entries:
            clip_id, reason = index.rejected[0]
            raise InputError(
                f"{corpus.directory} cannot be trained on: none of its {len(index.rejected)} "
                f"recordings can be used; {clip_id} {reason}."
            )
        return cls(corpus, audio, index, folder / f"{index.key}.features", hashes)

    def without(self, clip_ids: Collection[str]) -> "FeatureStore":
        """The same features without some clips, as if these were not in the cache."""
        kept = [i for i, clip in enumerate(self.clips) if clip.clip_id not in clip_ids]
        fewer = copy(self)
        fewer.clips, fewer.spans = tuple(self.clips[i] for i in kept), self.spans[kept]
        fewer.content = fewer._content()
        return fewer

    def _content(self) -> CorpusContent:
        frames = int(np.diff(self.spans).sum())
        return CorpusContent(
            {c.clip_id: hash_of_clip(self._hash_of[c.clip_id], c.text) for c in self.clips},
            round(frames * self.audio.hop_length / self.audio.sample_rate, 2),
        )


@dataclass(frozen=True)
class _Builder:
    """Finds the features of a corpus in a cache folder, or computes them."""

    corpus: Corpus
    audio: AudioSpec
    limits: Limits
    folder: Path
    on_progress: Callable[[int, int], None]
    cancelled: Callable[[], bool]
    on_damage: Callable[[str], None]

    def load_or_build(self, magnitudes: bool) -> tuple[FeatureIndex, list[str]]:
        """The index of a complete cache, and the hash of each clip's recording."""
        clips, paths = self.corpus.clips, [clip.path for clip in self.corpus.clips]
        self.on_progress(0, len(clips))
        record = RecordingHashes(self.folder / "recordings.json")
        hashes = [*map(record.known, paths)]
        if any(self.folder.glob("*.features")):
            hashes = list(self._map(_hash, list(zip(clips, hashes, strict=True))))
        known = [one for one in hashes if one is not None]
        if len(known) == len(clips):
            found, path = dict(zip(paths, known, strict=True)), self._path(self._key(known))
            verified = {*(record.known(path) or "").split()}
            record.save({**found, path: " ".join(sorted(verified)) or UNREADABLE})
            if (index := self._load(path, magnitudes, verified)) is not None:
                verified |= index.sums if magnitudes else {str(index.mel_sum)}
                record.save({**found, path: " ".join(sorted(verified))})
                self.on_progress(len(clips), len(clips))
                return index, known
        left = sweep_parts(self.folder)
        index, known = self._build(hashes)
        path = self._path(index.key)
        record.known(path)
        found = dict(zip(paths, known, strict=True))
        record.save({**found, path: " ".join(sorted(index.sums))})
        old = [one for one in self.folder.glob("*.features") if one != path]
        left |= remove_all(one for path in old for one in (path.with_suffix(".json"), path))
        if left:
            self.on_damage(unremoved_message(left))
        return index, known

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.features"

    def _map(self, function: Callable[[_Known], _R], clips: list[_Known]) -> Iterator[_R]:
        return map_in_order(function, clips, cancelled=self.cancelled, if_cancelled=_IF_CANCELLED)

    def _key(self, hashes: list[str]) -> str:
        """Hash of all that the features depend on."""
        ids = [clip.clip_id for clip in self.corpus.clips]
        ingredients = {
            "format": _FORMAT,
            "audio": asdict(self.audio),
            "max_coarse_frames": self.limits.max_coarse_frames,
            "clips": [*zip(ids, hashes, strict=True)],
        }
        return checksum(ingredients)[:32]

    def _load(self, path: Path, magnitudes: bool, verified: set[str]) -> FeatureIndex | None:
        """Read the index of a cache; None where there is none or the cache is damaged.

        `verified` are checksums already verified since the file last changed: large sections are
        then not read again, as the magnitudes of many hours take a minute.
        """
        key = path.stem
        try:
            content = from_json(read_plain(path.with_suffix(".json"), _MAX_INDEX_BYTES), dict, key)
            stated = content.pop("checksum", None)
            index = from_plain(content, FeatureIndex, key)
            with plain_file(path) as file:
                fits = index.key == key and index.describes(self.corpus, self.audio)
                size = os.fstat(file.fileno()).st_size
                if not fits or stated != checksum(content) or size != index.size:
                    return None
                sections = [(index.mels_from, index.size, index.mel_sum)]
                if magnitudes:
                    sections.append((0, index.mels_from, index.magnitude_sum))
                if all(
                    (end - start > _MANY_BYTES and str(one) in verified)
                    or self._sum(file, start, end) == one
                    for start, end, one in sections
                ):
                    return index
        except (OSError, InputError):
            return None
        self.on_damage(
            f"{path} is damaged: its numbers are not those that were computed; they are computed "
            f"again"
        )
        return None

    def _sum(self, file: IO[bytes], start: int, end: int) -> int:
        """The CRC-32 of what lies between two places of a file."""
        file.seek(start)
        found = 0
        while piece := file.read(min(_BLOCK, end - file.tell())):
            found = zlib.crc32(piece, found)
            if self.cancelled():
                raise Cancelled(_IF_CANCELLED)
        return found

    def _build(self, hashes: list[str | None]) -> tuple[FeatureIndex, list[str]]:
        """Analyse every clip and write the file and its index."""
        entries: list[IndexEntry] = []
        rejected: list[tuple[str, str]] = []
        found: list[str] = []
        magnitude_sum = mel_sum = 0
        clips = list(zip(self.corpus.clips, hashes, strict=True))
        # Its name is a hash of all recordings, which is known when they have been read.
        unnamed = self.folder / "new.features"
        with replacing(unnamed) as file, TemporaryFile(dir=self.folder) as mels:
            for (clip, _), (digest, result) in zip(
                clips, self._map(self._analyse, clips), strict=True
            ):
                found.append(digest)
                if isinstance(result, str):
                    rejected.append((clip.clip_id, result))
                else:
                    mel, magnitude = result
                    entries.append(IndexEntry(clip.clip_id, len(magnitude)))
                    file.write(magnitude.data)
                    magnitude_sum = zlib.crc32(magnitude.data, magnitude_sum)
                    mels.write(mel.data)
                self.on_progress(len(found), len(clips))
            mels.seek(0)
            while piece := mels.read(_BLOCK):
                file.write(piece)
                mel_sum = zlib.crc32(piece, mel_sum)
        sizes = (self.audio.n_bins, self.audio.n_mels, self.audio.reduction)
        index = FeatureIndex(
            self._key(found), *sizes, tuple(entries), tuple(rejected), magnitude_sum, mel_sum
        )
        unnamed.rename(self._path(index.key))
        index.save(self.folder)
        return index, found

    def _analyse(self, item: _Known) -> tuple[str, str | _Features]:
        """The hash of a recording, and its features or the reason why it has none.

        The file is opened once.
        """
        clip, known = item
        digest, limit = known or UNREADABLE, self.limits.max_coarse_frames
        try:
            with RecordingFile(clip.path) as recording:
                digest = known or recording.content_hash()
                samples, rate = recording.length()
                seconds = samples / rate
                if (
                    coarse_frames(int(seconds * self.audio.sample_rate), self.audio)
                    > _HOPELESS * limit
                ):
                    return digest, too_long(seconds, self.limits, self.audio)
                waveform = recording.mono(self.audio.sample_rate)
        except InputError as error:
            return digest, reason_of(error, clip.path)
        if is_silent(waveform):
            return digest, "is silent"
        trimmed = trim(waveform, self.audio.trim_db)
        if coarse_frames(len(trimmed), self.audio) > limit:
            seconds = len(trimmed) / self.audio.sample_rate
            return digest, too_long(seconds, self.limits, self.audio)
        mel, magnitude = analyse(waveform, self.audio)
        return digest, (mel.astype(np.float16), magnitude.astype(np.float16))


def _hash(item: _Known) -> str:
    clip, known = item
    if known is not None:
        return known
    try:
        with RecordingFile(clip.path) as recording:
            return recording.content_hash()
    except InputError:
        return UNREADABLE
