"""From a recording to what the networks learn: mel and magnitude spectrograms.

The formulas are those of the DC-TTS code that the BBC's voices were made with. The mel bands
are librosa's own; trimming and spectra are computed here and equal librosa's to rounding,
because the first call of its trimming compiles for some fifteen seconds on a new machine,
which is longer than the features of a thousand clips take.
"""

import warnings
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from engine.data.audio import AudioSpec

# librosa's defaults for trimming: samples in a frame and from one frame to the next.
_TRIM_FRAME = 2_048
_TRIM_HOP = 512
_TRIM_FLOOR = 1e-5
# Frames that are transformed at once: they stay in the processor's cache.
_BLOCK = 64
# Three steps of a 16-bit sample: no speech is as quiet.
_SILENCE = 1e-4


def is_silent(waveform: NDArray[np.float32]) -> bool:
    """Whether no sample reaches the level of the quietest speech."""
    return not len(waveform) or float(np.abs(waveform).max()) < _SILENCE


def trim(waveform: NDArray[np.float32], trim_db: float) -> NDArray[np.float32]:
    """Cut the start and end of `(N,)` samples that lie `trim_db` below the loudest frame."""
    start, end = trim_bounds(waveform, trim_db)
    return waveform[start:end]


def trim_bounds(waveform: NDArray[np.float32], trim_db: float) -> tuple[int, int]:
    """The first sample that trimming leaves of `(N,)`, and the one after the last.

    Equal to `librosa.effects.trim`, which compares the level of frames in decibels.
    """
    padded = np.pad(waveform, _TRIM_FRAME // 2)
    frames = sliding_window_view(padded, _TRIM_FRAME)[::_TRIM_HOP]
    power = np.einsum("ts,ts->t", frames, frames) / np.float32(_TRIM_FRAME)
    level = 10 * np.log10(np.maximum(_TRIM_FLOOR**2, power))
    loud = np.flatnonzero(level - level.max() > -trim_db)
    return int(loud[0]) * _TRIM_HOP, min(len(waveform), (int(loud[-1]) + 1) * _TRIM_HOP)


def coarse_frames(samples: int, audio: AudioSpec) -> int:
    """Coarse frames that a trimmed recording of so many samples gives."""
    return -(-(1 + samples // audio.hop_length) // audio.reduction)


def analyse(
    waveform: NDArray[np.float32], audio: AudioSpec
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Normalised mel `(T, n_mels)` and magnitude `(T, n_bins)` of mono samples `(N,)`.

    Trimmed, pre-emphasised, transformed; the mel bands are taken of the magnitude, not of the
    power; both in decibels, mapped so that 1 is `ref_db` and 0 lies `max_db` below it, clipped
    to [1e-8, 1]. T is a multiple of `reduction`; the frames added for that are 0.
    """
    trimmed = trim(waveform, audio.trim_db).astype(np.float64)
    emphasised = np.concatenate([trimmed[:1], trimmed[1:] - audio.preemphasis * trimmed[:-1]])
    magnitude = _magnitude(emphasised, audio)  # (T, n_bins)
    mel = magnitude @ mel_filter_bank(audio).T  # (T, n_mels)
    extra = -len(magnitude) % audio.reduction
    return _normalised(mel, audio, extra), _normalised(magnitude, audio, extra)


@lru_cache(maxsize=4)
def mel_filter_bank(audio: AudioSpec) -> NDArray[np.float32]:
    """Weights `(n_mels, n_bins)` of librosa's default mel bands (Slaney's), 0 Hz to Nyquist.

    The array is shared and cannot be written to.
    """
    # Imported where it is used: with the features in the cache nothing needs it.
    from librosa.filters import mel

    with warnings.catch_warnings():
        # Where bands are narrower than bins some are empty: networks learn that they are silent.
        warnings.filterwarnings("ignore", message="Empty filters")
        weights: NDArray[np.float32] = mel(
            sr=audio.sample_rate, n_fft=audio.n_fft, n_mels=audio.n_mels, dtype=np.float32
        )
    weights.flags.writeable = False
    return weights


@lru_cache(maxsize=4)
def _hann(length: int) -> NDArray[np.float64]:
    """Periodic Hann window, the one for spectral analysis."""
    phase = 2 * np.pi * np.arange(length) / length
    window: NDArray[np.float64] = 0.5 - 0.5 * np.cos(phase)
    return window


def _magnitude(waveform: NDArray[np.float64], audio: AudioSpec) -> NDArray[np.float32]:
    """Magnitude spectra `(T, n_bins)` of frames centred on every hop, zeros beyond the ends.

    Only the samples under the window are cut out. Where they lie in the transform changes
    phases, not magnitudes, so this equals windows padded to `n_fft` at half the memory. It is
    computed in double precision, like librosa's: the quietest bins of a loud frame need it.
    """
    from scipy.fft import rfft  # far faster than numpy's

    before = audio.n_fft // 2 - (audio.n_fft - audio.win_length) // 2
    padded = np.pad(waveform, (before, audio.win_length - before))
    frames = sliding_window_view(padded, audio.win_length)[:: audio.hop_length]
    window = _hann(audio.win_length)
    magnitude = np.empty((len(frames), audio.n_bins), np.float32)
    for start in range(0, len(frames), _BLOCK):
        block = slice(start, start + _BLOCK)
        magnitude[block] = np.abs(rfft(frames[block] * window, n=audio.n_fft, axis=1))
    return magnitude


def _normalised(
    amplitude: NDArray[np.float32], audio: AudioSpec, extra: int
) -> NDArray[np.float32]:
    """Amplitudes on the networks' scale, followed by `extra` frames of 0."""
    level = 20 * np.log10(np.maximum(1e-5, amplitude))
    scaled = np.clip((level - audio.ref_db + audio.max_db) / audio.max_db, 1e-8, 1)
    padded: NDArray[np.float32] = np.pad(scaled, ((0, extra), (0, 0)))
    return padded
