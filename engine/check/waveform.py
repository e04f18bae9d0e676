"""Faults that show in the samples: clipping, DC offset, gaps, clicks, a cut end, channels, hum."""

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from engine.check.kinds import finding
from engine.check.levels import Levels, decibels, runs
from engine.check.report import Finding
from engine.formatting import plural

_STEP_16 = 1 / 32_768
# Samples in a row at the same height that make a flat top, and flat tops that make clipping: a
# slow wave may rest on its one highest crest.
_FLAT_SAMPLES, _FLAT_TOPS, _FLAT_TOPS_AT_FULL_SCALE = 3, 4, 2
_FULL_SCALE = 0.985
# Distance from the peak within which samples count as at the same height.
_FLATNESS = 2e-4
# Share of the samples in flat tops that spoils a clip.
_HARMFUL_CLIPPING = 0.005
# Share of the samples above nine tenths of the peak: speech has half a percent at most, a wave
# whose tops were cut and then coded or converted has one or more. Short clips prove nothing.
_NEAR_THE_PEAK, _SQUASHED, _MIN_SQUASHED_SECONDS = 0.9, 0.009, 0.8
# Higher samples are rarer, but they gather where a wave was limited, even after coding or
# conversion rounded the tops: how many times more samples there are around a height than a
# quarter below it, where that height has a share of the samples at all. LJ Speech has 0.6 at
# most, a limiter makes 1, and clipping 1.6 and more.
_GATHERED, _MIN_GATHERED = 1.4, 0.004
_HEIGHTS = np.arange(0.4, 1.0, 0.05)
# So low a peak is no sign of clipping but of too few steps.
_LOWEST_PEAK = 0.02
# Mean of the samples in shares of full scale.
_OFFSET, _HARMFUL_OFFSET = 0.008, 0.1
# Seconds of samples that do not change, between samples that do: a buffer that ran dry.
_MIN_DROPOUT, _MAX_DROPOUT, _HARMFUL_DROPOUT = 0.004, 0.5, 0.05
# Seconds of speech before and after a dropout, and its level below the recording's, in dB.
_BESIDE, _BESIDE_LEVEL = 0.005, 20.0
# The last frame's level below the speech in dB, less than which a word was cut off.
_CUT_END = 12.0
# Smaller leaps drown in speech, in shares of full scale.
_MIN_LEAP = 0.15
# How many times higher a click leaps than everything around it. In LJ Speech, whose consonants
# are hard, a burst of breath reaches 4 at most.
_CLICK_RATIO = 8.0
# Seconds before and after: of a click itself, ringing included, and of its neighbourhood.
_CLICK, _AROUND = 0.0004, 0.015
# A quieter neighbourhood counts as this loud: one step of 12 bits.
_STILL = 2**-11
# The highest leaps that are examined.
_MAX_CANDIDATES = 400
# Amplitude of a channel as a share of the loudest, below which it is silent.
_DEAD = 0.003
# Correlation with the loudest channel: below the first a channel is another recording or another
# place in the room; below the second mixing takes away from both.
_ALIKE, _DIFFERENT, _OPPOSED = 0.9, 0.5, -0.2

# Samples of a spectrum.
_FFT = 1_024
# So many frames, spread over the recording, show what all of them would.
_MAX_FRAMES = 160
# Power above a frequency, in dB of all, that counts as no sound: speech that was recorded with
# its highs has 30 dB more, and the rounding of 16 bits lies lower.
_NOTHING = -65.0
# Share of the bandwidth that speech fills; the filters of converters end a little below 1.
_FILLED = 0.8

# Samples from a frame to the next, and the share by which the strongest frequency may move
# meanwhile: a voice moves more in three of four frames at least, however flatly it speaks.
_TONE_HOP, _MOVES_LESS = 256, 0.004
# The two strongest frequencies of a tone have this share of the power; a frame counts within so
# many dB of the loudest; and this share of the frames makes a tone of a recording.
_TONE_POWER, _TONE_RANGE, _TONE = 0.8, 15.0, 0.6

# Mains: its frequency in Hz and how far the grid may stray from it; the neighbourhood that a hum
# stands out of, and by how many dB.
_MAINS = (50.0, 60.0)
_STRAYS, _NEIGHBOURHOOD, _STANDS_OUT = 0.6, 12.0, 15.0
# Hum less than so many dB below the speech is heard.
_HEARD = 36.0
# Sample rate in Hz at which hum is looked for, and seconds below which it cannot be told from a
# low voice.
_SLOW_RATE, _SHORTEST = 500.0, 1.5


