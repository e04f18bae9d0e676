"""How sound is described: sample rate, frames and bands, and reading a recording."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from engine.errors import InputError
from engine.serialization import Amount, Count, Positive

# How WAV (of either byte order, or above 4 GB) and FLAC begin. Other formats are not handed to
# libsndfile: its MP3 decoder writes its doubts on stderr, which is the person's screen.
_STARTS = (b"RIFF", b"RIFX", b"RF64", b"fLaC")
ABSURD = 1e6
"""Level that no recording has, full scale being 1; far above it, float32 powers overflow."""

MAX_FFT = 2**14
"""Samples of a transform: far beyond those of any voice."""
MAX_RECORDING_BYTES = 2**30
"""Bytes of a recording: an hour and a half of 16 bits in stereo at 48 kHz, while a clip has
seconds. A file of holes can have any number, which would all be read."""

# Bytes of the shortest header of a WAV.
_HEADER = 44
# Bytes by which a WAV's header may be wrong: programs count their own chunks differently.
_SLACK = 4_096
# What programs write that do not know the size in advance lies above this.
_UNKNOWN_SIZE = 0x7FFF_0000
# Samples of all channels that are read at once.
_BLOCK = 2**20


@dataclass(frozen=True)
class AudioSpec:
    """The audio constants of a voice.

    The defaults are those of the BBC's DC-TTS code, which derives hop and window from
    12.5 ms and 50 ms and truncates them to whole samples.
    """

    sample_rate: Count = 22_050
    """Samples per second."""
    n_fft: Count = 2_048
    """Samples in a Fourier transform."""
    hop_length: Count = 275
    """Samples from one frame to the next."""
    win_length: Count = 1_102
    """Samples under the Hann window."""
    n_mels: Count = 80
    """Mel bands (Slaney norm, 0 Hz to the Nyquist frequency)."""
    preemphasis: Amount = 0.97
    """Coefficient of the first-order high-pass filter applied before analysis."""
    trim_db: Positive = 60.0
    """Leading and trailing sound this far below the peak is cut."""
    ref_db: Positive = 20.0
    """Level in dB that is normalised to 1."""
    max_db: Positive = 100.0
    """Range in dB that is normalised to the unit interval."""
    reduction: Count = 4
    """Frames in one coarse frame, the paper's r."""

    @property
    def n_bins(self) -> int:
        """Bins of a magnitude spectrum."""
        return self.n_fft // 2 + 1

    @property
    def coarse_frame_seconds(self) -> float:
        """Duration of one coarse frame in seconds."""
        return self.reduction * self.hop_length / self.sample_rate


def recording_length(path: Path) -> tuple[int, int]:
    """Samples of a channel and sample rate in Hz of a WAV or FLAC file, from its header.

    Raises `InputError` naming the file when it is missing or unreadable.
    """
    with _naming(path):
        info = soundfile.info(path)
        return int(info.frames), int(info.samplerate)


def load_recording(path: Path, sample_rate: int) -> NDArray[np.float32]:
    """Read a WAV or FLAC file as mono samples `(N,)` at a sample rate in Hz.

    Channels are mixed down by their mean; another sample rate is converted by soxr's high
    quality recipe, which is also librosa's default.

    Raises `InputError` naming the file when it is missing, unreadable or empty.
    """
    with _naming(path), soundfile.SoundFile(path) as file:
        rate = file.samplerate
        samples = _read(file)  # (N, channels)
    if not np.abs(samples).max(initial=0) < ABSURD:  # so is NaN
        raise InputError(f"{path} holds samples that are no sound level; export it again.")
    mono: NDArray[np.float32] = samples.mean(axis=1)
    if rate != sample_rate and len(mono):
        mono = soxr.resample(mono, rate, sample_rate, quality="HQ")
    if not len(mono):
        raise InputError(f"{path} is empty: the recording holds no sample.")
    return mono


def _read(file: soundfile.SoundFile) -> NDArray[np.float32]:
    """All samples `(N, channels)`, in blocks: a damaged header may claim more than memory holds."""
    blocks = [np.empty((0, file.channels), np.float32)]
    while True:
        block = file.read(max(1, _BLOCK // file.channels), dtype="float32", always_2d=True)
        if not len(block):
            return np.concatenate(blocks)
        blocks.append(block)


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn trouble with reading a recording into one sentence that names it."""
    try:
        if not path.is_file():
            raise InputError(f"{path} does not exist or is not a file.")
        with path.open("rb") as file:
            start = file.read(4)
            promised = int.from_bytes(file.read(4), "little") + 8
        if not start:
            raise InputError(f"{path} is empty: the file holds nothing.")
        if start not in _STARTS:
            raise InputError(f"{path} is neither WAV nor FLAC; convert it to one of them.")
        held = path.stat().st_size
        if held > MAX_RECORDING_BYTES:
            raise InputError(
                f"{path} is too large (maximum {MAX_RECORDING_BYTES:,} bytes); cut it into clips."
            )
        if start == b"RIFF" and held >= _HEADER and held + _SLACK < promised < _UNKNOWN_SIZE:
            raise InputError(
                f"{path} is cut short: its header promises {promised:,} bytes, the file holds "
                f"{held:,}; copy it again."
            )
        yield
    except (soundfile.SoundFileError, OSError) as error:
        words = getattr(error, "error_string", None) or getattr(error, "strerror", None) or error
        raise InputError(
            f"{path} cannot be read as a recording ({str(words).rstrip('. ')}); "
            "save it as WAV or FLAC."
        ) from error
