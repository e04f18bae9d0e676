"""Recordings compared with each other: copies, mixed sample rates, different levels."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.check.fingerprint import find_copies
from engine.check.levels import format_level
from engine.check.recordings import Recording
from engine.check.report import Fault, Severity

# Recordings that make a level usual, and decibels from it that make an outlier, unless the corpus
# varies more by itself.
_MIN_LEVELS = 4
_MIN_DEVIATION = 6.0
_DEVIATIONS = 3.5
_MAD_TO_SIGMA = 1.4826
# Decibels from the 5th to the 95th percentile that a reader at one microphone stays within.
_USUAL_SPREAD = 10.0
# What this share of so many recordings have is reported once for all.
_MANY, _ALMOST_ALL = 10, 0.9
_REPORTED_ONCE = frozenset(
    (
        *("other-rate", "low-rate", "stereo", "many-channels", "dead-channel", "misnamed"),
        *("upsampled", "8-bit", "lossy-coding", "quiet", "noisy", "hum", "dc-offset"),
        *("leading-pause", "trailing-pause", "inner-pause", "cut-off"),
    )
)


@dataclass(frozen=True, slots=True)
class ExaminedClip:
    """A recording with its line, id and text."""

    line: int
    clip_id: str
    text: str
    """The transcript, cleaned."""
    recording: Recording


@dataclass(frozen=True, slots=True)
class Compared:
    """The faults of all recordings together."""

    single: tuple[tuple[ExaminedClip, Fault], ...]
    """Faults and the clips that have them, in the order of the clips."""
    common: tuple[Fault, ...]
    """Faults of the corpus as a whole."""


def compare_recordings(clips: Sequence[ExaminedClip], sample_rate: int) -> Compared:
    """Add what shows next to the others to each recording's own faults.

    A warning or note that nine in ten of at least ten recordings share is reported once, for the
    whole. `sample_rate` is the voice's, which is preferred where rates are mixed evenly.
    """
    found = [
        *((clip, fault) for clip in clips for fault in clip.recording.faults),
        *_same_samples(clips),
        *_same_sound(clips),
        *_mixed_rates(clips, sample_rate),
        *_outliers_in_level(clips),
    ]
    single, common = _separate(found, len(clips))
    place = {id(clip): number for number, clip in enumerate(clips)}
    single.sort(key=lambda pair: place[id(pair[0])])
    return Compared(tuple(single), (*common, *_spread_of_levels(clips)))


def _same_samples(clips: Sequence[ExaminedClip]) -> list[tuple[ExaminedClip, Fault]]:
    first: dict[bytes, ExaminedClip] = {}
    found = []
    for clip in clips:
        digest = clip.recording.digest
        if digest and (before := first.setdefault(digest, clip)) is not clip:
            found.append((clip, _copy_of(before, clip, "holds the same samples as")))
    return found


def _same_sound(clips: Sequence[ExaminedClip]) -> list[tuple[ExaminedClip, Fault]]:
    """Copies with another level, rate or format."""
    groups = find_copies(
        [clip.recording.fingerprint for clip in clips],
        [clip.recording.seconds or 0.0 for clip in clips],
    )
    return [
        (clips[other], _copy_of(clips[first], clips[other], "sounds the same as"))
        for first, *others in groups
        for other in others
        # The very same samples are reported already.
        if clips[other].recording.digest != clips[first].recording.digest
    ]


def _copy_of(before: ExaminedClip, clip: ExaminedClip, how: str) -> Fault:
    figure = f"{how} {before.clip_id} in line {before.line}"
    # The text of a line that could not be read is not known.
    if before.text == clip.text or not before.text or not clip.text:
        advice = "delete one of the two lines: the voice would hear it twice as often"
        return Fault("duplicate-recording", "warning", figure, advice)
    figure += ", but has another text"
    advice = "listen to it and replace the wrong one of the two recordings"
    return Fault("duplicate-recording", "error", figure, advice)


def _mixed_rates(
    clips: Sequence[ExaminedClip], sample_rate: int
) -> list[tuple[ExaminedClip, Fault]]:
    counts = Counter(clip.recording.rate for clip in clips if clip.recording.rate)
    if len(counts) < 2:
        return []
    usual = max(counts, key=lambda rate: (counts[rate], rate == sample_rate, rate))
    others = f"{counts[usual]:,} of {counts.total():,} recordings have {usual:,} Hz"
    advice = "find out where it comes from: another microphone or program sounds different"
    found = []
    for clip in clips:
        rate = clip.recording.rate
        if rate not in (0, usual):
            figure = f"{rate:,} Hz, while {others}"
            found.append((clip, Fault("mixed-rates", "warning", figure, advice, float(rate))))
    return found


def _outliers_in_level(clips: Sequence[ExaminedClip]) -> list[tuple[ExaminedClip, Fault]]:
    levels = _levels(clips)
    if len(levels) < _MIN_LEVELS:
        return []
    usual = float(np.median(levels))
    deviation = _MAD_TO_SIGMA * float(np.median(np.abs(np.array(levels) - usual)))
    limit = max(_MIN_DEVIATION, _DEVIATIONS * deviation)
    advice = "level it to the others, as `voicecoach clean` does"
    found = []
    for clip in clips:
        level = clip.recording.loudness
        if level is None or abs(level - usual) <= limit:
            continue
        way = "louder" if level > usual else "quieter"
        figure = f"{abs(level - usual):.0f} dB {way} than usual here ({format_level(usual)})"
        found.append((clip, Fault("loudness-outlier", "warning", figure, advice, level - usual)))
    return found


def _spread_of_levels(clips: Sequence[ExaminedClip]) -> list[Fault]:
    levels = _levels(clips)
    if len(levels) < _MANY:
        return []
    low, high = (float(value) for value in np.percentile(levels, (5, 95)))
    if high - low <= _USUAL_SPREAD:
        return []
    figure = f"the speech levels of 90 % of recordings span {high - low:.0f} dB"
    advice = "level the recordings, as `voicecoach clean` does"
    return [Fault("loudness-spread", "warning", figure, advice, high - low)]


def _levels(clips: Sequence[ExaminedClip]) -> list[float]:
    return [clip.recording.loudness for clip in clips if clip.recording.loudness is not None]


def _separate(
    found: Sequence[tuple[ExaminedClip, Fault]], total: int
) -> tuple[list[tuple[ExaminedClip, Fault]], list[Fault]]:
    """Split into what is reported clip by clip, and what is reported once for all."""
    sharers: dict[tuple[str, Severity], list[Fault]] = defaultdict(list)
    for _, fault in found:
        if fault.kind in _REPORTED_ONCE and fault.severity != "error":
            sharers[fault.kind, fault.severity].append(fault)
    needed = max(_MANY, _ALMOST_ALL * total)
    common = {key: faults for key, faults in sharers.items() if len(faults) >= needed}
    single = [pair for pair in found if (pair[1].kind, pair[1].severity) not in common]
    return single, [_for_all(faults, total) for faults in common.values()]


def _for_all(faults: Sequence[Fault], total: int) -> Fault:
    """One fault for many; its figure is the commonest, and of equals the first."""
    figure, _ = Counter(fault.figure for fault in faults).most_common(1)[0]
    one = next(fault for fault in faults if fault.figure == figure)
    share = f"all {total:,}" if len(faults) == total else f"{len(faults):,} of {total:,}"
    return Fault(one.kind, one.severity, f"{figure} ({share} recordings)", one.advice, one.value)
