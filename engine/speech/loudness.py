"""How loud a voice is heard: the same for every sample."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Root mean square of voiced sound: −20 dB of full scale, as recordings of speech commonly have.
_LEVEL = 0.1
# Pauses say nothing about loudness: only blocks this close to the loudest are counted, in dB.
_VOICED_DB = 30.0
_BLOCK = 512
# Sound this far below full scale is no voice, and not made louder than one: −60 dB.
_NO_VOICE = 1e-3
# The whole of a sentence is less loud than its first 0.8 s, by 1 dB in recordings of four speakers.
_BEGINNING = 0.9
_PEAK = 0.95
# Samples up to here are left as they are; above, they are bent so as to stay below the peak.
_STRAIGHT = 0.8


class Loudness:
    """Levels a sound piece by piece.

    What is known so far says how loud it is. The gain glides from piece to piece: at the end of a
    sentence it is what the whole asks for.
    """

    def __init__(self, frame_length: int) -> None:
        """Begin with silence; frames come so many samples apart."""
        self._frame_length = frame_length
        self._powers = np.empty(0, np.float32)
        self._energy = 0.0
        self._samples = 0
        self._gain: float | None = None

    def level(
        self,
        samples: NDArray[np.float32],
        powers: NDArray[np.float32],
        ahead: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Bring the next samples to their level, each below 0.95.

        Args:
            samples: the next ones, `(n,)`.
            powers: the mean squares that the next frames should have, `(T,)`; the samples may lag
                behind them.
            ahead: those of frames that will come after these.
        """
        self._powers = np.concatenate((self._powers, powers))
        self._samples += len(samples)
        self._energy += float(np.square(samples, dtype=np.float64).sum())
        if not len(samples):
            return samples
        loudness = _voiced_rms(np.concatenate((self._powers, ahead))) * self._ratio()
        if self._gain is None and len(ahead):
            loudness *= _BEGINNING
        target = _LEVEL / max(loudness, _NO_VOICE)
        start = target if self._gain is None else self._gain
        self._gain = target
        return _bent(samples * np.linspace(start, target, len(samples), dtype=np.float32))

    def _ratio(self) -> float:
        """How loud the samples are, compared with what the frames promised."""
        heard = self._powers[: self._samples // self._frame_length]
        promised = float(heard.sum()) * self._frame_length
        return (self._energy / promised) ** 0.5 if promised > 0 else 1.0


def _bent(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bend what is above 0.8 so that it stays below 0.95, without a corner that would be heard."""
    room = np.float32(_PEAK - _STRAIGHT)
    over = np.maximum(np.abs(samples) - np.float32(_STRAIGHT), 0)
    bent = samples + np.sign(samples) * (room * np.tanh(over / room) - over)
    limited: NDArray[np.float32] = np.clip(bent, -_PEAK, _PEAK)
    return limited


def limit_peak(waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn samples down as a whole where one would pass 0.95 and so come near to clipping."""
    peak = float(np.abs(waveform).max(initial=0.0))
    return waveform * np.float32(_PEAK / peak) if peak > _PEAK else waveform


def level(waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring samples `(n,)` to the level at which every sample is heard; peak at most 0.95."""
    return join([waveform], np.zeros(0, np.float32))


def join(parts: Sequence[NDArray[np.float32]], pause: NDArray[np.float32]) -> NDArray[np.float32]:
    """Join sentences with a pause between them, all equally loud.

    Equal is the root mean square of their voiced blocks. If a peak would pass 0.95, all of
    them are turned down alike.
    """
    pieces: list[NDArray[np.float32]] = []
    for part in parts:
        loudness = _voiced_rms(_block_powers(part))
        gain = _LEVEL / loudness if loudness > 0 else 0.0
        pieces += [part * np.float32(gain), pause]
    joined: NDArray[np.float32] = np.concatenate(pieces[:-1])
    return limit_peak(joined)


def _block_powers(waveform: NDArray[np.float32]) -> NDArray[np.float64]:
    blocks = np.pad(waveform, (0, -len(waveform) % _BLOCK)).reshape(-1, _BLOCK)
    powers: NDArray[np.float64] = np.square(blocks, dtype=np.float64).mean(axis=1)
    return powers


def _voiced_rms(power: NDArray[np.floating]) -> float:
    """Root mean square of the blocks or frames that are no pauses; 0 for silence."""
    loudest = power.max(initial=0.0)
    if loudest == 0:
        return 0.0
    return float(np.sqrt(power[power >= loudest * 10 ** (-_VOICED_DB / 10)].mean()))
