"""Faults that show in the spectrum of a recording: missing highs, and mains hum."""

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from engine.check.kinds import finding
from engine.check.levels import Levels, decibels
from engine.check.report import Finding

_FFT = 1_024
# So many frames, spread over the recording, show what all of them would.
_MAX_FRAMES = 160
# Power above a frequency, in dB of all, that counts as no sound: speech that was recorded with
# its highs has 30 dB more, and the rounding of 16 bits lies lower.
_NOTHING = -65.0
# Share of the bandwidth that speech fills; the filters of converters end a little below 1.
_FILLED = 0.8
# Highest frequency in Hz of what came by telephone or from a rate of 11 kHz.
_TELEPHONE = 5_700.0

# Mains: its frequency in Hz and how far the grid may stray from it; the neighbourhood that a hum
# stands out of, and by how many dB.
_MAINS = (50.0, 60.0)
_STRAYS, _NEIGHBOURHOOD, _STANDS_OUT = 0.6, 12.0, 15.0
# Hum less than so many dB below the speech is heard.
_HEARD = 36.0
# Sample rate in Hz at which hum is looked for, and seconds below which it cannot be told from a
# low voice.
_SLOW_RATE, _SHORTEST = 500.0, 1.5


def spectrum_findings(
    mono: NDArray[np.float32], rate: int, recorded_rate: int, levels: Levels
) -> Iterator[Finding]:
    """Findings about samples `(N,)` at the voice's rate in Hz, in the file at `recorded_rate`.

    Highs that the file's own rate has no room for are reported elsewhere.
    """
    highest = _highest_frequency(mono, rate)
    possible = min(rate, recorded_rate) / 2
    if highest is not None and highest < _FILLED * possible:
        figure = (
            f"no sound above {highest / 1000:.1f} kHz, where {possible / 1000:.0f} is possible: "
            f"it was recorded or coded at a lower rate"
        )
        yield finding("upsampled", figure, highest, harmful=highest < _TELEPHONE)
    if len(mono) >= _SHORTEST * rate:
        yield from _hum(mono, rate, levels)


def _highest_frequency(mono: NDArray[np.float32], rate: int) -> float | None:
    """The frequency in Hz above which there is nothing; None of a recording too short to tell.

    The mean power spectrum of Hann-windowed frames is summed from its upper end until it is
    within 65 dB of the whole.
    """
    if len(mono) < 2 * _FFT:
        return None
    frames = sliding_window_view(mono, _FFT)[:: _FFT // 2]
    frames = frames[:: -(-len(frames) // _MAX_FRAMES)]
    spectra = np.fft.rfft(frames * np.hanning(_FFT).astype(np.float32), axis=1)
    power = np.einsum("tf,tf->f", np.abs(spectra), np.abs(spectra), dtype=np.float64)
    power[:2] = 0  # direct current would outweigh the speech
    above = np.cumsum(power[::-1])[::-1]
    if above[0] <= 0:
        return None
    present = np.flatnonzero(above > above[0] * 10 ** (_NOTHING / 10))
    return float(present[-1]) * rate / _FFT


def _hum(mono: NDArray[np.float32], rate: int, levels: Levels) -> Iterator[Finding]:
    every = int(rate / _SLOW_RATE)
    slow = mono[: len(mono) // every * every].reshape(-1, every).mean(axis=1)
    slow = (slow - slow.mean()) * np.hanning(len(slow))
    # Scaled so that a sine's line has its mean power.
    power = 2 * np.abs(np.fft.rfft(slow)) ** 2 / (0.5 * len(slow)) ** 2
    hertz = np.fft.rfftfreq(len(slow), every / rate)
    for mains in _MAINS:
        away = np.abs(hertz - mains)
        line = power[away <= _STRAYS].max(initial=0)
        beside = np.median(power[(away > 2 * _STRAYS) & (away <= _NEIGHBOURHOOD)])
        level = float(decibels(np.asarray(line)))
        if line > beside * 10 ** (_STANDS_OUT / 10) and level > levels.speech - _HEARD:
            figure = f"{mains:.0f} Hz mains hum, {levels.speech - level:.0f} dB below the speech"
            yield finding("hum", figure, mains)
            return
