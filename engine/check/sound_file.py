"""A recording as its file holds it: what can be read, and what is wrong with the file itself."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from engine.check.faults import Fault
from engine.data.audio import ABSURD, MAX_RECORDING_BYTES, recording_length
from engine.data.clips import reason_of
from engine.errors import InputError

# Seconds of a recording that are read, and samples of all channels: a damaged header may
# promise more than memory holds.
_MAX_SECONDS = 60
_MAX_VALUES = 2**23
_BLOCK = 2**19
# Rates in Hz that sound cards and converters know, with room on both sides.
_LOWEST_RATE, _HIGHEST_RATE = 1_000, 768_000
# Whole numbers stored as floats, or a gain that nobody meant: 18 dB over full scale.
_FAR_OVER = 8.0
# Bytes of the parts that every RIFF file has before its chunks, and of a chunk's own header.
_RIFF_HEADER, _CHUNK_HEADER = 12, 8
# What programs write that do not know the size in advance lies above this.
_UNKNOWN_SIZE = 0x7FFF_0000
# Chunks that are looked at to find the samples.
_MAX_CHUNKS = 64
# Bytes behind the samples that are more than padding, and how a chunk's name looks.
_MIN_REST = 2_000
_CHUNK_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9_ ]{3}")
# Seconds that may be missing without a word being lost.
_NEGLIGIBLE = 0.02

_WAV_STARTS = (b"RIFF", b"RIFX", b"RF64")
_FLAC_START = b"fLaC"
# How files begin that are found under a recording's name.
_OTHERS = (
    (b"ID3", "MP3"),
    (b"\xff\xfb", "MP3"),
    (b"\xff\xf3", "MP3"),
    (b"\xff\xf2", "MP3"),
    (b"\xff\xfa", "MP3"),
    (b"\xff\xf1", "AAC"),
    (b"\xff\xf9", "AAC"),
    (b"OggS", "Ogg"),
    (b"FORM", "AIFF"),
    (b".snd", "AU"),
    (b"caff", "CAF"),
    (b"\x1aE\xdf\xa3", "Matroska or WebM"),
    (b"0&\xb2u", "WMA"),
    (b"#!AMR", "AMR"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"version https://git-lfs", "a pointer of Git LFS"),
    (b"<", "a web page"),
)
# Codings that keep what was said, sample by sample, in at least 16 bits.
_FULL_CODINGS = ("PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")
_EIGHT_BITS = ("PCM_U8", "PCM_S8")


@dataclass(frozen=True, slots=True)
class Sound:
    """What a file gave."""

    samples: NDArray[np.float32]
    """All channels, `(N, channels)`; none where nothing can be read."""
    rate: int
    """Samples a second."""
    seconds: float
    """Duration that the header tells, which may be more than was read."""
    readable: bool
    """Whether training reads it, too."""
    faults: tuple[Fault, ...]


def read_sound(path: Path) -> Sound:
    """Read a recording as far as it goes, at most a minute of it, and judge its file.

    What training refuses to read is measured all the same as far as it goes, so that one fault
    does not hide another.
    """
    try:
        stranger = _stranger(path)
        if stranger is not None:
            return _nothing(stranger)
        with soundfile.SoundFile(path) as file:
            return _read(path, file)
    except (soundfile.SoundFileError, OSError) as error:
        return _nothing(_unreadable(path, error))


def _nothing(fault: Fault) -> Sound:
    return Sound(np.empty((0, 1), np.float32), 0, 0.0, False, (fault,))


def _unreadable(path: Path, error: Exception) -> Fault:
    if isinstance(error, soundfile.SoundFileError) and _starts_as_flac(path):
        # Of a FLAC file cut short libsndfile says nothing that a person could use.
        return Fault(
            "unreadable",
            "error",
            "the FLAC file is damaged or cut short",
            "copy or export it again",
        )
    words = getattr(error, "error_string", None) or getattr(error, "strerror", None) or error
    return Fault(
        "unreadable",
        "error",
        f"cannot be read: {str(words).rstrip('. ')}",
        "export it again as 16-bit WAV or FLAC",
    )


def _starts_as_flac(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_FLAC_START)) == _FLAC_START
    except OSError:
        return False


def _stranger(path: Path) -> Fault | None:
    """What is no WAV or FLAC file at all."""
    advice = "put a WAV or FLAC recording in its place"
    if path.is_dir():
        return Fault("not-a-file", "error", "a folder stands in its place", advice)
    if path.is_symlink() and not path.exists():
        return Fault("not-a-file", "error", "a link that leads nowhere stands in its place", advice)
    if not path.is_file():
        return Fault("not-a-file", "error", "is no file", advice)
    size = path.stat().st_size
    if size > MAX_RECORDING_BYTES:
        figure = f"is too large (maximum {MAX_RECORDING_BYTES:,} bytes)"
        return Fault("too-large", "error", figure, "cut it into clips")
    with path.open("rb") as file:
        start = file.read(64)
    if not start:
        return Fault("empty", "error", "the file holds 0 bytes", "copy or export it again", 0.0)
    if start.startswith((_FLAC_START, b"RF64", b"RIFX")):
        return None
    if start.startswith(b"RIFF") and (len(start) < _RIFF_HEADER or start[8:12] == b"WAVE"):
        return None
    return Fault(
        "not-wav-or-flac",
        "error",
        f"holds {_named(start)}",
        "convert it to 16-bit WAV or FLAC; a new name does not",
    )


def _named(start: bytes) -> str:
    if start[4:8] == b"ftyp":
        return "MP4 or M4A, not WAV or FLAC"
    for beginning, name in _OTHERS:
        if start.startswith(beginning):
            return f"{name}, not WAV or FLAC"
    if not start.strip(b"\0"):
        return "zeros, not WAV or FLAC"
    return "neither WAV nor FLAC"


def _read(path: Path, file: soundfile.SoundFile) -> Sound:
    rate = int(file.samplerate)
    faults = [*_coding_faults(path, file), *_cut_short(path, file), *_unread_rest(path, file)]
    if not _LOWEST_RATE <= rate <= _HIGHEST_RATE or file.subtype.startswith("MPEG"):
        figure = f"its header tells a rate of {rate:,} Hz and the coding {file.subtype}"
        faults.append(Fault("unreadable", "error", figure, "export it again as 16-bit WAV or FLAC"))
        return Sound(np.empty((0, 1), np.float32), rate, 0.0, False, tuple(faults))
    most = min(_MAX_SECONDS * rate, _MAX_VALUES // file.channels)
    samples, broken = _samples(file, most)
    seconds = len(samples) / rate
    faults.extend(_incomplete(seconds, broken))
    refusal = _refusal(path)
    if refusal and not any(fault.severity == "error" for fault in faults):
        faults.append(Fault("truncated", "error", refusal, "copy or export it again"))
    highest = np.abs(samples).max(initial=0)  # no number where a sample is none
    absurd = _absurd(samples)
    if absurd is not None:
        faults.append(absurd)
        samples = _made_sound(samples)
    if file.subtype not in _EIGHT_BITS:
        faults.extend(_few_bits(samples))
    if len(samples) == most:
        seconds = max(seconds, file.frames / rate)
    readable = not broken and not refusal and len(samples) > 0 and bool(highest < ABSURD)
    return Sound(samples, rate, seconds, readable, tuple(faults))


def _incomplete(seconds: float, broken: bool) -> list[Fault]:
    """What is said of a file whose decoder gave up after so many seconds, or that has none."""
    if broken:
        figure = f"the file is damaged {seconds:.2f} s from its start"
        return [Fault("unreadable", "error", figure, "copy or export it again", seconds)]
    if not seconds:
        return [Fault("empty", "error", "holds no sample", "record or export it again", 0.0)]
    return []


def _refusal(path: Path) -> str:
    """Why reading for training does not even open the file; empty where it does."""
    try:
        recording_length(path)
    except InputError as error:
        return reason_of(error, path).removeprefix(f"{path.name} ")
    return ""


def _samples(file: soundfile.SoundFile, most: int) -> tuple[NDArray[np.float32], bool]:
    """At most so many samples `(N, channels)`, and whether the decoder gave up."""
    blocks = [np.empty((0, file.channels), np.float32)]
    held = 0
    while held < most:
        size = max(1, min(most - held, _BLOCK // file.channels))
        try:
            block = file.read(size, dtype="float32", always_2d=True)
        except soundfile.SoundFileError:
            return np.concatenate(blocks), True
        if not len(block):
            break
        blocks.append(block)
        held += len(block)
    return np.concatenate(blocks), False


def _coding_faults(path: Path, file: soundfile.SoundFile) -> list[Fault]:
    faults = []
    if file.subtype in _EIGHT_BITS:
        faults.append(_eight_bits())
    elif file.subtype not in _FULL_CODINGS:
        faults.append(
            Fault(
                "lossy-coding",
                "warning",
                f"its samples are coded as {file.subtype}",
                "export it again as 16-bit WAV or FLAC from the original recording",
            )
        )
    container = "FLAC" if file.format == "FLAC" else "WAV"
    if path.suffix.lower() != f".{container.lower()}":
        faults.append(
            Fault(
                "misnamed",
                "note",
                f"holds {container}",
                f"nothing has to be done; it is read as {container}",
            )
        )
    return faults


def _eight_bits() -> Fault:
    return Fault(
        "8-bit",
        "warning",
        "its samples have 8 bits, whose noise is heard",
        "export it again with 16 bits from the original recording",
        8.0,
    )


def _made_sound(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Samples that can be measured: zeros for what is no number, and nothing over full scale."""
    sound = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
    scaled: NDArray[np.float32] = sound / max(1.0, float(np.abs(sound).max(initial=0)))
    return scaled


