"""A recording as its file holds it: what can be read, and what is wrong with the file itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from engine.check.kinds import finding
from engine.check.report import Finding
from engine.data.audio import ABSURD, MAX_RECORDING_BYTES, RecordingFile
from engine.data.clips import reason_of
from engine.errors import InputError

# Seconds of a recording that are read, and samples of all channels: a damaged header may
# promise more than memory holds.
_MAX_SECONDS = 60
_MAX_VALUES = 2**23
_BLOCK = 2**19
# Sample rates in Hz of sound cards and converters, with room on both sides.
_MIN_RATE, _MAX_RATE = 1_000, 768_000
# Whole numbers stored as floats, or a gain that nobody intended: 18 dB over full scale.
_FAR_OVER = 8.0
# How other files begin that are found under a recording's name.
_OTHERS = {
    b"ID3": "MP3", b"\xff\xfb": "MP3", b"\xff\xf3": "MP3", b"\xff\xf2": "MP3", b"\xff\xfa": "MP3",
    b"\xff\xf1": "AAC", b"\xff\xf9": "AAC", b"OggS": "Ogg", b"FORM": "AIFF", b".snd": "AU",
    b"caff": "CAF", b"riff": "Wave64", b"\x1aE\xdf\xa3": "Matroska or WebM", b"0&\xb2u": "WMA",
    b"#!AMR": "AMR", b"PK\x03\x04": "a ZIP archive", b"\x1f\x8b": "a gzip archive",
    b"version https://git-lfs": "a pointer of Git LFS", b"<": "a web page",
}  # fmt: skip
# Codings that keep every sample in at least 16 bits.
_FULL_CODINGS = ("PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")
_EIGHT_BITS = ("PCM_U8", "PCM_S8")
_EIGHT_BIT = finding("8-bit", "8 bits a sample, whose noise is audible", 8.0)


@dataclass(frozen=True, slots=True)
class Sound:
    """What was read from a file."""

    samples: NDArray[np.float32]
    """All channels, `(N, channels)`; empty where nothing can be read."""
    rate: int
    """Sample rate in Hz."""
    seconds: float
    """Duration according to the header, which may be more than was read."""
    readable: bool
    """Whether training can read it."""
    findings: tuple[Finding, ...]


def read_sound(path: Path) -> Sound:
    """Read a recording as far as possible, at most a minute of it, and check its file.

    What training refuses to read is still measured as far as it goes, so that one fault does not
    hide another. The file is opened once.
    """
    try:
        if wrong := _not_a_file(path):
            return _nothing(wrong)
        with RecordingFile(path) as recording:
            if wrong := _foreign(recording):
                return _nothing(wrong)
            return _read(recording)
    except (InputError, OSError) as error:
        return _nothing(_unreadable(path, error.__cause__ or error))


def _nothing(*findings: Finding, rate: int = 0) -> Sound:
    return Sound(np.empty((0, 1), np.float32), rate, 0.0, False, findings)


def _unreadable(path: Path, error: BaseException) -> Finding:
    # libsndfile has no usable message for a FLAC file that is cut short.
    if isinstance(error, soundfile.SoundFileError) and path.suffix.lower() == ".flac":
        return finding("unreadable", "the FLAC file is damaged or cut short")
    words = getattr(error, "error_string", None) or getattr(error, "strerror", None) or error
    return finding("unreadable", f"cannot be read: {str(words).rstrip('. ')}")


def _not_a_file(path: Path) -> Finding | None:
    """Reports what is no file, or too large to be a clip, without opening it."""
    if path.is_file():
        size = path.stat().st_size
        figure = f"{size:,} bytes; the limit is {MAX_RECORDING_BYTES:,}"
        return finding("too-large", figure) if size > MAX_RECORDING_BYTES else None
    figure = "is a folder" if path.is_dir() else "is not a file"
    if path.is_symlink() and not path.exists():
        figure = "is a broken link"
    return finding("not-a-file", figure)


def _foreign(recording: RecordingFile) -> Finding | None:
    """Reports a file without sound, or another format by how the file starts."""
    tags, size = recording.container.tags, recording.size
    if not size or recording.container.empty:
        return finding("empty", "has no samples" if size else "the file is empty", 0.0)
    if recording.container.kind:
        return None
    if tags >= size:
        figure = f"its ID3 tag promises {tags:,} bytes, the file has {size:,}"
        return finding("not-wav-or-flac", figure)
    start = recording.bytes_at(tags, 64)
    names = (name for beginning, name in _OTHERS.items() if start.startswith(beginning))
    if name := "MP4 or M4A" if start[4:8] == b"ftyp" else next(names, ""):
        return finding("not-wav-or-flac", f"the file is {name}")
    if tags:
        return finding("not-wav-or-flac", f"neither follows its ID3 tag of {tags:,} bytes")
    unknown = "in an unknown format" if start.strip(b"\0") else "all zeros"
    return finding("not-wav-or-flac", f"the file is {unknown}")


def _read(recording: RecordingFile) -> Sound:
    file = recording.decoder
    rate = int(file.samplerate)
    findings = [*_coding_findings(recording), *_container_findings(recording)]
    if not _MIN_RATE <= rate <= _MAX_RATE or file.subtype.startswith("MPEG"):
        figure = f"the header says {rate:,} Hz and the coding {file.subtype}"
        return _nothing(*findings, finding("unreadable", figure), rate=rate)
    max_samples = min(_MAX_SECONDS * rate, _MAX_VALUES // file.channels)
    samples, broken = _samples(file, max_samples)
    seconds = len(samples) / rate
    if broken:
        findings.append(finding("unreadable", f"the file is damaged at {seconds:.2f} s", seconds))
    elif not seconds:
        findings.append(finding("empty", "has no samples", 0.0))
    refusal = _refusal(recording)
    if refusal and not any(one.severity == "error" for one in findings):
        findings.append(finding("truncated", refusal))
    highest = np.abs(samples).max(initial=0)  # NaN where a sample is NaN
    if absurd := _absurd(samples):
        findings.append(absurd)
        samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
        samples /= max(1.0, float(np.abs(samples).max(initial=0)))
    if file.subtype not in _EIGHT_BITS and _has_few_bits(samples):
        findings.append(_EIGHT_BIT)
    if len(samples) == max_samples:
        seconds = max(seconds, file.frames / rate)
    readable = not broken and not refusal and len(samples) > 0 and bool(highest < ABSURD)
    return Sound(samples, rate, seconds, readable, tuple(findings))


def _refusal(recording: RecordingFile) -> str:
    """Why training does not read the file; empty where it does."""
    try:
        recording.require_whole()
    except InputError as error:
        return reason_of(error, recording.path).removeprefix(f"{recording.path.name} ")
    return ""


def _samples(file: soundfile.SoundFile, max_samples: int) -> tuple[NDArray[np.float32], bool]:
    """At most so many samples `(N, channels)`, and whether the decoder gave up."""
    blocks = [np.empty((0, file.channels), np.float32)]
    count = 0
    while count < max_samples:
        size = max(1, min(max_samples - count, _BLOCK // file.channels))
        try:
            block = file.read(size, dtype="float32", always_2d=True)
        except soundfile.SoundFileError:
            return np.concatenate(blocks), True
        if not len(block):
            break
        blocks.append(block)
        count += len(block)
    return np.concatenate(blocks), False


def _coding_findings(recording: RecordingFile) -> Iterator[Finding]:
    file = recording.decoder
    if file.subtype in _EIGHT_BITS:
        yield _EIGHT_BIT
    elif file.subtype not in _FULL_CODINGS:
        yield finding("lossy-coding", f"coded as {file.subtype}")
    container = "FLAC" if file.format == "FLAC" else "WAV"
    if recording.path.suffix.lower() != f".{container.lower()}":
        yield finding("misnamed", f"is {container}")


def _container_findings(recording: RecordingFile) -> Iterator[Finding]:
    """What surrounds the samples, and sizes in the header that are not those of the file."""
    container = recording.container
    promised, present = container.promised, container.present
    if container.tags:
        yield finding("id3-tag", f"an ID3 tag of {container.tags:,} bytes precedes the sound")
    if container.sizes == "cut":
        share = 100 * (1 - present / promised)
        figure = (
            f"{share:.0f} % of the samples are missing: the header promises {promised:,} bytes, "
            f"the file has {present:,}"
        )
        yield finding("truncated", figure, share)
    elif container.sizes == "wrong":
        seconds = recording.decoder.frames / recording.decoder.samplerate
        figure = "the sizes in its header are missing or wrong"
        if 0 < promised < present:
            figure = f"its header promises {promised:,} bytes of samples, the file has {present:,}"
        yield finding("unfinished-header", f"{figure}; all {seconds:.2f} s of sound are read")


def _has_few_bits(samples: NDArray[np.float32]) -> bool:
    for part in (samples[: 2**14], samples):
        steps = part * np.float32(2**7)
        if not np.array_equal(steps, np.rint(steps)):
            return False
    # A few steps may be silence, which has no finer ones.
    return bool(np.abs(samples).max(initial=0) > 2 / 2**7)


def _absurd(samples: NDArray[np.float32]) -> Finding | None:
    wrong = int((~np.isfinite(samples)).sum())
    if wrong:
        return finding("absurd-samples", f"{wrong:,} samples are NaN or infinite", float(wrong))
    peak = float(np.abs(samples).max(initial=0))
    figure = f"samples reach {peak:,.0f} times full scale"
    return finding("absurd-samples", figure, peak) if peak > _FAR_OVER else None
