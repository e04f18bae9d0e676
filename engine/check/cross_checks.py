"""What recordings tell beside one another: the same sound twice, other rates, other levels."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.check.faults import Fault
from engine.check.loudness import level_in_words
from engine.check.outline import copies
from engine.check.recordings import Recording
from engine.check.report import Severity

# Recordings that make a level usual, and decibels by which another is unlike it, unless the
# corpus varies more by itself.
_FEWEST = 4
_UNLIKE = 6.0
_DEVIATIONS = 3.5
_MAD_TO_SIGMA = 1.4826
# Decibels from the 5th to the 95th percentile that a reader at one microphone stays within.
_USUAL_SPREAD = 10.0
# What so many recordings have, and this share of them, is told once of all.
_MANY, _ALMOST_ALL = 10, 0.9
_TOLD_ONCE = frozenset(
    (
        *("other-rate", "low-rate", "stereo", "many-channels", "dead-channel", "misnamed"),
        *("upsampled", "8-bit", "lossy-coding", "quiet", "noisy", "hum", "dc-offset"),
        *("leading-pause", "trailing-pause", "inner-pause", "cut-off"),
    )
)


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording and what is needed to name it."""

    line: int
    clip_id: str
    text: str
    """The transcript, cleaned."""
    recording: Recording


@dataclass(frozen=True, slots=True)
class Judged:
    """The faults of all recordings together."""

    single: tuple[tuple[Clip, Fault], ...]
    """Faults and the clips that have them, in the order of the clips."""
    common: tuple[Fault, ...]
    """Faults of the corpus as a whole."""


def judge_together(clips: Sequence[Clip], sample_rate: int) -> Judged:
    """Add what shows beside the others to each recording's own faults.

    A warning or note that nine in ten of at least ten recordings share is told once, of the
    whole. `sample_rate` is the voice's, which is preferred where rates are mixed evenly.
    """
    found = [
        *((clip, fault) for clip in clips for fault in clip.recording.faults),
        *_twice(clips),
        *_alike(clips),
        *_mixed_rates(clips, sample_rate),
        *_unlike_levels(clips),
    ]
    single, common = _gathered(found, len(clips))
    place = {id(clip): number for number, clip in enumerate(clips)}
    single.sort(key=lambda pair: place[id(pair[0])])
    return Judged(tuple(single), (*common, *_wide_levels(clips)))


def _twice(clips: Sequence[Clip]) -> list[tuple[Clip, Fault]]:
    first: dict[bytes, Clip] = {}
    found = []
    for clip in clips:
        digest = clip.recording.digest
        if not digest:
            continue
        before = first.setdefault(digest, clip)
        if before is clip:
            continue
        found.append((clip, _copy_of(before, clip, "holds the same samples as")))
    return found


def _alike(clips: Sequence[Clip]) -> list[tuple[Clip, Fault]]:
    """Copies of another level, rate or format."""
    groups = copies(
        [clip.recording.outline for clip in clips],
        [clip.recording.seconds or 0.0 for clip in clips],
    )
    found = []
    for first, *others in groups:
        before = clips[first]
        for clip in (clips[other] for other in others):
            # The very same samples are told already.
            if clip.recording.digest != before.recording.digest:
                found.append((clip, _copy_of(before, clip, "sounds the same as")))
    return found


def _copy_of(before: Clip, clip: Clip, how: str) -> Fault:
    figure = f"{how} {before.clip_id} in line {before.line}"
    # Of a line that could not be read nobody knows the text.
    if before.text == clip.text or not before.text or not clip.text:
        advice = "delete one of the two lines: the voice would hear it twice as often"
        return Fault("duplicate-recording", "warning", figure, advice)
    figure += ", but has another text"
    advice = "listen to it, and put the right recording in place of the other"
    return Fault("duplicate-recording", "error", figure, advice)


def _mixed_rates(clips: Sequence[Clip], sample_rate: int) -> list[tuple[Clip, Fault]]:
    counts = Counter(clip.recording.rate for clip in clips if clip.recording.rate)
    if len(counts) < 2:
        return []
    usual = max(counts, key=lambda rate: (counts[rate], rate == sample_rate, rate))
    return [
        (
            clip,
            Fault(
                "mixed-rates",
                "warning",
                f"{clip.recording.rate:,} Hz, while {counts[usual]:,} of "
                f"{counts.total():,} recordings have {usual:,} Hz",
                "look where it comes from: another microphone or program sounds different",
                float(clip.recording.rate),
            ),
        )
        for clip in clips
        if clip.recording.rate not in (0, usual)
    ]


def _unlike_levels(clips: Sequence[Clip]) -> list[tuple[Clip, Fault]]:
    levels = _levels(clips)
    if len(levels) < _FEWEST:
        return []
    usual = float(np.median(levels))
    deviation = _MAD_TO_SIGMA * float(np.median(np.abs(np.array(levels) - usual)))
    limit = max(_UNLIKE, _DEVIATIONS * deviation)
    found = []
    for clip in clips:
        level = clip.recording.loudness
        if level is None or abs(level - usual) <= limit:
            continue
        way = "louder" if level > usual else "quieter"
        figure = f"its speech is {abs(level - usual):.0f} dB {way} than usual here"
        figure += f" ({level_in_words(usual)})"
        advice = "level it to the others, as `voicecoach clean` does"
        found.append((clip, Fault("loudness-outlier", "warning", figure, advice, level - usual)))
    return found


def _wide_levels(clips: Sequence[Clip]) -> list[Fault]:
    levels = _levels(clips)
    if len(levels) < _MANY:
        return []
    low, high = (float(value) for value in np.percentile(levels, (5, 95)))
    if high - low <= _USUAL_SPREAD:
        return []
    figure = f"the speech of nine in ten recordings lies within {high - low:.0f} dB"
    advice = "level the recordings, as `voicecoach clean` does"
    return [Fault("loudness-spread", "warning", figure, advice, high - low)]


def _levels(clips: Sequence[Clip]) -> list[float]:
    return [clip.recording.loudness for clip in clips if clip.recording.loudness is not None]


def _gathered(
    found: Sequence[tuple[Clip, Fault]], total: int
) -> tuple[list[tuple[Clip, Fault]], list[Fault]]:
    """Split into what is told clip by clip, and what is told once of all."""
    sharers: dict[tuple[str, Severity], list[Fault]] = defaultdict(list)
    for _, fault in found:
        if fault.kind in _TOLD_ONCE and fault.severity != "error":
            sharers[fault.kind, fault.severity].append(fault)
    common = {
        key: faults
        for key, faults in sharers.items()
        if len(faults) >= max(_MANY, _ALMOST_ALL * total)
    }
    single = [pair for pair in found if (pair[1].kind, pair[1].severity) not in common]
    return single, [_of_all(faults, total) for faults in common.values()]


def _of_all(faults: Sequence[Fault], total: int) -> Fault:
    """One fault for many; its figure is the commonest, and of equals the first."""
    figure, _ = Counter(fault.figure for fault in faults).most_common(1)[0]
    one = next(fault for fault in faults if fault.figure == figure)
    share = f"all {total:,}" if len(faults) == total else f"{len(faults):,} of {total:,}"
    return Fault(one.kind, one.severity, f"{figure} ({share} recordings)", one.advice, one.value)