def _few_bits(samples: NDArray[np.float32]) -> list[Fault]:
    """Eight bits that were written as more."""
    for part in (samples[: 2**14], samples):
        steps = part * np.float32(2**7)
        if not np.array_equal(steps, np.rint(steps)):
            return []
    # A few steps may be silence, which has no finer ones.
    return [_eight_bits()] if np.abs(samples).max(initial=0) > 2 / 2**7 else []


def _cut_short(path: Path, file: soundfile.SoundFile) -> list[Fault]:
    """Compare the size that a WAV's header promises with the file's."""
    if file.format == "FLAC":
        return []
    promised, held = _promised_and_held(path)
    a_second = promised and held and file.samplerate * max(1, held / max(1, file.frames))
    if not promised or (promised - held) <= _NEGLIGIBLE * max(1, a_second):
        return []
    share = 100 * (1 - held / promised)
    return [
        Fault(
            "truncated",
            "error",
            f"{share:.0f} % of its samples are missing: the header promises {promised:,} bytes, "
            f"the file holds {held:,}",
            "copy it again from where it came",
            share,
        )
    ]


def _unread_rest(path: Path, file: soundfile.SoundFile) -> list[Fault]:
    """What lies behind the samples that a WAV's header promises, where no chunk begins there."""
    if file.format == "FLAC":
        return []
    promised, held = _promised_and_held(path)
    rest = held - promised - promised % 2
    if not promised or rest < _MIN_REST:
        return []
    with path.open("rb") as wav:
        wav.seek(-rest, os.SEEK_END)
        if _CHUNK_NAME.fullmatch(wav.read(4)):
            return []
    share = 100 * rest / held
    return [
        Fault(
            "unread-samples",
            "warning",
            f"{rest:,} bytes follow the samples that its header promises, {share:.0f} % of all",
            "export it again: the end of the recording is not read",
            share,
        )
    ]


