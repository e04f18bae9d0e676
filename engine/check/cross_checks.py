"""Recordings compared with each other: copies, mixed sample rates, different levels."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from engine.check.kinds import finding
from engine.check.levels import format_level
from engine.check.recordings import Recording
from engine.check.report import Finding, Severity
from engine.check.speaking_rate import robust_deviation

# Recordings that make a level usual, and decibels from it that make an outlier, unless the corpus
# varies more by itself.
_MIN_LEVELS, _MIN_DEVIATION, _DEVIATIONS = 4, 6.0, 3.5
# Decibels from the 5th to the 95th percentile that a reader at one microphone stays within.
_USUAL_SPREAD = 10.0
# What this share of so many recordings have is reported once for all.
_MANY, _ALMOST_ALL = 10, 0.9
_REPORTED_ONCE = frozenset(
    (
        *("other-rate", "low-rate", "stereo", "many-channels", "dead-channel", "misnamed"),
        *("upsampled", "8-bit", "lossy-coding", "quiet", "noisy", "clipped", "hum", "dc-offset"),
        *("leading-pause", "trailing-pause", "inner-pause", "cut-off"),
    )
)
# Kinds that are no fault of a clip where at least so many, and half of all recordings, have them.
_OF_ITS_SOUND, _FEW, _MOSTLY = ("clipped", "noisy", "dc-offset"), 4, 0.5
# Seconds by which copies may differ in length, and the correlation of their fingerprints: that of
# other clips of LJ Speech is 0.7 at most, of copies in other formats 0.98 and more.
_SAME_LENGTH, _SAME = 0.03, 0.96

Found = tuple[Recording, Finding]
"""A finding and the recording that it is about."""


def compare_recordings(
    recordings: Sequence[Recording], sample_rate: int
) -> tuple[list[Found], list[Finding]]:
    """Add what shows next to the others to each recording's own findings.

    A warning or note that nine in ten of at least ten recordings share is reported once, for the
    whole. `sample_rate` is the voice's, which is preferred where rates are mixed evenly.

    Returns:
        Findings about single recordings, in their order, and those about all together.
    """
    levels = [each.loudness for each in recordings if each.loudness is not None]
    found = [
        *((each, own) for each in recordings for own in each.findings),
        *_copies(recordings),
        *_mixed_rates(recordings, sample_rate),
        *_outliers_in_level(recordings, levels),
    ]
    single, common = _separate(_of_the_corpus(found, len(recordings)), len(recordings))
    place = {id(each): number for number, each in enumerate(recordings)}
    single.sort(key=lambda pair: place[id(pair[0])])
    return single, [*common, *_spread_of_levels(levels)]


def _copies(recordings: Sequence[Recording]) -> Iterator[Found]:
    found: dict[int, Found] = {}
    # Those of the same samples come first; that they sound the same, too, is not reported again.
    for places in find_copies(recordings):
        group = [recordings[place] for place in places]
        # The text of a line that could not be read is not known.
        differ = len({words for one in group if (words := _words(one))}) > 1
        for place, one in list(zip(places, group, strict=True))[0 if differ else 1 :]:
            other = group[1] if one is group[0] else group[0]
            found.setdefault(place, (one, _copy_finding(one, other, differ=differ)))
    yield from found.values()


def _words(recording: Recording) -> str:
    """What a text says as it is read, whatever its punctuation."""
    return "".join(filter(str.isalnum, recording.clip.text.casefold()))


def _copy_finding(copy: Recording, other: Recording, *, differ: bool) -> Finding:
    how = "holds the same samples" if copy.digest == other.digest else "sounds the same"
    figure = f"{how} as {other.clip.clip_id} in line {other.clip.line}"
    if not differ:
        return finding("duplicate-recording", figure)
    advice = "listen to it, and keep the line with the text that is spoken"
    return finding("duplicate-recording", f"{figure}, but has another text", advice=advice)


def _mixed_rates(recordings: Sequence[Recording], sample_rate: int) -> Iterator[Found]:
    counts = Counter(each.rate for each in recordings if each.rate)
    usual = max(counts, key=lambda rate: (counts[rate], rate == sample_rate, rate), default=0)
    others = f"{counts[usual]:,} of {counts.total():,} recordings have {usual:,} Hz"
    for each in recordings:
        if each.rate not in (0, usual):
            figure = f"{each.rate:,} Hz, while {others}"
            yield each, finding("mixed-rates", figure, float(each.rate))


def _outliers_in_level(recordings: Sequence[Recording], levels: Sequence[float]) -> Iterator[Found]:
    if len(levels) < _MIN_LEVELS:
        return
    usual = float(np.median(levels))
    limit = max(_MIN_DEVIATION, _DEVIATIONS * robust_deviation(levels))
    for each in recordings:
        if each.loudness is not None and abs(each.loudness - usual) > limit:
            away = each.loudness - usual
            way = "louder" if away > 0 else "quieter"
            figure = f"{abs(away):.0f} dB {way} than usual here ({format_level(usual)})"
            yield each, finding("loudness-outlier", figure, away)


def _spread_of_levels(levels: Sequence[float]) -> Iterator[Finding]:
    if len(levels) < _MANY:
        return
    low, high = (float(value) for value in np.percentile(levels, (5, 95)))
    if high - low > _USUAL_SPREAD:
        figure = f"the speech levels of 90 % of recordings span {high - low:.0f} dB"
        yield finding("loudness-spread", figure, high - low)


def _of_the_corpus(found: Sequence[Found], total: int) -> list[Found]:
    """Faults of sound that most recordings have are the corpus's: they leave no clip out."""
    errors = Counter(one.kind for _, one in found if one.severity == "error")
    usual = {kind for kind in _OF_ITS_SOUND if errors[kind] >= max(_FEW, _MOSTLY * total)}
    milder = [replace(one, severity="warning") if one.kind in usual else one for _, one in found]
    return list(zip((each for each, _ in found), milder, strict=True))


