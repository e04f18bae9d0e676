"""What the samples themselves tell: clipping, direct current, dropouts, clicks, a cut end."""

import numpy as np
from numpy.typing import NDArray

from engine.check.clicks import click_faults
from engine.check.faults import Fault
from engine.check.loudness import Levels, runs
from engine.check.report import Severity

_STEP_16 = 1 / 32_768
# Samples in a row at the same height that make a flat top, and flat tops that make clipping: a
# slow wave may rest on its one highest crest.
_FLAT_SAMPLES = 3
_FLAT_TOPS = 4
_FLAT_TOPS_AT_FULL_SCALE = 2
_FULL_SCALE = 0.985
# Distance from the peak within which samples count as at the same height.
_FLATNESS = 2e-4
# Share of the samples in flat tops that spoils a clip.
_HARMFUL_CLIPPING = 0.005
# Share of the samples above nine tenths of the peak: speech has half a percent at most, a wave
# whose tops were cut and then coded or converted has one or more. Short clips prove nothing.
_NEAR_THE_PEAK = 0.9
_SQUASHED = 0.009
_SHORTEST_SQUASHED = 0.8
# Heights of a wave are the rarer the higher they are, but gather where it was limited, also after
# the tops were made round by coding or conversion: how many times more there are around a height
# than a quarter below it, where that height has a share of the samples at all. The speech of LJ
# Speech has 0.6 at most, a limiter makes 1, and clipping 1.6 and more.
_GATHERED = 1.4
_MIN_GATHERED = 0.004
_HEIGHTS = np.arange(0.4, 1.0, 0.05)
# A peak so low is no sign of clipping but of too few steps.
_LOWEST_PEAK = 0.02
# Mean of the samples in shares of full scale.
_OFFSET, _HARMFUL_OFFSET = 0.008, 0.1
# Seconds of samples that do not change, between samples that do: a buffer that ran dry.
_SHORTEST_DROPOUT, _LONGEST_DROPOUT = 0.004, 0.5
_HARMFUL_DROPOUT = 0.05
# Seconds before and after a dropout in which there is speech, and the level below it, in dB.
_BESIDE = 0.005
_BESIDE_LEVEL = 20.0
# The last frame's level below the speech in dB, less than which a word was cut off.
_CUT_END = 12.0

_RECORD_LOWER = "record it again at a lower level, or leave the clip out"


def waveform_faults(samples: NDArray[np.float32], rate: int, levels: Levels) -> list[Fault]:
    """Faults of samples `(N, channels)`, N > 0, of a rate in Hz."""
    loudest = samples[:, int(np.abs(samples).max(axis=0).argmax())]
    dropouts = _dropouts(loudest, rate, levels.speech)
    return [
        *_clipped(loudest, rate),
        *_over_full_scale(loudest),
        *_offset(samples),
        # The edges of a gap click, too.
        *(dropouts or click_faults(loudest, rate)),
        *_cut_off(levels),
    ]


def _clipped(channel: NDArray[np.float32], rate: int) -> list[Fault]:
    flat, tops = 0, 0
    peak = float(np.abs(channel).max())
    if peak < _LOWEST_PEAK:
        return []
    for side in (channel, -channel):
        top = float(side.max())
        near = side >= top - max(1.5 * _STEP_16, _FLATNESS * abs(top))
        starts, ends = runs(near)
        lengths = ends - starts
        long = lengths[lengths >= _FLAT_SAMPLES]
        flat, tops = flat + int(long.sum()), tops + len(long)
    share = flat / len(channel)
    at_full_scale = peak >= _FULL_SCALE
    if tops >= (_FLAT_TOPS_AT_FULL_SCALE if at_full_scale else _FLAT_TOPS):
        height = "full scale" if at_full_scale else f"{100 * peak:.0f} % of full scale"
        figure = f"{100 * share:.2g} % of its samples lie in {tops:,} flat tops at {height}"
        severity: Severity = "error" if share >= _HARMFUL_CLIPPING else "warning"
        return [Fault("clipped", severity, figure, _RECORD_LOWER, 100 * share)]
    return _squashed(channel, rate)


