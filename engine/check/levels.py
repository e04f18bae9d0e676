"""How loud the speech of a recording is, how loud its noise, and where it pauses."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from engine.check.kinds import NOTHING, finding
from engine.check.report import Finding

HOP_SECONDS = 0.01
"""From one frame to the next; a frame is twice as long."""

_LOWEST = -100.0
# Frames quieter than this hold at most the rounding of 16 bits: they come from an editor, not
# from the room.
_DIGITAL_SILENCE = -90.0
# Several of the loudest and the quietest frames are taken together, so that a click is not the
# speech, nor one lucky frame the room.
_LOUDEST_FRAMES, _QUIETEST_FRAMES, _QUIETEST_SHARE = 10, 3, 0.03
# Speech reaches down to this below its loudest tenth of a second.
_SPEECH_RANGE = 20.0
# Below the speech by this much nothing is heard as speech; above the noise by this much something
# is, if there is room for it.
_PAUSE_DEPTH, _ABOVE_NOISE = 35.0, 6.0
# Shorter runs of frames are no speech sound: clicks do not end a pause.
_SHORTEST_SOUND = 3
# Frames of one level, within so many decibels and this far below the speech, hold no speech
# however loud they are over the noise elsewhere: a fan, or the room of another recording.
_STEADY_FRAMES, _STEADY_RANGE, _STEADY_DEPTH = 40, 5.0, 20.0
_QUIET, _NEARLY_SILENT = -36.0, -48.0
# Speech with its pauses reaches about -12 dB of full scale even from a limiter.
_TOO_LOUD = -7.0
# Decibels of the speech over the noise.
_NOISY, _DROWNED = 25.0, 12.0
# Seconds from which on a recording is sure to have a moment without speech.
_MIN_NOISE_SECONDS = 0.75
LONGEST_PAUSE = 0.5
"""Seconds; the BBC cut longer pauses out of their recordings."""

# Seconds of a pause in which attention loses its place.
_HARMFUL_PAUSE = 2.0
_MAX_LISTED_PAUSES = 3

Fingerprint = NDArray[np.float64]
"""Level over time `(100,)`, with mean 0 and length 1, which copies share."""

# Seconds from which on a recording can be told from others by its level.
_MIN_FINGERPRINT_SECONDS = 1.0
_POINTS = 100
# Decibels below the speech that count: below that there may be another room's noise.
_FINGERPRINT_RANGE = 40.0


@dataclass(frozen=True, slots=True)
class Levels:
    """The level of a recording over its time, in dB of full scale."""

    frames: NDArray[np.float64]
    """Level of 20 ms, one each 10 ms, without direct current."""
    speech: float
    """Mean power of the frames within 20 dB of the loudest tenth of a second."""
    noise: float
    """Mean power of the quietest 3 % of the frames, digital silence and long pauses left out."""

    @property
    def signal_to_noise(self) -> float:
        """Speech over noise in dB: too low by the noise in the speech, a hair from 15 dB up.

        It is an estimate from one recording without knowing its words: a clip without any
        pause counts its softest consonants as noise.
        """
        return self.speech - self.noise

    @property
    def ending(self) -> float:
        """The level at the end in dB of full scale.

        Before digital silence it is that of the louder of the last two frames with sound: the
        last may have only its beginning.
        """
        sounding = np.flatnonzero(self.frames > _DIGITAL_SILENCE)
        if not len(sounding) or sounding[-1] == len(self.frames) - 1:
            return float(self.frames[-1])
        return float(self.frames[max(0, sounding[-1] - 1) : sounding[-1] + 1].max())

    def speaks(self) -> NDArray[np.bool_]:
        """In which frames there is sound, clicks left out."""
        margin = min(_ABOVE_NOISE, self.signal_to_noise / 2)
        loud = self.frames > max(self.speech - _PAUSE_DEPTH, self.noise + margin)
        loud &= ~self._steady()
        starts, ends = runs(loud)
        for start, end in zip(starts, ends, strict=True):
            if end - start < _SHORTEST_SOUND:
                loud[start:end] = False
        return loud

    def pauses(self) -> list[tuple[int, int]]:
        """Frames where the pauses above `LONGEST_PAUSE` between two sounds start and end."""
        starts, ends = runs(self.speaks())
        return [
            (end, start)
            for end, start in zip(ends[:-1].tolist(), starts[1:].tolist(), strict=True)
            if (start - end) * HOP_SECONDS > LONGEST_PAUSE
        ]

    def fingerprint(self, start: float, end: float) -> Fingerprint | None:
        """The fingerprint of a recording trimmed to these seconds; None for one too short."""
        if end - start < _MIN_FINGERPRINT_SECONDS:
            return None
        frames = self.frames[int(start / HOP_SECONDS) : int(end / HOP_SECONDS)]
        audible = np.maximum(frames, self.speech - _FINGERPRINT_RANGE)
        places = np.linspace(0, len(audible) - 1, _POINTS)
        found: Fingerprint = np.interp(places, np.arange(len(audible)), audible)
        found -= found.mean()
        length = float(np.linalg.norm(found))
        return found / length if length > 0 else None

    def _steady(self) -> NDArray[np.bool_]:
        """In which frames there is nothing but one level, far below the speech."""
        steady = np.zeros(len(self.frames), bool)
        if len(self.frames) < _STEADY_FRAMES:
            return steady
        windows = sliding_window_view(self.frames, _STEADY_FRAMES)
        highest = windows.max(axis=1)
        level = highest - windows.min(axis=1) <= _STEADY_RANGE
        for start in np.flatnonzero(level & (highest < self.speech - _STEADY_DEPTH)):
            steady[start : start + _STEADY_FRAMES] = True
        return steady


def runs(mask: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where stretches of True begin, and where they have ended."""
    edges = np.diff(mask.astype(np.int8), prepend=0, append=0)
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)