def waveform_findings(samples: NDArray[np.float32], rate: int, levels: Levels) -> Iterator[Finding]:
    """Findings about samples `(N, channels)`, N > 0, of a rate in Hz."""
    loudest = samples[:, int(np.abs(samples).max(axis=0).argmax())]
    peak = float(np.abs(loudest).max())
    if peak >= _LOWEST_PEAK:
        yield from _clipped(loudest, rate, peak)
    if peak > 1.0:
        yield finding("over-full-scale", f"samples reach {peak:.2f} times full scale", peak)
    yield from _offset(samples)
    dropouts = list(_dropouts(loudest, rate, levels.speech))
    # The edges of a gap click, too.
    yield from dropouts or _clicks(loudest, rate)
    below = levels.speech - levels.ending
    # Nothing but noise has no end that could be cut.
    if below < _CUT_END and levels.signal_to_noise >= _CUT_END + 8:
        figure = f"ends in the middle of a sound, {below:.0f} dB below the speech"
        yield finding("cut-off", figure, below)


def _clipped(channel: NDArray[np.float32], rate: int, peak: float) -> Iterator[Finding]:
    flat, tops = 0, 0
    for side in (channel, -channel):
        top = float(side.max())
        starts, ends = runs(side >= top - max(1.5 * _STEP_16, _FLATNESS * abs(top)))
        lengths = ends - starts
        long = lengths[lengths >= _FLAT_SAMPLES]
        flat, tops = flat + int(long.sum()), tops + len(long)
    share = flat / len(channel)
    at_full_scale = peak >= _FULL_SCALE
    if tops >= (_FLAT_TOPS_AT_FULL_SCALE if at_full_scale else _FLAT_TOPS):
        height = "full scale" if at_full_scale else f"{100 * peak:.0f} % of full scale"
        figure = f"{100 * share:.2g} % of samples in {tops:,} flat tops at {height}"
        yield finding("clipped", figure, 100 * share, harmful=share >= _HARMFUL_CLIPPING)
    elif len(channel) >= _MIN_SQUASHED_SECONDS * rate:
        yield from _squashed(channel)


def _squashed(channel: NDArray[np.float32]) -> Iterator[Finding]:
    """Clipping that shows in how often each height occurs, because the tops are flat no more."""
    heights = np.abs(channel - np.float32(channel.mean(dtype=np.float64)))
    share = float((heights > _NEAR_THE_PEAK * heights.max()).mean())
    if share >= _SQUASHED:
        figure = f"{100 * share:.2g} % of samples within the top tenth of the peak"
        yield finding("clipped", figure, 100 * share)
    elif height := _gathering_height(heights):
        figure = f"samples pile up at {100 * height:.0f} % of the peak, where the tops were cut"
        yield finding("clipped", figure, 100 * height)


def _gathering_height(heights: NDArray[np.float32]) -> float | None:
    """The share of the peak at which a wave was limited; None for a wave that was not."""
    relative = np.sort(heights / heights.max())
    for height in _HEIGHTS:
        edges = height * np.array((0.68, 0.84, 0.92, 1.08))
        below, _, around = np.diff(np.searchsorted(relative, edges))
        if around > _MIN_GATHERED * len(relative) and around > _GATHERED * below:
            return float(height)
    return None


def _offset(samples: NDArray[np.float32]) -> Iterator[Finding]:
    means = samples.mean(axis=0, dtype=np.float64)
    offset = float(means[np.abs(means).argmax()])
    if abs(offset) >= _OFFSET:
        figure = f"DC offset of {100 * offset:+.1f} % of full scale"
        yield finding("dc-offset", figure, 100 * offset, harmful=abs(offset) >= _HARMFUL_OFFSET)


def _dropouts(channel: NDArray[np.float32], rate: int, speech: float) -> Iterator[Finding]:
    starts, ends = runs(np.diff(channel) == 0)
    long = ends - starts >= max(4, int(_MIN_DROPOUT * rate))
    beside = max(2, int(_BESIDE * rate))
    loud = 10 ** ((speech - _BESIDE_LEVEL) / 20)
    found = [
        (start, end - start)
        for start, end in zip(starts[long].tolist(), ends[long].tolist(), strict=True)
        if end - start <= _MAX_DROPOUT * rate
        and _moves(channel[max(0, start - beside) : start], loud)
        and _moves(channel[end + 1 : end + 1 + beside], loud)
        and _jumps(channel, start, end, loud)
    ]
    if found:
        total = sum(length for _, length in found) / rate
        figure = (
            f"{plural(len(found), 'gap')} in the speech, {1000 * total:.0f} ms in total, "
            f"first at {found[0][0] / rate:.2f} s"
        )
        yield finding("dropout", figure, 1000 * total, harmful=total >= _HARMFUL_DROPOUT)


def _moves(samples: NDArray[np.float32], level: float) -> bool:
    return len(samples) > 0 and float(np.ptp(samples)) > 2 * level


def _jumps(channel: NDArray[np.float32], start: int, end: int, level: float) -> bool:
    """Whether sound breaks off at a gap, or sets in after it, and does not fade as speech does."""
    still = channel[start]
    sides = channel[max(0, start - 2) : start], channel[end + 1 : end + 3]
    return any(float(np.abs(side - still).max(initial=0)) > level / 2 for side in sides)


