"""How sound is described: sample rate, frames and bands, and reading a recording."""

from dataclasses import dataclass


@dataclass(frozen=True)
class AudioSpec:
    """The audio constants of a voice.

    The defaults are those of the BBC's DC-TTS code, which derives hop and window from
    12.5 ms and 50 ms and truncates them to whole samples.
    """

    sample_rate: int = 22_050
    """Samples per second."""
    n_fft: int = 2_048
    """Samples in a Fourier transform."""
    hop_length: int = 275
    """Samples from one frame to the next."""
    win_length: int = 1_102
    """Samples under the Hann window."""
    n_mels: int = 80
    """Mel bands (Slaney norm, 0 Hz to the Nyquist frequency)."""
    preemphasis: float = 0.97
    """Coefficient of the first-order high-pass filter applied before analysis."""
    trim_db: float = 60.0
    """Leading and trailing sound this far below the peak is cut."""
    ref_db: float = 20.0
    """Level in dB that is normalised to 1."""
    max_db: float = 100.0
    """Range in dB that is normalised to the unit interval."""
    reduction: int = 4
    """Frames in one coarse frame, the paper's r."""

    @property
    def n_bins(self) -> int:
        """Bins of a magnitude spectrum."""
        return self.n_fft // 2 + 1

    @property
    def coarse_frame_seconds(self) -> float:
        """Duration of one coarse frame in seconds."""
        return self.reduction * self.hop_length / self.sample_rate
