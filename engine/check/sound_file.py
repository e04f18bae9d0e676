"""A recording as its file holds it: what can be read, and what is wrong with the file itself."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from engine.check.report import Fault
from engine.data.audio import ABSURD, MAX_RECORDING_BYTES, recording_length
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
# Bytes of a RIFF file before its chunks, and of a chunk's own header.
_RIFF_HEADER, _CHUNK_HEADER = 12, 8
# Programs that do not know the size in advance write one above this.
_UNKNOWN_SIZE = 0x7FFF_0000
# Chunks that are searched for the samples.
_MAX_CHUNKS = 64
# Bytes after the samples that are more than padding, and what a chunk's name looks like.
_MIN_REST = 2_000
_CHUNK_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9_ ]{3}")
# Seconds that may be missing without a word being lost.
_NEGLIGIBLE = 0.02

_FLAC_START = b"fLaC"
# How other files begin that are found under a recording's name.
_OTHERS = {
    b"ID3": "MP3", b"\xff\xfb": "MP3", b"\xff\xf3": "MP3", b"\xff\xf2": "MP3", b"\xff\xfa": "MP3",
    b"\xff\xf1": "AAC", b"\xff\xf9": "AAC", b"OggS": "Ogg", b"FORM": "AIFF", b".snd": "AU",
    b"caff": "CAF", b"\x1aE\xdf\xa3": "Matroska or WebM", b"0&\xb2u": "WMA", b"#!AMR": "AMR",
    b"PK\x03\x04": "a ZIP archive", b"\x1f\x8b": "a gzip archive",
    b"version https://git-lfs": "a pointer of Git LFS", b"<": "a web page",
}  # fmt: skip
# Codings that keep every sample in at least 16 bits.
_FULL_CODINGS = ("PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")
_EIGHT_BITS = ("PCM_U8", "PCM_S8")
_EXPORT_AGAIN = "export it again as 16-bit WAV or FLAC"
_COPY_AGAIN = "copy or export it again"


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
    faults: tuple[Fault, ...]


def read_sound(path: Path) -> Sound:
    """Read a recording as far as possible, at most a minute of it, and check its file.

    What training refuses to read is still measured as far as it goes, so that one fault does not
    hide another.
    """
    try:
        foreign = _not_a_recording(path)
        if foreign is not None:
            return _nothing(foreign)
        with soundfile.SoundFile(path) as file:
            return _read(path, file)
    except (soundfile.SoundFileError, OSError) as error:
        return _nothing(_unreadable(path, error))


def _nothing(fault: Fault) -> Sound:
    return Sound(np.empty((0, 1), np.float32), 0, 0.0, False, (fault,))


def _unreadable(path: Path, error: Exception) -> Fault:
    if isinstance(error, soundfile.SoundFileError) and _starts_as_flac(path):
        # libsndfile has no usable message for a FLAC file that is cut short.
        figure = "the FLAC file is damaged or cut short"
        return Fault("unreadable", "error", figure, _COPY_AGAIN)
    words = getattr(error, "error_string", None) or getattr(error, "strerror", None) or error
    figure = f"cannot be read: {str(words).rstrip('. ')}"
    return Fault("unreadable", "error", figure, _EXPORT_AGAIN)


def _starts_as_flac(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_FLAC_START)) == _FLAC_START
    except OSError:
        return False


def _not_a_recording(path: Path) -> Fault | None:
    advice = "put a WAV or FLAC recording in its place"
    if path.is_dir():
        return Fault("not-a-file", "error", "is a folder", advice)
    if path.is_symlink() and not path.exists():
        return Fault("not-a-file", "error", "is a broken link", advice)
    if not path.is_file():
        return Fault("not-a-file", "error", "is not a file", advice)
    if (size := path.stat().st_size) > MAX_RECORDING_BYTES:
        figure = f"{size:,} bytes; the limit is {MAX_RECORDING_BYTES:,}"
        return Fault("too-large", "error", figure, "cut it into clips")
    with path.open("rb") as file:
        start = file.read(64)
    if not start:
        return Fault("empty", "error", "the file is empty", _COPY_AGAIN, 0.0)
    if start.startswith((_FLAC_START, b"RF64", b"RIFX")):
        return None
    if start.startswith(b"RIFF") and (len(start) < _RIFF_HEADER or start[8:12] == b"WAVE"):
        return None
    advice = "convert it to 16-bit WAV or FLAC; renaming is not enough"
    return Fault("not-wav-or-flac", "error", f"is {_format_of(start)}", advice)


def _format_of(start: bytes) -> str:
    if start[4:8] == b"ftyp":
        return "MP4 or M4A, not WAV or FLAC"
    for beginning, name in _OTHERS.items():
        if start.startswith(beginning):
            return f"{name}, not WAV or FLAC"
    return "neither WAV nor FLAC" if start.strip(b"\0") else "all zeros, not WAV or FLAC"


def _read(path: Path, file: soundfile.SoundFile) -> Sound:
    rate = int(file.samplerate)
    faults = [*_coding_faults(path, file), *_size_faults(path, file)]
    if not _MIN_RATE <= rate <= _MAX_RATE or file.subtype.startswith("MPEG"):
        figure = f"the header says {rate:,} Hz and the coding {file.subtype}"
        faults.append(Fault("unreadable", "error", figure, _EXPORT_AGAIN))
        return Sound(np.empty((0, 1), np.float32), rate, 0.0, False, tuple(faults))
    max_samples = min(_MAX_SECONDS * rate, _MAX_VALUES // file.channels)
    samples, broken = _samples(file, max_samples)
    seconds = len(samples) / rate
    faults.extend(_incomplete(seconds, broken))
    refusal = _refusal(path)
    if refusal and not any(fault.severity == "error" for fault in faults):
        faults.append(Fault("truncated", "error", refusal, _COPY_AGAIN))
    highest = np.abs(samples).max(initial=0)  # NaN where a sample is NaN
    absurd = _absurd(samples)
    if absurd is not None:
        faults.append(absurd)
        samples = _made_sound(samples)
    if file.subtype not in _EIGHT_BITS:
        faults.extend(_few_bits(samples))
    if len(samples) == max_samples:
        seconds = max(seconds, file.frames / rate)
    readable = not broken and not refusal and len(samples) > 0 and bool(highest < ABSURD)
    return Sound(samples, rate, seconds, readable, tuple(faults))


def _incomplete(seconds: float, broken: bool) -> list[Fault]:
    """Reports a decoder that gave up after so many seconds, or a file without samples."""
    if broken:
        figure = f"the file is damaged at {seconds:.2f} s"
        return [Fault("unreadable", "error", figure, _COPY_AGAIN, seconds)]
    if not seconds:
        return [Fault("empty", "error", "has no samples", "record or export it again", 0.0)]
    return []


def _refusal(path: Path) -> str:
    """Why training does not even open the file; empty where it does."""
    try:
        recording_length(path)
    except InputError as error:
        return reason_of(error, path).removeprefix(f"{path.name} ")
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


def _coding_faults(path: Path, file: soundfile.SoundFile) -> list[Fault]:
    faults = []
    if file.subtype in _EIGHT_BITS:
        faults.append(_eight_bits())
    elif file.subtype not in _FULL_CODINGS:
        advice = "export it again as 16-bit WAV or FLAC from the original recording"
        faults.append(Fault("lossy-coding", "warning", f"coded as {file.subtype}", advice))
    container = "FLAC" if file.format == "FLAC" else "WAV"
    if path.suffix.lower() != f".{container.lower()}":
        advice = f"nothing to do; it is read as {container}"
        faults.append(Fault("misnamed", "note", f"is {container}", advice))
    return faults


def _eight_bits() -> Fault:
    advice = "export it again with 16 bits from the original recording"
    return Fault("8-bit", "warning", "8 bits a sample, whose noise is audible", advice, 8.0)


def _made_sound(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Samples that can be measured: zeros in place of NaN, and nothing over full scale."""
    sound = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
    scaled: NDArray[np.float32] = sound / max(1.0, float(np.abs(sound).max(initial=0)))
    return scaled


