"""Clips that are spoken impossibly fast or slow: the classic sign of a wrong transcript."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np

from engine.check.kinds import finding
from engine.check.recordings import Recording
from engine.check.report import Finding, Severity, Spread

# Characters a second over a whole clip. Auctioneers reach about 30; 3 is dictation with a pause
# after every word.
_FASTEST, _SLOWEST = 35.0, 3.0
# The same for scripts whose characters are syllables or words.
_SLOWEST_SYLLABLES = 1.0
# Shorter clips are reported as too short: a click left of a recording has no speaking rate.
_MIN_SECONDS = 0.18
# With fewer clips it is not known what is usual in a corpus.
_MIN_CLIPS = 6
# Limits of the spread of the logarithm of the rate, as a standard deviation: a few similar clips
# prove no reader so steady, and a corpus full of wrong transcripts must not set its own norm.
_MIN_SPREAD, _MAX_SPREAD = 0.09, 0.25
# Seconds by which the ends of a clip vary, however short it is: breaths, tails, the trimming.
_ENDS_SECONDS = 0.2
# Characters by which spelling and speech differ, however short a text is.
_SPELLING = 3.0
# Standard deviations from the usual rate.
_DOUBTFUL, _EXTREME = 3.5, 5.0
# Within this many of the usual rate two exchanged texts fit each other's recording.
_FITTING = 1.5
# Scales the median absolute deviation to the standard deviation of a normal distribution.
_MAD_TO_SIGMA = 1.4826
# A run of texts that fit a neighbour's recording: its fewest clips, more for each doubling of the
# corpus, in which chance finds more; the mean deviations (capped, so that one clip cannot decide)
# from their own, its median too, and from the neighbour's; and the spread of a usual reader,
# because that of a corpus that is half shifted means nothing.
_SHIFTED_CLIPS, _SHIFTED_PER_DOUBLING = 5, 1.4
_CAP, _SHIFTED_OWN, _SHIFTED_MIDDLE, _SHIFTED_OTHER = 5.0, 1.4, 1.0, 0.9
_USUAL_SPREAD = 0.15


def rate_findings(
    recordings: Sequence[Recording],
) -> tuple[list[tuple[list[Recording], Finding]], Spread | None]:
    """Find the clips whose text and duration do not fit, and how fast the corpus is spoken.

    A rate is compared with the median of the corpus, on a logarithmic scale and in units of
    the spread between clips (from the median absolute deviation, which wrong transcripts
    cannot pull along), widened for clips that are short. Clips without text, or too short for a
    word, are ignored.

    Returns:
        Each finding with its clip, or with all clips of a run of lines whose texts fit the
        recordings of their neighbours; and the spread, None where no clip is left.
    """
    timed = [
        _Timed(each, each.clip.text, each.seconds)
        for each in recordings
        if each.clip.text and each.seconds and each.seconds >= _MIN_SECONDS
    ]
    if not timed:
        return [], None
    usual = _usual(timed)
    odd = [(clip, severity) for clip in timed if (severity := usual.severity(clip))]
    suspects = [clip for clip, _ in odd]
    findings = [([c.recording], _finding(c, severity, usual, suspects)) for c, severity in odd]
    rates = np.percentile([clip.rate for clip in timed], (5, 50, 95))
    return findings + list(_shifts(timed, usual)), Spread(*map(float, rates))


@dataclass(frozen=True, slots=True)
class _Timed:
    """A recording with its own or another clip's text."""

    recording: Recording
    text: str
    seconds: float

    @property
    def rate(self) -> float:
        """Characters a second."""
        return len(self.text) / self.seconds

    @property
    def slowest(self) -> float:
        """The rate below which nobody speaks."""
        syllables = sum(ord(character) >= 0x1100 for character in self.text)
        return _SLOWEST_SYLLABLES if syllables * 2 > len(self.text) else _SLOWEST

    @property
    def impossible(self) -> bool:
        """Whether nobody could have said the text in this time, whatever the corpus."""
        # The ends of a short clip may hide or add this much.
        longest = self.seconds + _ENDS_SECONDS
        shortest = max(self.seconds - _ENDS_SECONDS, _ENDS_SECONDS)
        too_fast = (len(self.text) - _SPELLING) / longest > _FASTEST
        return too_fast or (len(self.text) + _SPELLING) / shortest < self.slowest

    def saying(self, other: "_Timed") -> "_Timed":
        """This recording with another's text."""
        return _Timed(self.recording, other.text, self.seconds)


