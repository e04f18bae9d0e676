"""From a magnitude spectrogram back to sound, by guessing the phases that it lacks.

The spectrogram may come piece by piece: then sound is made as it comes, and what has been made is
not touched again.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from engine.data.audio import AudioSpec
from engine.data.spectrograms import mel_filter_bank
from engine.speech.loudness import limit_peak

# Frames after the last one that becomes sound, whose phases are guessed along with it. With them
# sound made in pieces is as good as sound made at once (spectral convergence on recordings and on
# what SSRN makes; fewer do nearly as well, more cost time).
_LOOK_AHEAD = 8
# Sound this far below the loudest moment, in dB, at the end of a waveform is cut.
_TAIL_DB = 45.0
_BLOCK = 512
# Samples of the cut end that fade to zero, so that the cut does not click.
_FADE = 256
_TINY = 1e-8
# Frames that a thread works on together, whose numbers stay in its core's cache.
_TOGETHER = 64
# Of random phases: the same input always makes the same sound.
_SEED = 0


@dataclass(frozen=True)
class VocoderSettings:
    """How a magnitude spectrogram is turned into sound."""

    sharpening: float = 1.2
    """Power that amplitudes are raised to against the blur of predicted spectra; 1 leaves them.
    The BBC's code takes 1.5, which is crisper and, measured by DNSMOS, of lower quality."""
    rounds: int = 24
    """Rounds of Griffin-Lim. With 32 sound comes nearer to what SSRN makes by 3 % alone."""
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
    return limit_peak(Vocoder(audio, settings).push(magnitude, last=True))


class Vocoder:
    """Makes sound of a magnitude spectrogram that comes piece by piece."""

    def __init__(self, audio: AudioSpec, settings: VocoderSettings) -> None:
        """Begin a sound."""
        self._audio = audio
        self._sharpening = np.float32(settings.sharpening)
        self._phases = _GriffinLim(audio, settings)
        self._newest = 0.0
        """The last sample so far, for the filter that undoes the emphasis."""
        self._ending = _Ending()

    def push(self, magnitude: NDArray[np.float32], *, last: bool) -> NDArray[np.float32]:
        """Take the next frames `(T, n_bins)`, normalised; return the next samples `(samples,)`.

        They lag behind by a few frames, and by the silence at the end so far, which is cut where
        no more sound follows. The `last` frames bring all the rest.
        """
        amplitude = _amplitude(magnitude, self._audio) ** self._sharpening
        emphasised = self._phases.push(torch.from_numpy(amplitude), last=last).numpy()
        samples = _deemphasised(emphasised, self._audio.preemphasis, self._newest)
        self._newest = float(samples[-1]) if len(samples) else self._newest
        return self._ending.push(samples, last=last)


def power_of(
    magnitude: NDArray[np.float32], audio: AudioSpec, settings: VocoderSettings
) -> NDArray[np.float32]:
    """Return the mean square `(T,)` that the sound of each normalised frame `(T, n_bins)` has."""
    amplitude = _amplitude(magnitude, audio) ** np.float32(settings.sharpening)
    return _product(np.square(amplitude), _power_weights(audio))


