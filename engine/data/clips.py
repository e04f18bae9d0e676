"""The clips of a corpus: which recordings can be learned from, and why others cannot."""

import hashlib
import os
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Annotated

from msgspec import Meta

from engine.data.audio import AudioSpec, load_recording, recording_length
from engine.data.metadata import Rejected, Row, read_metadata
from engine.data.spectrograms import coarse_frames, trim
from engine.errors import InputError
from engine.serialization import MAX_NUMBER, Count
from engine.text.vocabulary import Vocabulary

METADATA = "metadata.csv"
RECORDINGS = "wavs"

# In the order in which they are preferred when a clip has both.
RECORDING_SUFFIXES = (".wav", ".flac")
# A recording this many times longer than the limit is not opened to see what trimming leaves.
_HOPELESS = 4
# Characters of a text that a reason quotes.
_SHOWN = 40


@dataclass(frozen=True)
class Limits:
    """The longest clip that a voice is trained on; the defaults are the BBC's."""

    max_characters: Annotated[int, Meta(ge=2, le=MAX_NUMBER)] = 180
    """Symbols of the text, its E included."""
    max_coarse_frames: Count = 210
    """Coarse frames of the recording after trimming."""


@dataclass(frozen=True)
class Clip:
    """A recording and its transcript."""

    line: int
    """Line in `metadata.csv`, from 1."""
    clip_id: str
    """Path of the recording below `wavs/`, without its extension."""
    path: Path
    """The recording."""
    text: str
    """The transcript, cleaned by the vocabulary."""


@dataclass(frozen=True)
class Corpus:
    """The recordings of a folder and what was found out about them."""

    directory: Path
    """The folder that holds `metadata.csv` and `wavs/`."""
    clips: tuple[Clip, ...]
    """Usable clips in the order of their lines."""
    rejected: tuple[Rejected, ...]
    """Clips left out, in the order of their lines."""


def open_corpus(dataset: Path, vocabulary: Vocabulary, limits: Limits, audio: AudioSpec) -> Corpus:
    """Read the list of a corpus in LJ Speech layout and check every clip that it names.

    Of a recording only the header is read, unless it is so long that only trimming could bring
    it within the limits; what shows in the samples alone is found by `FeatureStore.open`.

    Raises `InputError` when there is no such corpus or no clip in it can be used.
    """
    require_layout(dataset)
    rows, malformed = read_metadata(dataset / METADATA)
    recordings = find_recordings(dataset / RECORDINGS)
    clips: list[Clip] = []
    rejected = list(malformed)
    for row in rows:
        clip = _check(row, recordings, vocabulary, limits, audio)
        if isinstance(clip, Clip):
            clips.append(clip)
        else:
            rejected.append(clip)
    rejected.sort(key=lambda clip: clip.line)
    if not clips:
        raise InputError(_nothing_usable(dataset, rejected))
    return Corpus(dataset, tuple(clips), tuple(rejected))