def _separate(found: Sequence[Found], total: int) -> tuple[list[Found], list[Finding]]:
    """Split into what is reported clip by clip, and what is reported once for all."""
    sharers: dict[tuple[str, Severity], list[Finding]] = defaultdict(list)
    for _, one in found:
        if one.kind in _REPORTED_ONCE and one.severity != "error":
            sharers[one.kind, one.severity].append(one)
    needed = max(_MANY, _ALMOST_ALL * total)
    common = {key: findings for key, findings in sharers.items() if len(findings) >= needed}
    single = [pair for pair in found if (pair[1].kind, pair[1].severity) not in common]
    return single, [_for_all(findings, total) for findings in common.values()]


def _for_all(findings: Sequence[Finding], total: int) -> Finding:
    """One finding for many; its figure is the commonest, and of equals the first."""
    figure, _ = Counter(one.figure for one in findings).most_common(1)[0]
    one = next(one for one in findings if one.figure == figure)
    share = f"all {total:,}" if len(findings) == total else f"{len(findings):,} of {total:,}"
    return replace(one, figure=f"{figure} ({share} recordings)")


def find_copies(recordings: Sequence[Recording]) -> list[list[int]]:
    """Places of the recordings that have the same samples, then of those that sound the same.

    In groups of two and more; recordings of the same samples may be in two of them.
    """
    by_digest: dict[bytes, list[int]] = {}
    for place, recording in enumerate(recordings):
        if recording.digest:
            by_digest.setdefault(recording.digest, []).append(place)
    return [group for group in by_digest.values() if len(group) > 1] + _find_alike(recordings)


def _find_alike(recordings: Sequence[Recording]) -> list[list[int]]:
    """Only those of one length are compared: the time hardly grows with the corpus squared."""
    known = sorted(
        (recording.seconds or 0.0, place)
        for place, recording in enumerate(recordings)
        if recording.fingerprint is not None
    )
    lengths = np.array([seconds for seconds, _ in known])
    rows = np.array([recordings[place].fingerprint for _, place in known])
    grouped = np.zeros(len(known), bool)
    groups = []
    for row, end in enumerate(np.searchsorted(lengths, lengths + _SAME_LENGTH, "right")):
        if grouped[row]:
            continue
        alike = np.flatnonzero(rows[row:end] @ rows[row] > _SAME) + row
        if len(alike) > 1:
            grouped[alike] = True
            groups.append(sorted(known[place][1] for place in alike))
    return groups
