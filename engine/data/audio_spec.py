"""How sound is described: sample rate, frames and bands."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from engine.serialization import Count

MAX_FFT = 2**14
"""Samples of a transform: far beyond those of any voice."""

# Single precision can square the powers of such levels.
_Level = Annotated[float, Meta(gt=0, le=300)]


@dataclass(frozen=True)
class AudioSpec:
    """The audio constants of a voice.

    The defaults are those of the BBC's DC-TTS code, which derives hop and window from
    12.5 ms and 50 ms and truncates them to whole samples.
    """

    sample_rate: Annotated[int, Meta(ge=1, le=768_000)] = 22_050
    """Samples per second."""
    n_fft: Count = 2_048
    """Samples in a Fourier transform."""
    hop_length: Count = 275
    """Samples from one frame to the next."""
    win_length: Count = 1_102
    """Samples under the Hann window."""
    n_mels: Count = 80
    """Mel bands (Slaney norm, 0 Hz to the Nyquist frequency)."""
    preemphasis: Annotated[float, Meta(ge=0, lt=1)] = 0.97
    """Coefficient of the first-order high-pass filter applied before analysis."""
    trim_db: _Level = 60.0
    """Leading and trailing sound this far below the peak is cut."""
    ref_db: _Level = 20.0
    """Level in dB that is normalised to 1."""
    max_db: _Level = 100.0
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