def held_out(clips: Iterable[Clip]) -> frozenset[str]:
    """Ids of the clips that are never trained on: one in ten, at least one, at most eight.

    They are those with the smallest hash of their id, so a clip that is added or removed
    changes at most one of the others, and the order of the list changes none. Of fewer than
    two clips none is held out.
    """
    ids = [clip.clip_id for clip in clips]
    if len(ids) < 2:
        return frozenset()
    ids.sort(key=lambda clip_id: hashlib.sha256(clip_id.encode()).digest())
    return frozenset(ids[: max(1, min(8, len(ids) // 10))])


def too_long(frames: int, seconds: float, limits: Limits, audio: AudioSpec) -> str:
    """Say why a recording of so many coarse frames is left out."""
    limit = limits.max_coarse_frames
    return (
        f"lasts {seconds:.1f} s ({frames} coarse frames), "
        f"but the limit is {limit * audio.coarse_frame_seconds:.1f} s ({limit})"
    )


def reason_of(error: InputError, path: Path) -> str:
    """An error about a recording as the reason why its clip is left out, without the folder."""
    return str(error).replace(str(path), path.name).rstrip(".")


def require_layout(dataset: Path) -> None:
    """Raise `InputError` when there is no folder with `metadata.csv` and `wavs/`."""
    if dataset.is_file():
        raise InputError(
            f"{dataset} is a file; give the folder that holds {METADATA} and {RECORDINGS}/."
        )
    if not dataset.is_dir():
        raise InputError(f"There is no corpus folder {dataset}; check the path.")
    if not (dataset / METADATA).is_file():
        raise InputError(
            f"{dataset} has no {METADATA}; a corpus needs one, with a line id|text for each "
            f"recording in {RECORDINGS}/."
        )
    if not (dataset / RECORDINGS).is_dir():
        raise InputError(
            f"{dataset} has no folder {RECORDINGS}; put the recordings there as WAV or FLAC."
        )


def find_recordings(folder: Path) -> dict[str, list[Path]]:
    """All recordings below a folder by their `recording_key`, the one that is used first."""
    found: dict[str, list[Path]] = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            if path.suffix.lower() in RECORDING_SUFFIXES:
                key = recording_key(path.relative_to(folder).with_suffix(""))
                found.setdefault(key, []).append(path)
    for paths in found.values():
        paths.sort(key=_preference)
    return found


def recording_key(clip_id: PurePath | str) -> str:
    """An id in one Unicode form, because macOS and Linux write accents differently."""
    return unicodedata.normalize("NFC", str(clip_id))


def _preference(path: Path) -> tuple[int, str]:
    return RECORDING_SUFFIXES.index(path.suffix.lower()), path.name


def _check(
    row: Row,
    recordings: Mapping[str, Sequence[Path]],
    vocabulary: Vocabulary,
    limits: Limits,
    audio: AudioSpec,
) -> Clip | Rejected:
    text = vocabulary.clean(row.text)
    paths = recordings.get(recording_key(row.clip_id))
    if not paths:
        reason = f"has no recording {row.clip_id}.wav or .flac in {RECORDINGS}"
    else:
        path = paths[0]
        reason = _problem_of_text(row.text, text, limits) or _problem_of_recording(
            path, limits, audio
        )
        if not reason:
            return Clip(row.line, row.clip_id, path, text)
    return Rejected(row.line, row.clip_id, reason)


def _problem_of_text(original: str, text: str, limits: Limits) -> str:
    if not text:
        shown = original if len(original) <= _SHOWN else original[:_SHOWN] + "…"
        return f"has no character of the vocabulary in its text {shown!r}"
    symbols = len(text) + 1
    if symbols > limits.max_characters:
        return (
            f"has a text of {symbols} symbols with its E, but the limit is {limits.max_characters}"
        )
    return ""


def _problem_of_recording(path: Path, limits: Limits, audio: AudioSpec) -> str:
    try:
        samples, rate = recording_length(path)
        if not samples:
            return "is empty: the recording holds no sample"
        seconds = samples / rate
        frames = coarse_frames(int(seconds * audio.sample_rate), audio)
        if limits.max_coarse_frames < frames <= _HOPELESS * limits.max_coarse_frames:
            trimmed = trim(load_recording(path, audio.sample_rate), audio.trim_db)
            seconds = len(trimmed) / audio.sample_rate
            frames = coarse_frames(len(trimmed), audio)
    except InputError as error:
        return reason_of(error, path)
    return too_long(frames, seconds, limits, audio) if frames > limits.max_coarse_frames else ""


def _nothing_usable(dataset: Path, rejected: list[Rejected]) -> str:
    if not rejected:
        return f"{dataset / METADATA} is empty; write a line id|text for each recording."
    first = rejected[0]
    return (
        f"{dataset} is no usable corpus: none of its clips ({len(rejected)}) can be used. "
        f"Line {first.line}, {first.clip_id}: {first.reason}."
    )
