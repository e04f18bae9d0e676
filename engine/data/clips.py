"""The clips of a corpus: which recordings can be learned from, and why others cannot."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, TypeVar

from msgspec import Meta

from engine.data.audio_spec import AudioSpec
from engine.data.metadata import (
    Line,
    Rejected,
    Row,
    parse_lines,
    read_bytes,
    recording_key,
    shown,
    split_lines,
)
from engine.errors import Cancelled, InputError
from engine.text.vocabulary import Vocabulary

METADATA = "metadata.csv"
RECORDINGS = "wavs"

# In the order in which they are preferred when a clip has both.
RECORDING_SUFFIXES = (".wav", ".flac")
# Characters of a text that a reason quotes.
_MAX_QUOTED = 40
# Far above any sentence; memory is taken for so many symbols and frames.
_MAX_LIMIT = 4_000
# Items worked on ahead of the one whose result is wanted, per thread: bounds the memory.
_AHEAD = 4

_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True)
class Limits:
    """The longest clip that a voice is trained on; the defaults are the BBC's."""

    max_characters: Annotated[int, Meta(ge=2, le=_MAX_LIMIT)] = 180
    """Symbols of the text, its E included."""
    max_coarse_frames: Annotated[int, Meta(ge=1, le=_MAX_LIMIT)] = 210
    """Coarse frames of the recording after trimming."""


@dataclass(frozen=True)
class Clip:
    """A recording and its transcript, cleaned by the vocabulary."""

    line: int
    """Line in `metadata.csv`, from 1."""
    clip_id: str
    """Path of the recording below `wavs/`, without its extension."""
    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class ClipShape:
    """Symbols of a clip's text, its E included, and coarse frames: what a step with it takes."""

    characters: int
    frames: int


@dataclass(frozen=True)
class CorpusScan:
    """A corpus folder: its list, parsed, and the files below `wavs/`, none of them opened.

    Everything that looks at a corpus starts from one scan: the check, the choice of clips to train
    on, and the features. So `metadata.csv` is read and parsed once.
    """

    dataset: Path
    """The folder that holds `metadata.csv` and `wavs/`."""
    content: bytes
    """`metadata.csv` as it is."""
    files: tuple[Path, ...]
    """Every file below `wavs/`."""

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """All lines of the list, blank ones and those with bytes that are not UTF-8 included."""
        return split_lines(self.content)

    @cached_property
    def _parsed(self) -> tuple[tuple[Row, ...], tuple[Rejected, ...]]:
        return parse_lines(self.lines)

    @property
    def rows(self) -> tuple[Row, ...]:
        """The lines that name a clip and its text, in order."""
        return self._parsed[0]

    @property
    def malformed(self) -> tuple[Rejected, ...]:
        """The other lines, but for blank ones and those that are not UTF-8."""
        return self._parsed[1]

    @cached_property
    def recordings(self) -> dict[str, list[Path]]:
        """WAV and FLAC files by their `recording_key`, the one that is used first."""
        found: dict[str, list[Path]] = {}
        for path in self.files:
            if path.suffix.lower() in RECORDING_SUFFIXES:
                name = path.relative_to(self.dataset / RECORDINGS).with_suffix("")
                found.setdefault(recording_key(name), []).append(path)
        for paths in found.values():
            paths.sort(key=_preference)
        return found


@dataclass(frozen=True)
class Corpus:
    """The clips of a corpus that can be used, as far as its list and its files tell.

    All in the order of their lines.
    """

    directory: Path
    clips: tuple[Clip, ...]
    rejected: tuple[Rejected, ...]

    def without(self, left_out: Sequence[Rejected]) -> "Corpus":
        """Leave out the clips that a check of the corpus does; it names them all."""
        lines = {row.line for row in left_out}
        clips = tuple(clip for clip in self.clips if clip.line not in lines)
        return Corpus(self.directory, clips, tuple(left_out))


def scan_corpus(dataset: Path) -> CorpusScan:
    """Parse the list of a corpus in LJ Speech layout and find its files.

    Raises:
        InputError: there is no such folder, or its list cannot be read.
    """
    require_layout(dataset)
    content = read_bytes(dataset / METADATA)
    files = tuple(
        Path(parent, name) for parent, _, names in os.walk(dataset / RECORDINGS) for name in names
    )
    return CorpusScan(dataset, content, files)


