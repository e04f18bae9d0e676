"""One recording made fit for training: rumble, ends, pauses and loudness."""

import numpy as np
from numpy.typing import NDArray

from engine.check.levels import HOP_SECONDS, LONGEST_PAUSE, measure_levels

SPEECH_LEVEL = -20.0
"""Level of the speech in a repaired recording, in dB of full scale: a decibel below LJ Speech,
from which most voices start; most speakers' peaks have room above it."""

# Below this, in Hz, there is no voice but the room, the desk and the mains.
_LOWEST = 100.0
_ORDER = 4
# Seconds kept before the first and after the last sound: breaths and the decay of a consonant.
_BEFORE, _AFTER = 0.1, 0.15
# Pauses are cut a little below the limit, because frames measure them to 20 ms.
_CAPPED_PAUSE = LONGEST_PAUSE - 0.04
# Seconds of cross-fade where a pause was cut, so that the room does not jump.
_FADE = 0.02
# Cutting a pause changes the noise estimate a little, which can reveal another pause.
_ROUNDS = 4
_PEAK = 0.95


def repair(
    waveform: NDArray[np.float32], sample_rate: int
) -> tuple[NDArray[np.float32], float, float, float]:
    """Repair mono samples `(N,)` of a rate in Hz.

    A high-pass of 100 Hz (Butterworth, forwards and backwards, so that no phase turns) removes
    rumble and DC offset; the ends are cut to a tenth of a second around the sound; pauses
    inside are capped at 0.5 s; the speech is brought to one level, or less where its peak would
    exceed 95 % of full scale. The same samples always give the same result.

    Returns:
        Mono samples `(N,)`, none where there is no sound that could be speech; seconds cut at
        both ends, and out of pauses; amplification in dB.
    """
    filtered = _high_pass(waveform, sample_rate)
    sounding = np.flatnonzero(measure_levels(filtered, sample_rate).speaks())
    if not len(sounding):
        return np.empty(0, np.float32), 0.0, 0.0, 0.0
    start = float(sounding[0]) * HOP_SECONDS - _BEFORE
    end = float(sounding[-1] + 2) * HOP_SECONDS + _AFTER
    trimmed = filtered[max(0, round(start * sample_rate)) : round(end * sample_rate)]
    capped = trimmed
    for _ in range(_ROUNDS):
        before = len(capped)
        capped = _with_capped_pauses(capped, sample_rate)
        if len(capped) == before:
            break
    gain = _gain(capped, sample_rate)
    return (
        (capped * np.float32(10 ** (gain / 20))).astype(np.float32),
        (len(waveform) - len(trimmed)) / sample_rate,
        (len(trimmed) - len(capped)) / sample_rate,
        gain,
    )


def _high_pass(waveform: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    # Imported where it is used: it takes half a second.
    from scipy.signal import butter, sosfiltfilt

    sections = butter(_ORDER, _LOWEST, "highpass", fs=sample_rate, output="sos")
    # Twice the longest reach of the filter, or as much as there is.
    padding = min(len(waveform) - 1, int(sample_rate / _LOWEST * 4))
    filtered: NDArray[np.float32] = sosfiltfilt(sections, waveform, padlen=padding).astype(
        np.float32
    )
    return filtered


def _with_capped_pauses(waveform: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    half = _CAPPED_PAUSE / 2
    fade = round(_FADE * sample_rate)
    rise = np.linspace(0, 1, fade, dtype=np.float32)
    joined, position = np.empty(0, np.float32), 0
    for start, end in measure_levels(waveform, sample_rate).pauses():
        cut = round((start * HOP_SECONDS + half) * sample_rate)
        resumed = round((end * HOP_SECONDS - half) * sample_rate)
        before = np.concatenate([joined, waveform[position:cut]])
        shared = before[-fade:] * (1 - rise) + waveform[resumed : resumed + fade] * rise
        joined, position = np.concatenate([before[:-fade], shared]), resumed + fade
    return np.concatenate([joined, waveform[position:]])


def _gain(waveform: NDArray[np.float32], sample_rate: int) -> float:
    """Decibels that bring the speech to its level without passing the highest peak."""
    wanted = SPEECH_LEVEL - measure_levels(waveform, sample_rate).speech
    room = 20 * np.log10(_PEAK / np.abs(waveform).max())
    return float(min(wanted, room))