def _squashed(channel: NDArray[np.float32], rate: int) -> list[Fault]:
    if len(channel) < _SHORTEST_SQUASHED * rate:
        return []
    still = np.abs(channel - np.float32(channel.mean(dtype=np.float64)))
    share = float((still > _NEAR_THE_PEAK * still.max()).mean())
    if share >= _SQUASHED:
        figure = f"{100 * share:.2g} % of its samples are squashed into the tenth below its peak"
        return [Fault("clipped", "warning", figure, _RECORD_LOWER, 100 * share)]
    height = _gathering_height(still)
    if height is None:
        return []
    figure = f"its samples gather at {100 * height:.0f} % of its peak, where its tops were cut"
    return [Fault("clipped", "warning", figure, _RECORD_LOWER, 100 * height)]


def _gathering_height(still: NDArray[np.float32]) -> float | None:
    """The share of the peak at which a wave was limited; None for a wave that was not."""
    relative = np.sort(still / still.max())

    def between(low: float, high: float) -> int:
        return int(np.searchsorted(relative, high) - np.searchsorted(relative, low))

    for height in _HEIGHTS:
        around = between(0.92 * height, 1.08 * height)
        below = between(0.68 * height, 0.84 * height)
        if around > _MIN_GATHERED * len(relative) and around > _GATHERED * below:
            return float(height)
    return None


def _over_full_scale(channel: NDArray[np.float32]) -> list[Fault]:
    peak = float(np.abs(channel).max())
    if peak <= 1.0:
        return []
    figure = f"its samples reach {peak:.2f} times full scale"
    advice = "lower it before it is saved in another format, which would clip it"
    return [Fault("over-full-scale", "warning", figure, advice, peak)]


def _offset(samples: NDArray[np.float32]) -> list[Fault]:
    means = samples.mean(axis=0, dtype=np.float64)
    offset = float(means[np.abs(means).argmax()])
    if abs(offset) < _OFFSET:
        return []
    return [
        Fault(
            "dc-offset",
            "error" if abs(offset) >= _HARMFUL_OFFSET else "warning",
            f"its mean lies {100 * offset:+.1f} % of full scale off zero",
            "take it out with a high-pass filter, as `voicecoach clean` does",
            100 * offset,
        )
    ]


def _dropouts(channel: NDArray[np.float32], rate: int, speech: float) -> list[Fault]:
    """Stretches of one and the same value in the middle of sound."""
    shortest = max(4, int(_SHORTEST_DROPOUT * rate))
    starts, ends = runs(np.diff(channel) == 0)
    long = ends - starts >= shortest
    beside = max(2, int(_BESIDE * rate))
    loud = 10 ** ((speech - _BESIDE_LEVEL) / 20)
    found = [
        (int(start), int(end - start))
        for start, end in zip(starts[long], ends[long], strict=True)
        if end - start <= _LONGEST_DROPOUT * rate
        and _moves(channel[max(0, start - beside) : start], loud)
        and _moves(channel[end + 1 : end + 1 + beside], loud)
        and _jumps(channel, int(start), int(end), loud)
    ]
    if not found:
        return []
    total = sum(length for _, length in found) / rate
    return [
        Fault(
            "dropout",
            "error" if total >= _HARMFUL_DROPOUT else "warning",
            f"{len(found)} gap{'s' * (len(found) > 1)} of {1000 * total:.0f} ms in all in the "
            f"speech, the first {found[0][0] / rate:.2f} s from the start",
            "export it again, or leave the clip out",
            1000 * total,
        )
    ]


def _moves(samples: NDArray[np.float32], level: float) -> bool:
    return len(samples) > 0 and float(np.ptp(samples)) > 2 * level


def _jumps(channel: NDArray[np.float32], start: int, end: int, level: float) -> bool:
    """Whether sound breaks off at a stretch, or sets in, and does not fade as speech does."""
    still = channel[start]
    sides = channel[max(0, start - 2) : start], channel[end + 1 : end + 3]
    return any(float(np.abs(side - still).max(initial=0)) > level / 2 for side in sides)


def _cut_off(levels: Levels) -> list[Fault]:
    below = levels.speech - levels.ending
    # Nothing but noise has no end that could be cut.
    if below >= _CUT_END or levels.signal_to_noise < _CUT_END + 8:
        return []
    return [
        Fault(
            "cut-off",
            "warning",
            f"ends in the middle of a sound, {below:.0f} dB below the level of its speech",
            "compare its last word with the text; copy or cut it again",
            below,
        )
    ]