def _product(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """`a @ b` in torch, on the caller's number of threads; NumPy's would take all cores."""
    product: NDArray[np.float32] = (torch.from_numpy(a) @ torch.from_numpy(b)).numpy()
    return product


@lru_cache(maxsize=4)
def _power_weights(audio: AudioSpec) -> NDArray[np.float32]:
    """What the square of each bin adds to the mean square once the emphasis is undone."""
    turns = np.exp(-2j * np.pi * np.arange(audio.n_bins) / audio.n_fft)
    response = 1 / np.abs(1 - audio.preemphasis * turns) ** 2
    window = np.square(np.hanning(audio.win_length)).sum()
    weights: NDArray[np.float32] = (2 * response / (audio.n_fft * window)).astype(np.float32)
    return weights


def magnitude_from_mel(mel: NDArray[np.float32], audio: AudioSpec) -> NDArray[np.float32]:
    """Return a normalised magnitude `(4T, n_bins)` for a coarse mel `(T, n_mels)` without SSRN.

    Frames between the coarse ones are interpolated, and bands are spread over bins by the
    pseudo-inverse of the mel filter bank. It sounds muffled, but can be understood.
    """
    coarse = np.arange(len(mel)) * audio.reduction
    fine = np.arange(len(mel) * audio.reduction)
    bands = np.stack([np.interp(fine, coarse, band) for band in mel.T], axis=1)  # (4T, n_mels)
    amplitude = _product(_amplitude(bands, audio), _spread(audio))
    level = 20 * np.log10(np.maximum(1e-5, amplitude))
    scaled = np.clip((level - audio.ref_db + audio.max_db) / audio.max_db, 1e-8, 1)
    magnitude: NDArray[np.float32] = scaled.astype(np.float32)
    return magnitude


@lru_cache(maxsize=4)
def _spread(audio: AudioSpec) -> NDArray[np.float32]:
    """Transposed pseudo-inverse of the mel filter bank, `(n_mels, n_bins)`."""
    inverse = np.linalg.pinv(mel_filter_bank(audio).astype(np.float64))
    return np.ascontiguousarray(inverse.T, np.float32)


def _amplitude(normalised: NDArray[np.floating], audio: AudioSpec) -> NDArray[np.float32]:
    """Undo the normalisation: amplitudes of values in the unit interval."""
    level = np.clip(normalised, 0, 1) * audio.max_db - audio.max_db + audio.ref_db
    amplitude: NDArray[np.float32] = (10 ** (level / 20)).astype(np.float32)
    return amplitude


class _GriffinLim:
    """Finds a waveform whose spectrogram comes near amplitudes that come piece by piece.

    Fast Griffin-Lim (Perraudin, Balazs and Søndergaard 2013): every round takes the phases of the
    waveform that fits best, pushed on in the direction of the last change. Frames whose sound was
    returned keep their phases, and those after them have to fit to these.

    Only the samples under the window are cut out; where they lie in the transform changes
    phases, which are free here. Frames are added up in blocks of a hop, which is several times
    faster than sample by sample.
    """

    def __init__(self, audio: AudioSpec, settings: VocoderSettings) -> None:
        self._audio = audio
        self._settings = settings
        self._blocks = -(-audio.win_length // audio.hop_length)
        window = torch.hann_window(audio.win_length)
        self._window = F.pad(window, (0, audio.n_fft - audio.win_length))
        self._generator = torch.Generator().manual_seed(_SEED)
        # Of the frames that are not done.
        self._amplitude = torch.empty(0, audio.n_bins)
        self._spectrum = torch.empty(0, audio.n_bins, dtype=torch.complex64)
        # What those that are done add to samples not returned yet, and their windows to the weight.
        margin = (self._blocks - 1) * audio.hop_length
        self._sound, self._weight = torch.zeros(margin), torch.zeros(margin)
        # Samples before the centre of the first frame are never returned.
        self._to_skip = audio.win_length // 2

    @torch.inference_mode()
    def push(self, amplitude: Tensor, *, last: bool) -> Tensor:
        """Take the next frames `(T, n_bins)`; return the samples that are done.

        With the `last` frames these are all, up to a hop after the centre of the last frame.
        """
        first = amplitude * self._first_phases(len(amplitude))
        self._amplitude = torch.cat((self._amplitude, amplitude))
        self._spectrum = torch.cat((self._spectrum, first))
        count = len(self._amplitude)
        done = count if last else max(0, count - _LOOK_AHEAD)
        if done == 0:
            return torch.empty(0)
        windows = self._cut_off(self._window**2).expand(count, -1)
        inverse_weight = 1 / self._added(windows, self._weight).clamp_min(1e-3)
        self._iterate(inverse_weight)
        end = done * self._audio.hop_length
        pieces = self._pieces()
        samples = self._added(pieces, self._sound) * inverse_weight
        samples = samples[: end + self._audio.win_length // 2] if last else samples[:end]
        self._sound = self._added(pieces[:done], self._sound)[end:]
        self._weight = self._added(windows[:done], self._weight)[end:]
        self._amplitude, self._spectrum = self._amplitude[done:], self._spectrum[done:]
        skipped = min(self._to_skip, len(samples))
        self._to_skip -= skipped
        return samples[skipped:]

    def _iterate(self, inverse_weight: Tensor) -> None:
        """Improve the phases of the frames that are not done."""
        previous = torch.zeros_like(self._spectrum)
        # Frames are cut out as long as the transform; the window hides what follows theirs.
        room = self._audio.n_fft
        rows = _TOGETHER * torch.get_num_threads()
        for _ in range(self._settings.rounds):
            waveform = self._added(self._pieces(), self._sound) * inverse_weight
            cut = F.pad(waveform, (0, room)).unfold(0, room, self._audio.hop_length)
            frames = (cut[: len(previous)], previous, self._amplitude, self._spectrum)
            for part in zip(*(torch.split(each, rows) for each in frames), strict=True):
                self._turn(*part)

    def _turn(self, cut: Tensor, previous: Tensor, amplitude: Tensor, spectrum: Tensor) -> None:
        """Give some frames of the spectrum the phases of the waveform cut into frames."""
        consistent = torch.fft.rfft(cut * self._window)
        # t + α(t − t'), scaled: only the phase of it counts.
        inertia = self._settings.momentum / (1 + self._settings.momentum)
        direction = torch.sub(consistent, previous, alpha=inertia)
        previous.copy_(consistent)
        # NumPy's is ten times as fast as torch's.
        modulus = torch.from_numpy(np.abs(direction.numpy())).clamp_min_(_TINY)
        torch.mul(direction, torch.div(amplitude, modulus, out=modulus), out=spectrum)

    def _pieces(self) -> Tensor:
        """The sound of the frames that are not done, windowed, `(T, blocks * hop)`."""
        window, length = self._cut_off(self._window), self._audio.n_fft
        parts = torch.split(self._spectrum, _TOGETHER * torch.get_num_threads())
        return torch.cat([self._cut_off(torch.fft.irfft(one, n=length)) * window for one in parts])

    def _cut_off(self, sound: Tensor) -> Tensor:
        """As many of the samples `(..., n_fft)` as the blocks under the window have."""
        length = self._blocks * self._audio.hop_length
        return F.pad(sound, (0, max(0, length - sound.shape[-1])))[..., :length]

    def _first_phases(self, count: int) -> Tensor:
        """Phases to begin with, for every bin of so many frames, as numbers of modulus 1."""
        audio, shape = self._audio, (count, self._audio.n_bins)
        if self._settings.phases == "random":
            angles = 2 * torch.pi * torch.rand(shape, generator=self._generator)
        else:
            # Zero where the window is centred in the transform; here it stands at its start, and
            # a shift in time turns the phase of bin k by 2πk/n_fft for every sample.
            shift = (audio.n_fft - audio.win_length) // 2
            turns = torch.arange(audio.n_bins, dtype=torch.float64) * shift / audio.n_fft
            angles = (2 * torch.pi * (turns % 1)).float().expand(shape)
        return torch.polar(torch.ones(shape), angles)

    def _added(self, pieces: Tensor, before: Tensor) -> Tensor:
        """Add up pieces `(T, blocks * hop)` that start a hop apart, to what came before them."""
        count, hop = len(pieces), self._audio.hop_length
        blocks = pieces.view(count, self._blocks, hop)
        total = torch.zeros(count + self._blocks - 1, hop)
        total[: self._blocks - 1] = before.view(-1, hop)
        for block in range(self._blocks):
            total[block : block + count] += blocks[:, block]
        return total.flatten()


def _deemphasised(
    waveform: NDArray[np.float32], coefficient: float, before: float
) -> NDArray[np.float32]:
    """Undo the pre-emphasis: `y[n] = x[n] + c·y[n − 1]`, where `before` is y[−1].

    The filter's response Σ cⁿ z⁻ⁿ is the product of all (1 + c^(2^k) z^(−2^k)), so a dozen
    shifted additions stand for the recursion.
    """
    y = waveform.astype(np.float64)
    if len(y):
        y[0] += coefficient * before
    lag = 1
    while lag < len(y) and coefficient > _TINY:
        y[lag:] += coefficient * y[:-lag]
        lag, coefficient = 2 * lag, coefficient * coefficient
    result: NDArray[np.float32] = y.astype(np.float32)
    return result


class _Ending:
    """Holds silence back until more sound follows; at the end it is cut, and the rest fades out."""

    def __init__(self) -> None:
        self._held = np.empty(0, np.float32)
        self._loudest = 0.0

    def push(self, samples: NDArray[np.float32], *, last: bool) -> NDArray[np.float32]:
        """Take the next samples; return those that are followed by sound."""
        held = np.concatenate((self._held, samples))
        whole = held[: len(held) - len(held) % _BLOCK]
        if last:
            whole = np.pad(held, (0, -len(held) % _BLOCK))
        power = np.square(whole.reshape(-1, _BLOCK)).mean(axis=1)
        self._loudest = max(self._loudest, float(power.max(initial=0.0)))
        loud = np.flatnonzero(power > self._loudest * 10 ** (-_TAIL_DB / 10))
        # The last loud block may be the end: it has the samples that would fade.
        end = 0 if not len(loud) else int(loud[-1] + last) * _BLOCK
        kept, self._held = held[:end].copy(), held[end:]
        if last:
            fade = min(_FADE, len(kept))
            kept[len(kept) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
        return kept