def usable_clips(scan: CorpusScan, vocabulary: Vocabulary, limits: Limits) -> Corpus:
    """Choose the clips whose text can be read and that have a recording.

    No recording is opened: whether it can be used shows when its features are computed.

    Raises:
        InputError: no clip of the list can be used.
    """
    clips: list[Clip] = []
    rejected = list(scan.malformed)
    for line in scan.lines:
        if line.damage:
            reason = f"has the byte 0x{line.damage[0]:02x}, which is not UTF-8; save it as UTF-8"
            rejected.append(Rejected(line.number, shown(line.clip_id), reason))
    for row in scan.rows:
        text = vocabulary.clean(row.text)
        paths = scan.recordings.get(recording_key(row.clip_id))
        if not paths:
            reason = f"has no recording {row.clip_id}.wav or .flac in {RECORDINGS}"
        elif not text:
            cut = "…" if len(row.text) > _MAX_QUOTED else ""
            reason = (
                f"has no character of the vocabulary in its text {row.text[:_MAX_QUOTED] + cut!r}"
            )
        elif len(text) >= limits.max_characters:
            reason = (
                f"has a text of {len(text) + 1} characters; the limit is {limits.max_characters}"
            )
        else:
            clips.append(Clip(row.line, row.clip_id, paths[0], text))
            continue
        rejected.append(Rejected(row.line, row.clip_id, reason))
    rejected.sort(key=lambda clip: clip.line)
    if not clips and not rejected:
        raise InputError(
            f"{scan.dataset / METADATA} is empty; write a line id|text for each recording."
        )
    for line in () if clips else scan.lines:
        if line.damage:
            raise InputError(
                f"{scan.dataset / METADATA}, line {line.number}: byte 0x{line.damage[0]:02x} is "
                f"not UTF-8; save the file with the encoding UTF-8."
            )
    if not clips:
        first = rejected[0]
        raise InputError(
            f"{scan.dataset} cannot be trained on: none of its {len(rejected)} clips can be used."
            f" Line {first.line}, {first.clip_id}: {first.reason}."
        )
    return Corpus(scan.dataset, tuple(clips), tuple(rejected))


def find_recording(dataset: Path, clip_id: str) -> Path | None:
    """Find the recording of a clip by its id; None where there is none of that name."""
    folder = dataset / RECORDINGS
    place = folder / recording_key(clip_id)
    # The list may come from somebody else.
    inside = place.is_relative_to(folder) and ".." not in place.relative_to(folder).parts
    if not (inside and place.parent.is_dir()):
        return None
    found = [
        path
        for path in place.parent.iterdir()
        if path.suffix.lower() in RECORDING_SUFFIXES and recording_key(path.stem) == place.name
    ]
    return min(found, key=_preference, default=None)


def _preference(path: Path) -> tuple[int, str]:
    """Orders the recordings of a clip, the one that is used first."""
    return RECORDING_SUFFIXES.index(path.suffix.lower()), path.name


def too_long(seconds: float, limits: Limits, audio: AudioSpec) -> str:
    """Why a recording is left out that is longer than the limit."""
    return f"is {seconds:.1f} s long; the limit is {max_seconds(limits, audio):.1f} s"


def max_seconds(limits: Limits, audio: AudioSpec) -> float:
    """The longest recording that a voice is trained on, in seconds after trimming."""
    return limits.max_coarse_frames * audio.coarse_frame_seconds


def reason_of(error: InputError, path: Path) -> str:
    """An error about a recording as the reason why its clip is left out, without the folder."""
    return str(error).replace(str(path), path.name).rstrip(".")


def map_in_order(
    function: Callable[[_T], _R],
    items: Sequence[_T],
    *,
    cancelled: Callable[[], bool],
    if_cancelled: str,
    max_threads: int = 64,
) -> Iterator[_R]:
    """Yield the results for recordings in order, computed in threads, only a few ahead.

    numpy, soxr and libsndfile let threads overlap. `cancelled` is asked in the calling thread
    before each result. Meanwhile matrix products of numpy's take one thread each: they are small,
    and threads that wait for each other's take two thirds more processor time.

    Raises:
        Cancelled: with the sentence `if_cancelled`.
    """
    from threadpoolctl import threadpool_limits

    threads = min(max_threads, os.cpu_count() or 1)
    waiting: deque[Future[_R]] = deque()
    remaining = iter(items)
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:
        try:
            for _ in range(len(items)):
                for item in remaining:
                    waiting.append(pool.submit(function, item))
                    if len(waiting) >= _AHEAD * threads:
                        break
                if cancelled():
                    raise Cancelled(if_cancelled)
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def require_layout(dataset: Path) -> None:
    """Check that a folder is laid out as a corpus; its list is read later.

    Raises:
        InputError: saying what is missing.
    """
    problem = ""
    if dataset.is_file():
        problem = f"is a file; give the folder that holds {METADATA} and {RECORDINGS}/"
    elif not dataset.is_dir():
        raise InputError(f"There is no corpus folder {dataset}; check the path.")
    elif not (dataset / METADATA).is_file():
        problem = (
            f"has no {METADATA}; a corpus needs one, with a line id|text for each recording in "
            f"{RECORDINGS}/"
        )
    elif not (dataset / RECORDINGS).is_dir():
        problem = f"has no folder {RECORDINGS}; put the recordings there as WAV or FLAC"
    if problem:
        raise InputError(f"{dataset} {problem}.")
