"""From a magnitude spectrogram back to sound, by guessing the phases that it lacks."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.data.audio import AudioSpec
from engine.data.spectrograms import mel_filter_bank

# Sound this far below the loudest moment, in dB, at the end of a waveform is cut.
_TAIL_DB = 45.0
_BLOCK = 512
# Samples of the cut end that fade to zero, so that the cut does not click.
_FADE = 256
_TINY = 1e-8
_PEAK = 0.95
# Of random phases: the same input always makes the same sound.
_SEED = 0


@dataclass(frozen=True)
class VocoderSettings:
    """How a magnitude spectrogram is made sound."""

    sharpening: float = 1.2
    """Power that amplitudes are raised to against the blur of predicted spectra; 1 leaves them.
    The BBC's code takes 1.5, which is crisper and, measured by DNSMOS, of lower quality."""
    rounds: int = 32
    """Rounds of Griffin-Lim."""
    momentum: float = 0.99
    """Acceleration of Griffin-Lim; 0 is the plain algorithm."""
    phases: Literal["random", "zero"] = "random"
    """The phases to start from. Zero ones, as the BBC's code has them, count from the middle of
    the transform, where that code puts the window."""


def vocode(
    magnitude: NDArray[np.float32], audio: AudioSpec, settings: VocoderSettings
) -> NDArray[np.float32]:
    """Return the sound `(samples,)` of a normalised magnitude spectrogram `(T, n_bins)`.

    The exact counterpart of `engine.data.spectrograms.analyse`: levels, window, hop and
    emphasis are the same. Silence at the end is cut and the peak kept at 0.95 or below.
    """
    amplitude = _amplitude(magnitude, audio) ** np.float32(settings.sharpening)
    emphasised = _griffin_lim(torch.from_numpy(amplitude), audio, settings).numpy()
    return limit_peak(_trim_end(_deemphasised(emphasised, audio.preemphasis)))