def decibels(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Powers in dB of full scale, never below that of the last of 16 bits."""
    return 10 * np.log10(np.maximum(10 ** (_LOWEST / 10), power))


def measure_levels(mono: NDArray[np.float32], rate: int) -> Levels:
    """The levels of samples `(N,)` that hold at least one sample."""
    frames = _frame_levels(mono, rate)
    loudest = np.sort(frames)[-_LOUDEST_FRAMES:].min()
    speech = _mean_level(frames[frames >= loudest - _SPEECH_RANGE])
    first = Levels(frames, speech, _noise(frames))
    # Long pauses may come from elsewhere, and are no proof that the speech has no noise.
    long = np.zeros(len(frames), bool)
    for start, end in zip(*runs(~first.speaks()), strict=True):
        long[start:end] = (end - start) * HOP_SECONDS > LONGEST_PAUSE
    return Levels(frames, speech, _noise(frames if long.all() else frames[~long]))


def hop_samples(rate: int) -> int:
    """Samples from one frame to the next: those of `HOP_SECONDS`, or a little less."""
    return max(1, int(HOP_SECONDS * rate))


def _frame_levels(mono: NDArray[np.float32], rate: int) -> NDArray[np.float64]:
    """Power of 20 ms around their own mean, so that no direct current counts, each 10 ms."""
    hop = hop_samples(rate)
    tens = np.pad(mono, (0, -len(mono) % hop)).reshape(-1, hop)
    squares = np.einsum("ts,ts->t", tens, tens, dtype=np.float64) / hop
    means = tens.mean(axis=1, dtype=np.float64)
    if len(tens) > 1:
        squares = (squares[:-1] + squares[1:]) / 2
        means = (means[:-1] + means[1:]) / 2
    return decibels(squares - means**2)


def _noise(frames: NDArray[np.float64]) -> float:
    room = np.sort(frames[frames > _DIGITAL_SILENCE])
    return _mean_level(room[: max(_QUIETEST_FRAMES, int(_QUIETEST_SHARE * len(room)))])


def _mean_level(levels: NDArray[np.float64]) -> float:
    """The level of the mean power of frames; that of nothing without any."""
    if not len(levels):
        return _LOWEST
    return float(decibels(np.asarray((10 ** (levels / 10)).mean())))


def level_findings(levels: Levels, seconds: float) -> Iterator[Finding]:
    """Too quiet or too loud speech, and noise, which cannot be measured in a word or two."""
    speech, ratio = levels.speech, levels.signal_to_noise
    figure = f"speech at {format_level(speech)} of full scale"
    if speech > _TOO_LOUD:
        yield finding("too-loud", figure, speech)
    elif speech < _NEARLY_SILENT:
        yield finding("nearly-silent", figure, speech)
    elif speech < _QUIET:
        yield finding("quiet", figure, speech)
    if seconds >= _MIN_NOISE_SECONDS and ratio < _NOISY:
        figure = f"speech only {ratio:.0f} dB above the noise"
        yield finding("noisy", figure, ratio, harmful=ratio < _DROWNED)


def format_level(level: float) -> str:
    """Write a level: `−23 dB`, with the minus sign that is as wide as a digit."""
    return f"{round(level)} dB".replace("-", "−")


def pause_findings(levels: Levels, cut_before: float, cut_after: float) -> Iterator[Finding]:
    """Pauses at the start, at the end and inside, with their place in seconds.

    `cut_before` and `cut_after` are the seconds that training trims: a pause that it cuts is
    only worth a note.
    """
    sounding = np.flatnonzero(levels.speaks())
    if not len(sounding):
        return
    before = float(sounding[0]) * HOP_SECONDS
    after = float(len(levels.frames) - 1 - sounding[-1]) * HOP_SECONDS
    yield from _outer_pause("leading-pause", before, cut_before, "before the first sound")
    yield from _outer_pause("trailing-pause", after, cut_after, "after the last sound")
    inner = [(start * HOP_SECONDS, (end - start) * HOP_SECONDS) for start, end in levels.pauses()]
    if inner:
        longest = max(seconds for _, seconds in inner)
        listed = [f"{seconds:.2f} s at {start:.2f} s" for start, seconds in inner]
        figure = ", ".join(listed[:_MAX_LISTED_PAUSES])
        if len(inner) > _MAX_LISTED_PAUSES:
            figure += f", and {len(inner) - _MAX_LISTED_PAUSES} more"
        yield finding("inner-pause", figure, longest, harmful=longest >= _HARMFUL_PAUSE)


def _outer_pause(kind: str, seconds: float, cut: float, place: str) -> Iterator[Finding]:
    figure = f"{seconds:.2f} s {place}"
    if seconds - cut > LONGEST_PAUSE:
        yield finding(kind, figure, seconds, harmful=seconds - cut >= _HARMFUL_PAUSE)
    elif seconds > LONGEST_PAUSE:
        advice = f"{NOTHING}: training trims it"
        yield finding(kind, figure, seconds, severity="note", advice=advice)