def _few_bits(samples: NDArray[np.float32]) -> list[Fault]:
    for part in (samples[: 2**14], samples):
        steps = part * np.float32(2**7)
        if not np.array_equal(steps, np.rint(steps)):
            return []
    # A few steps may be silence, which has no finer ones.
    return [_eight_bits()] if np.abs(samples).max(initial=0) > 2 / 2**7 else []


def _size_faults(path: Path, file: soundfile.SoundFile) -> list[Fault]:
    """Samples of a WAV that are missing, or that its header does not mention."""
    if file.format == "FLAC":
        return []
    promised, present = _promised_and_present(path)
    if not promised:
        return []
    bytes_a_second = file.samplerate * max(1, present / max(1, file.frames))
    if not present or promised - present > _NEGLIGIBLE * bytes_a_second:
        share = 100 * (1 - present / promised)
        figure = (
            f"{share:.0f} % of the samples are missing: the header promises {promised:,} bytes, "
            f"the file has {present:,}"
        )
        return [Fault("truncated", "error", figure, "copy it again from the source", share)]
    rest = present - promised - promised % 2
    if rest < _MIN_REST or _starts_a_chunk(path, rest):
        return []
    share = 100 * rest / present
    figure = f"{rest:,} bytes follow the samples promised by the header, {share:.0f} % of all"
    advice = "export it again: the end of the recording is not read"
    return [Fault("unread-samples", "warning", figure, advice, share)]


def _starts_a_chunk(path: Path, rest: int) -> bool:
    with path.open("rb") as wav:
        wav.seek(-rest, os.SEEK_END)
        return _CHUNK_NAME.fullmatch(wav.read(4)) is not None


def _promised_and_present(path: Path) -> tuple[int, int]:
    """Bytes of samples that a RIFF file promises and has; zeros where it does not say."""
    size = path.stat().st_size
    with path.open("rb") as file:
        big_endian = file.read(_RIFF_HEADER)[:4] == b"RIFX"
        for _ in range(_MAX_CHUNKS):
            header = file.read(_CHUNK_HEADER)
            if len(header) < _CHUNK_HEADER:
                break
            length = int.from_bytes(header[4:], "big" if big_endian else "little")
            if header[:4] == b"data":
                known = length < _UNKNOWN_SIZE
                return (length, size - file.tell()) if known else (0, 0)
            file.seek(length + length % 2, 1)
    return 0, 0


def _absurd(samples: NDArray[np.float32]) -> Fault | None:
    wrong = int((~np.isfinite(samples)).sum())
    if wrong:
        figure = f"{wrong:,} samples are NaN or infinite"
        return Fault("absurd-samples", "error", figure, "export it again", float(wrong))
    peak = float(np.abs(samples).max(initial=0))
    if peak > _FAR_OVER:
        figure = f"samples reach {peak:,.0f} times full scale"
        return Fault("absurd-samples", "error", figure, _EXPORT_AGAIN, peak)
    return None
