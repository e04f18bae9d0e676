"""What the letters of a corpus sound like, learned from its own recordings and texts.

The beginning and the end of each letter are Gaussians over mel cepstra. At first the texts are
spread evenly over the sound of their recordings; aligning and estimating in turn improves on that
(Viterbi training of hidden Markov models), in any language that is written with letters.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from engine.check.alignment import STATES, Floats, Heard, Integers, Task, align, listen
from engine.check.levels import HOP_SECONDS, measure_levels
from engine.data.audio import AudioSpec
from engine.data.spectrograms import mel_filter_bank

SAMPLE_RATE = 16_000
"""Of the waveforms, in Hz: speech is told apart below 8 kHz."""

_AUDIO = AudioSpec(sample_rate=SAMPLE_RATE, n_fft=512, hop_length=160, win_length=400, n_mels=30)
_CEPSTRA = 13
# Amplitudes are at least this, so that digital silence has a logarithm.
_FLOOR = 1e-5
_ROUNDS = 8
# Neighbouring frames are not independent: each counts as this share of one.
_FRAME_WEIGHT = 0.1
# Frames of all letters together that each Gaussian is estimated from besides its own.
_SHARED_FRAMES = 20.0
# A Gaussian's variance is at least this share of that of all.
_MIN_VARIANCE = 0.05
# An even pace is left by this many states, and by this share in a stretch of so many seconds.
_ENDS, _PACE, _STRETCH = 4.0, 0.2, 3.0
_EVEN_WEIGHT = 0.02


@dataclass(frozen=True)
class Sound:
    """A recording as letters are looked for in it."""

    heard: Heard
    cepstra: Floats
    """Mel cepstra and their slopes, `(T, 2 * 13)`, of mean 0 and variance 1 in the speech."""


@dataclass(frozen=True)
class Script:
    """A text as letters that may be looked for."""

    letters: tuple[str, ...]
    """Between spaces where a word is one letter."""
    kinds: Integers
    """See `Task.kinds`."""


def measure_sound(waveform: NDArray[np.float32]) -> Sound | None:
    """Measure a waveform `(N,)` of 16 kHz; None where it has no sound."""
    heard = listen(measure_levels(waveform, SAMPLE_RATE))
    if heard is None:
        return None
    cepstra = _cepstra(waveform, heard.frames)
    speech = cepstra[heard.sounding]
    spread = np.maximum(speech.std(axis=0), 1e-3)
    return Sound(heard, (cepstra - speech.mean(axis=0)) / spread)


def _cepstra(waveform: NDArray[np.float32], frames: int) -> Floats:
    spec = _AUDIO
    emphasised = np.append(waveform[:1], waveform[1:] - spec.preemphasis * waveform[:-1])
    # A frame of levels has 20 ms; these have 25, around the same middle.
    before = spec.win_length // 2 - spec.hop_length
    padded = np.pad(emphasised, (before, spec.win_length))
    windows = sliding_window_view(padded, spec.win_length)[:: spec.hop_length][:frames]
    spectra = np.fft.rfft(windows * np.hanning(spec.win_length), n=spec.n_fft)
    mel = np.log(np.maximum(np.abs(spectra) @ mel_filter_bank(spec).T, _FLOOR))
    phases = np.pi / spec.n_mels * (np.arange(spec.n_mels) + 0.5)
    cepstra = mel @ np.cos(phases[:, None] * np.arange(_CEPSTRA))
    wide = np.pad(cepstra, ((2, 2), (0, 0)), "edge")
    slopes = 2 * (wide[4:] - wide[:-4]) + wide[3:-1] - wide[1:-3]
    return np.hstack([cepstra, slopes])


class LetterSounds:
    """What each letter of a corpus sounds like."""

    def __init__(
        self,
        pairs: Sequence[tuple[Sound, Script]],
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """Learn from recordings and their texts, one or more; badly if `cancelled()` comes true."""
        self._numbers = {letter: number for number, letter in enumerate(_alphabet(pairs))}
        speech = np.concatenate([sound.cepstra[sound.heard.sounding] for sound, _ in pairs])
        self._all = speech.mean(axis=0), speech.var(axis=0) + 1e-3
        tasks = [_even_task(sound, script) for sound, script in pairs]
        for number in range(_ROUNDS):
            if number and cancelled():
                break
            self._estimate(pairs, [align(task) for task in tasks])
            tasks = [self.task(sound, script) for sound, script in pairs]

    def task(self, sound: Sound, script: Script) -> Task:
        """The task of aligning a text with a recording; its letters may be new."""
        fits = self._log_densities(sound.cepstra)
        # The last columns are those of a letter never heard.
        fits = np.pad(fits, ((0, 0), (0, STATES)))[:, self._states(script)]
        return Task(sound.heard, _FRAME_WEIGHT * fits, script.kinds)

    def _states(self, script: Script) -> Integers:
        """The Gaussian of each state of a text."""
        unknown = len(self._numbers)
        numbers = [self._numbers.get(letter, unknown) for letter in script.letters]
        states: Integers = STATES * np.array(numbers)[:, None] + np.arange(STATES)
        return states.ravel()

    def _log_densities(self, cepstra: Floats) -> Floats:
        """How much better each Gaussian fits each frame than all together, `(T, states)`."""
        return _gaussians(cepstra, *self._each) - _gaussians(
            cepstra, *(values[None] for values in self._all)
        )

    def _estimate(self, pairs: Sequence[tuple[Sound, Script]], paths: Sequence[Integers]) -> None:
        mean, variance = self._all
        count = np.full((STATES * len(self._numbers), 1), _SHARED_FRAMES)
        total, squares = count * mean, count * (variance + mean**2)
        for (sound, script), path in zip(pairs, paths, strict=True):
            found = path >= 0
            which, frames = self._states(script)[path[found]], sound.cepstra[found]
            np.add.at(count, which, 1)
            np.add.at(total, which, frames)
            np.add.at(squares, which, frames**2)
        means = total / count
        self._each = means, np.maximum(squares / count - means**2, _MIN_VARIANCE * variance)


def _alphabet(pairs: Sequence[tuple[Sound, Script]]) -> list[str]:
    return sorted({letter for _, script in pairs for letter in script.letters})


def _gaussians(values: Floats, means: Floats, variances: Floats) -> Floats:
    """Logarithms of K diagonal Gaussians at values `(T, D)`, but for a constant, `(T, K)`."""
    precisions = 1 / variances
    constant = (np.log(precisions) - means**2 * precisions).sum(axis=1) / 2
    density: Floats = constant + values @ (means * precisions).T - values**2 @ precisions.T / 2
    return density


def _even_task(sound: Sound, script: Script) -> Task:
    """The task of aligning a text with a recording of which only the pauses are known."""
    sounding, count = sound.heard.sounding, STATES * len(script.letters)
    spoken = np.cumsum(sounding)
    done, seconds = spoken / spoken[-1], spoken[-1] * HOP_SECONDS
    # As far as a random walk strays whose both ends are known.
    strays = _PACE * np.sqrt(np.maximum(done * (1 - done) * seconds * _STRETCH, 0.01))
    deviation = _ENDS + strays * count / seconds
    away = (np.arange(count) + 0.5 - done[:, None] * count) / deviation[:, None]
    return Task(sound.heard, -_EVEN_WEIGHT / 2 * away**2, script.kinds)