def limit_peak(waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn samples down as a whole where one would pass 0.95 and so come near to clipping."""
    peak = float(np.abs(waveform).max(initial=0.0))
    return waveform * np.float32(_PEAK / peak) if peak > _PEAK else waveform


def magnitude_from_mel(mel: NDArray[np.float32], audio: AudioSpec) -> NDArray[np.float32]:
    """Return a normalised magnitude `(4T, n_bins)` for a coarse mel `(T, n_mels)` without SSRN.

    Frames between the coarse ones are interpolated, and bands are spread over bins by the
    pseudo-inverse of the mel filter bank. It sounds muffled, but can be understood.
    """
    coarse = np.arange(len(mel)) * audio.reduction
    fine = np.arange(len(mel) * audio.reduction)
    bands = np.stack([np.interp(fine, coarse, band) for band in mel.T], axis=1)  # (4T, n_mels)
    amplitude = _amplitude(bands, audio) @ _spread(audio)
    level = 20 * np.log10(np.maximum(1e-5, amplitude))
    scaled = np.clip((level - audio.ref_db + audio.max_db) / audio.max_db, 1e-8, 1)
    magnitude: NDArray[np.float32] = scaled.astype(np.float32)
    return magnitude


@lru_cache(maxsize=4)
def _spread(audio: AudioSpec) -> NDArray[np.float64]:
    """Transposed pseudo-inverse of the mel filter bank, `(n_mels, n_bins)`."""
    return np.linalg.pinv(mel_filter_bank(audio).astype(np.float64)).T


def _amplitude(normalised: NDArray[np.floating], audio: AudioSpec) -> NDArray[np.float32]:
    """Undo the normalisation: amplitudes of values in the unit interval."""
    level = np.clip(normalised, 0, 1) * audio.max_db - audio.max_db + audio.ref_db
    amplitude: NDArray[np.float32] = (10 ** (level / 20)).astype(np.float32)
    return amplitude


@torch.inference_mode()
def _griffin_lim(amplitude: Tensor, audio: AudioSpec, settings: VocoderSettings) -> Tensor:
    """Find a waveform whose spectrogram comes near an amplitude `(T, n_bins)`.

    Fast Griffin-Lim (Perraudin, Balazs and Søndergaard 2013): every round takes the phases of
    the waveform that fits best, pushed on in the direction of the last change.
    """
    frames = _Frames(len(amplitude), audio)
    spectrum = torch.polar(amplitude, _first_phases(amplitude, audio, settings))
    # t + α(t − t'), scaled: only the phase of it counts.
    inertia = settings.momentum / (1 + settings.momentum)
    previous = torch.zeros_like(spectrum)
    for _ in range(settings.rounds):
        consistent = frames.analyse(frames.synthesise(spectrum))
        direction = torch.sub(consistent, previous, alpha=inertia)
        previous = consistent
        spectrum = direction.mul_(amplitude / direction.abs().clamp_min_(_TINY))
    return frames.without_margins(frames.synthesise(spectrum))


def _first_phases(amplitude: Tensor, audio: AudioSpec, settings: VocoderSettings) -> Tensor:
    """Angles to begin with, for every bin of an amplitude `(T, n_bins)`."""
    if settings.phases == "random":
        generator = torch.Generator().manual_seed(_SEED)
        return 2 * torch.pi * torch.rand(amplitude.shape, generator=generator)
    # Zero where the window is centred in the transform; here it stands at its start, and a
    # shift in time turns the phase of bin k by 2πk/n_fft for every sample.
    shift = (audio.n_fft - audio.win_length) // 2
    turns = torch.arange(amplitude.shape[1], dtype=torch.float64) * shift / audio.n_fft
    return (2 * torch.pi * (turns % 1)).to(amplitude.dtype).expand_as(amplitude)


class _Frames:
    """Waveform to spectra and back, for a fixed number of frames.

    Only the samples under the window are cut out; where they lie in the transform changes
    phases, which are free here. Frames are added up in blocks of a hop, which is several times
    faster than sample by sample.
    """

    def __init__(self, count: int, audio: AudioSpec) -> None:
        self._count = count
        self._fft = audio.n_fft
        self._length = audio.win_length
        self._hop = audio.hop_length
        self._blocks = -(-audio.win_length // audio.hop_length)
        self._window = torch.hann_window(audio.win_length)
        weight = self._overlapped((self._window**2).expand(count, -1))
        self._inverse_weight = 1 / weight.clamp_min(1e-3)

    def analyse(self, waveform: Tensor) -> Tensor:
        """Spectra `(T, n_bins)` of samples that `synthesise` made, margins included."""
        cut = waveform.unfold(0, self._length, self._hop)[: self._count]
        spectra: Tensor = torch.fft.rfft(cut * self._window, n=self._fft)
        return spectra

    def synthesise(self, spectrum: Tensor) -> Tensor:
        """Samples whose spectra come nearest to `(T, n_bins)`: least squares, Griffin and Lim."""
        pieces = torch.fft.irfft(spectrum, n=self._fft)[:, : self._length] * self._window
        return self._overlapped(pieces).mul_(self._inverse_weight)

    def without_margins(self, waveform: Tensor) -> Tensor:
        """Cut what lies before the centre of the first frame and a hop after that of the last."""
        start = self._length // 2
        return waveform[start : start + self._count * self._hop]

    def _overlapped(self, pieces: Tensor) -> Tensor:
        """Add up pieces `(T, win_length)` that start a hop apart."""
        width = self._blocks * self._hop
        padded = torch.nn.functional.pad(pieces, (0, width - self._length))
        blocks = padded.view(self._count, self._blocks, self._hop)
        total = torch.zeros(self._count + self._blocks - 1, self._hop)
        for block in range(self._blocks):
            total[block : block + self._count] += blocks[:, block]
        return total.flatten()


def _deemphasised(waveform: NDArray[np.float32], coefficient: float) -> NDArray[np.float32]:
    """Undo the pre-emphasis: `y[n] = x[n] + c·y[n − 1]`.

    The filter's response Σ cⁿ z⁻ⁿ is the product of all (1 + c^(2^k) z^(−2^k)), so a dozen
    shifted additions stand for the recursion.
    """
    y = waveform.astype(np.float64)
    lag = 1
    while lag < len(y) and coefficient > _TINY:
        y[lag:] += coefficient * y[:-lag]
        lag, coefficient = 2 * lag, coefficient * coefficient
    result: NDArray[np.float32] = y.astype(np.float32)
    return result


def _trim_end(waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut the silence at the end, and let what is left fade out."""
    padded = np.pad(waveform, (0, -len(waveform) % _BLOCK)).reshape(-1, _BLOCK)
    power = np.square(padded).mean(axis=1)
    loud = np.flatnonzero(power > power.max(initial=0.0) * 10 ** (-_TAIL_DB / 10))
    end = (loud[-1] + 1) * _BLOCK if len(loud) else 0
    kept = waveform[:end].copy()
    fade = min(_FADE, len(kept))
    kept[len(kept) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return kept