@dataclass(frozen=True, slots=True)
class _Usual:
    """How fast a corpus is spoken: centre and spread of the logarithm of the rate."""

    centre: float | None
    """None with too few clips to know."""
    spread: float

    def sigma(self, clip: _Timed) -> float:
        """The spread, widened for a short clip."""
        vagueness = math.hypot(_ENDS_SECONDS / clip.seconds, _SPELLING / len(clip.text))
        return math.hypot(self.spread, vagueness)

    def deviation(self, clip: _Timed) -> float:
        """Standard deviations by which a clip is faster (above 0) or slower than usual."""
        if self.centre is None:
            return 0.0
        return (math.log(clip.rate) - self.centre) / self.sigma(clip)

    def severity(self, clip: _Timed) -> Severity | None:
        deviation = abs(self.deviation(clip))
        if deviation > _EXTREME or clip.impossible:
            return "error"
        return "warning" if deviation > _DOUBTFUL else None

    def fit_each_other(self, clip: _Timed, other: _Timed) -> bool:
        """Whether each of two recordings could contain the other's text."""
        crossed = clip.saying(other), other.saying(clip)
        return all(abs(self.deviation(one)) <= _FITTING for one in crossed)

    def span(self, clip: _Timed) -> str:
        """The rates that would not be reported for a clip of this length.

        Those at which anyone can speak, where the corpus alone would allow more.
        """
        speech = f"speech has {clip.slowest:.0f}–{_FASTEST:.0f}"
        if self.centre is None:
            return speech
        reach = _DOUBTFUL * self.sigma(clip)
        slow, fast = math.exp(self.centre - reach), math.exp(self.centre + reach)
        if clip.rate < clip.slowest > slow or clip.rate > _FASTEST < fast:
            return speech
        return f"the corpus has {slow:.0f}–{fast:.0f}"


def _usual(clips: Sequence[_Timed]) -> _Usual:
    if len(clips) < _MIN_CLIPS:
        return _Usual(None, _MAX_SPREAD)
    own = [math.log(clip.rate) for clip in clips]
    # Where every text is a line too high or too low, only the neighbours' texts show how steady
    # the reader is.
    before = [math.log(b.saying(a).rate) for a, b in pairwise(clips)]
    after = [math.log(a.saying(b).rate) for a, b in pairwise(clips)]
    spread = min(map(robust_deviation, (own, before, after)))
    return _Usual(median(own), min(_MAX_SPREAD, max(_MIN_SPREAD, spread)))


def robust_deviation(values: Sequence[float]) -> float:
    """Standard deviation by the median absolute deviation, which outliers do not move."""
    middle = median(values)
    return _MAD_TO_SIGMA * median(abs(value - middle) for value in values)


def _finding(
    clip: _Timed, severity: Severity, usual: _Usual, suspects: Sequence[_Timed]
) -> Finding:
    fast = clip.rate > (math.exp(usual.centre) if usual.centre is not None else _SLOWEST * 3)
    figure = f"{clip.rate:.1f} characters/s over {clip.seconds:.1f} s, where {usual.span(clip)}"
    partners = [
        str(other.recording.clip.line)
        for other in suspects
        if other is not clip and usual.fit_each_other(clip, other)
    ]
    advice = ""
    # Among many suspects a partner is chance.
    if usual.centre is not None and 0 < len(partners) <= 2:
        lines = " or ".join(partners)
        advice = f"listen to it: its text may be swapped with that of line {lines}"
    kind = "spoken-too-fast" if fast else "spoken-too-slowly"
    return finding(kind, figure, round(clip.rate, 3), severity=severity, advice=advice)


def _shifts(clips: Sequence[_Timed], usual: _Usual) -> Iterator[tuple[list[Recording], Finding]]:
    """Runs of lines in which texts fit the recordings of their neighbours, one per direction."""
    if usual.centre is None:
        return
    usual = _Usual(usual.centre, min(usual.spread, _USUAL_SPREAD))
    fewest = max(_SHIFTED_CLIPS, _SHIFTED_PER_DOUBLING * math.log2(len(clips)))
    for neighbour, texts, sounds in (("next", clips, clips[1:]), ("previous", clips[1:], clips)):
        pairs = list(zip(texts, sounds, strict=False))
        own = [min(_CAP, abs(usual.deviation(text))) for text, _ in pairs]
        other = [min(_CAP, abs(usual.deviation(sound.saying(text)))) for text, sound in pairs]
        start, end = _best_run([a - b for a, b in zip(own, other, strict=True)])
        length = end - start
        if (
            length >= fewest
            and sum(own[start:end]) >= _SHIFTED_OWN * length
            and median(own[start:end]) >= _SHIFTED_MIDDLE
            and sum(other[start:end]) <= _SHIFTED_OTHER * length
        ):
            run = [clip.recording for clip in texts[start:end]]
            figure = (
                f"{length} texts from about line {run[0].clip.line} to {run[-1].clip.line} fit the "
                f"{neighbour} clip's recording"
            )
            yield run, finding("shifted-texts", figure, float(length))


def _best_run(gains: Sequence[float]) -> tuple[int, int]:
    """Start and end of the run with the largest sum (Kadane's algorithm)."""
    best, best_run, total, start = 0.0, (0, 0), 0.0, 0
    for place, gain in enumerate(gains):
        if total <= 0:
            total, start = 0.0, place
        total += gain
        if total > best:
            best, best_run = total, (start, place + 1)
    return best_run