def _promised_and_held(path: Path) -> tuple[int, int]:
    """Bytes of samples that a RIFF file promises and has; zeros where it does not tell."""
    size = path.stat().st_size
    with path.open("rb") as file:
        order = "big" if file.read(_RIFF_HEADER)[:4] == b"RIFX" else "little"
        for _ in range(_MAX_CHUNKS):
            header = file.read(_CHUNK_HEADER)
            if len(header) < _CHUNK_HEADER:
                break
            length = int.from_bytes(header[4:], order)  # type: ignore[arg-type]
            if header[:4] == b"data":
                known = length < _UNKNOWN_SIZE
                return (length, size - file.tell()) if known else (0, 0)
            file.seek(length + length % 2, 1)
    return 0, 0


def _absurd(samples: NDArray[np.float32]) -> Fault | None:
    """Samples that are no numbers, or no level that a recording has."""
    wrong = ~np.isfinite(samples)
    if wrong.any():
        return Fault(
            "absurd-samples",
            "error",
            f"{int(wrong.sum()):,} of its samples are no numbers",
            "export it again",
            float(wrong.sum()),
        )
    peak = float(np.abs(samples).max(initial=0))
    if peak > _FAR_OVER:
        return Fault(
            "absurd-samples",
            "error",
            f"its samples reach {peak:,.0f} times full scale",
            "export it again as 16-bit WAV or FLAC",
            peak,
        )
    return None
