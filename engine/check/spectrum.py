"""What the spectrum of a recording tells: highs that were never there, and mains hum."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from engine.check.faults import Fault
from engine.check.loudness import Levels, decibels

_FFT = 1_024
# Frames that are looked at: as many, spread over the recording, tell what all of them do.
_MAX_FRAMES = 160
# Power above a frequency, in dB of all, below which nothing is there: speech that was recorded
# with its highs has 30 dB more, and the rounding of 16 bits lies lower.
_NOTHING = -65.0
# Share of the bandwidth that speech fills; the filters of converters end a little below 1.
_FILLED = 0.8
# Highest frequency in Hz of what came by telephone or from a rate of 11 kHz.
_TELEPHONE = 5_700.0

# Mains: the fundamental in Hz and how far around it the grid may stray; the neighbourhood that a
# hum stands out of.
_MAINS = (50.0, 60.0)
_STRAYS = 0.6
_NEIGHBOURHOOD = 12.0
_STANDS_OUT = 15.0
# Level of the hum below that of the speech in dB, from which it is heard.
_HEARD = 36.0
# Samples a second that are left to look for hum in, and seconds under which it is not told from
# a low voice.
_SLOW_RATE = 500.0
_SHORTEST = 1.5


def spectrum_faults(
    mono: NDArray[np.float32], rate: int, recorded_rate: int, levels: Levels
) -> list[Fault]:
    """Faults of samples `(N,)` at the voice's rate in Hz, which were `recorded_rate` in the file.

    Highs that the file's own rate has no room for are not missed a second time.
    """
    return [*_upsampled(mono, rate, recorded_rate), *_hum(mono, rate, levels)]


def highest_frequency(mono: NDArray[np.float32], rate: int) -> float | None:
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


def _upsampled(mono: NDArray[np.float32], rate: int, recorded_rate: int) -> list[Fault]:
    highest = highest_frequency(mono, rate)
    fitting = min(rate, recorded_rate) / 2
    if highest is None or highest >= _FILLED * fitting:
        return []
    return [
        Fault(
            "upsampled",
            "error" if highest < _TELEPHONE else "warning",
            f"has nothing above {highest / 1000:.1f} of {fitting / 1000:.0f} kHz: it was recorded "
            f"or coded at a lower rate",
            "export it again from the original recording; the voice will sound as dull as it",
            highest,
        )
    ]


def _hum(mono: NDArray[np.float32], rate: int, levels: Levels) -> list[Fault]:
    if len(mono) < _SHORTEST * rate:
        return []
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
            return [
                Fault(
                    "hum",
                    "warning",
                    f"mains hum of {mains:.0f} Hz, {levels.speech - level:.0f} dB below its speech",
                    "take it out with a high-pass filter, as `voicecoach clean` does",
                    mains,
                )
            ]
    return []
