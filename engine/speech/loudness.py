"""How loud a voice sounds: one level for everything that is said in one go."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

PAUSE_SECONDS = 0.7
"""Silence between two sentences, in seconds."""

# Root mean square of voiced sound: −20 dB of full scale, as recordings of speech commonly have.
_LEVEL = 0.1
_PEAK = 0.95
# Pauses say nothing about loudness: only blocks this close to the loudest are counted, in dB.
_VOICED_DB = 30.0
_BLOCK = 512


def level(waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring samples `(n,)` to the level at which every sample is heard; peak at most 0.95."""
    return join([waveform], sample_rate=1)


def join(parts: Sequence[NDArray[np.float32]], sample_rate: int) -> NDArray[np.float32]:
    """Join sentences with 0.7 s of silence between them, all equally loud.

    Equal is the root mean square of their voiced blocks. If a peak would pass 0.95, all of
    them are turned down alike.
    """
    pause = np.zeros(round(PAUSE_SECONDS * sample_rate), np.float32)
    pieces: list[NDArray[np.float32]] = []
    for part in parts:
        loudness = _voiced_rms(part)
        gain = _LEVEL / loudness if loudness > 0 else 0.0
        pieces += [part * np.float32(gain), pause]
    joined: NDArray[np.float32] = np.concatenate(pieces[:-1])
    return limit_peak(joined)


def limit_peak(waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn samples down as a whole where one would pass 0.95 and so come near to clipping."""
    peak = float(np.abs(waveform).max(initial=0.0))
    return waveform * np.float32(_PEAK / peak) if peak > _PEAK else waveform


def _voiced_rms(waveform: NDArray[np.float32]) -> float:
    """Root mean square of the blocks that are not pauses; 0 for silence."""
    blocks = np.pad(waveform, (0, -len(waveform) % _BLOCK)).reshape(-1, _BLOCK)
    power = np.square(blocks, dtype=np.float64).mean(axis=1)
    loudest = power.max(initial=0.0)
    if loudest == 0:
        return 0.0
    return float(np.sqrt(power[power >= loudest * 10 ** (-_VOICED_DB / 10)].mean()))