def _clicks(channel: NDArray[np.float32], rate: int) -> Iterator[Finding]:
    """The clicks of one channel `(N,)` as one finding.

    A sample's leap is its distance from the middle of its neighbours. Speech leaps too, most of
    all in an s, but for hundredths of a second, and not between samples that lie still.
    """
    leaps = np.abs(channel[1:-1] - (channel[:-2] + channel[2:]) / 2)
    clicks = _places_of_clicks(leaps, max(2, round(_CLICK * rate)), round(_AROUND * rate))
    if clicks:
        highest = max(clicks, key=lambda place: float(leaps[place]))
        leap = min(100.0, 100 * float(leaps[highest]))
        several = "" if len(clicks) == 1 else ", the highest"
        figure = (
            f"{plural(len(clicks), 'click')}{several} of {leap:.0f} % of full scale, "
            f"at {(highest + 1) / rate:.2f} s"
        )
        yield finding("click", figure, leap)


def _places_of_clicks(leaps: NDArray[np.float32], inside: int, around: int) -> list[int]:
    candidates = np.flatnonzero(leaps >= _MIN_LEAP)
    candidates = candidates[np.argsort(-leaps[candidates], kind="stable")][:_MAX_CANDIDATES]
    found: list[int] = []
    for place in map(int, candidates):
        if any(abs(place - other) <= inside for other in found):
            continue
        before = leaps[max(0, place - around) : max(0, place - inside)]
        after = leaps[place + inside + 1 : place + around + 1]
        beside = max(_STILL, float(before.max(initial=0)), float(after.max(initial=0)))
        if leaps[place] >= _CLICK_RATIO * beside:
            found.append(place)
    return found


def channel_findings(samples: NDArray[np.float32]) -> Iterator[Finding]:
    """What mixing channels `(N, channels)`, N > 0, into one would do to the speech."""
    count = samples.shape[1]
    if count < 2:
        return
    kind = "stereo" if count == 2 else "many-channels"
    yield finding(kind, f"{count} channels, which are mixed into one", float(count))
    centred = samples - samples.mean(axis=0)
    powers = np.einsum("nc,nc->c", centred, centred, dtype=np.float64)
    loudest = int(powers.argmax())
    if powers[loudest] <= 0:
        return
    alive = powers > powers[loudest] * _DEAD**2
    if silent := int((~alive).sum()):
        figure = f"{silent} of {count} channels silent, which makes the mix quieter"
        yield finding("dead-channel", figure, float(silent))
    correlation = min(
        float(np.dot(centred[:, loudest], centred[:, channel]))
        / float(np.sqrt(powers[loudest] * powers[channel]))
        for channel in np.flatnonzero(alive)
    )
    figure = f"correlation of the channels {correlation:.2f}"
    if correlation < _OPPOSED:
        figure += ": they cancel each other in the mix"
        yield finding("opposed-channels", figure, correlation)
    elif correlation < _DIFFERENT:
        figure += ": they hold two different sounds"
        yield finding("different-channels", figure, correlation, harmful=True)
    elif correlation < _ALIKE:
        yield finding("different-channels", figure, correlation)


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
            f"it was recorded or encoded at a lower rate"
        )
        yield finding("upsampled", figure, highest)
    if share := _tone_share(mono):
        figure = f"{100 * share:.0f} % of the sound is a steady tone, as a beep is"
        yield finding("tone", figure, 100 * share)
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


def _tone_share(mono: NDArray[np.float32]) -> float | None:
    """The share of the loud frames of samples `(N,)` that hold a steady tone; None for speech."""
    padded = np.pad(mono, (0, max(0, _FFT + 2 * _TONE_HOP - len(mono))))
    frames = sliding_window_view(padded, _FFT)[::_TONE_HOP]
    frames = np.stack([frames[:-1], frames[1:]])[:, :: -(-len(frames) // _MAX_FRAMES)]
    power = np.abs(np.fft.rfft(frames * np.hanning(_FFT).astype(np.float32))) ** 2
    power[..., :3] = 0
    total = power.sum(axis=-1)
    loud = (total > total.max() * 10 ** (-_TONE_RANGE / 10)).all(axis=0)
    if not loud.any():
        return None
    power, total = power[:, loud], total[:, loud]
    places = np.arange(power.shape[-1])
    strongest = np.clip(power.argmax(axis=-1), 1, len(places) - 2)[..., None]
    near = np.abs(places - strongest) <= 3
    second = np.where(near, 0, power).argmax(axis=-1)[..., None]
    near |= np.abs(places - second) <= 3
    pure = (power * near).sum(axis=-1) > _TONE_POWER * total
    # Between the places of the spectrum: the top of the parabola through three of them.
    low, mid, high = (
        np.log(np.take_along_axis(power, strongest + step, -1)[..., 0] + 1e-20)
        for step in (-1, 0, 1)
    )
    peak = strongest[..., 0] + (low - high) / 2 / np.minimum(low - 2 * mid + high, -1e-12)
    steady = np.abs(peak[1] - peak[0]) < _MOVES_LESS * peak[1]
    share = float((steady & pure.all(axis=0)).mean())
    return share if share >= _TONE else None


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
