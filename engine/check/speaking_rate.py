"""Clips that are spoken impossibly fast or slow: the classic sign of a wrong transcript."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

import numpy as np

from engine.check.report import Fault, Finding, Severity, Spread
from engine.data.clips import METADATA

SHIFTED = "shifted-texts"
"""Kind of a finding about as many clips as its value says, starting at its line."""

# Characters a second over a whole clip. Auctioneers reach about 30; 3 is dictation with a pause
# after every word.
_FASTEST = 35.0
_SLOWEST = 3.0
# The same for scripts whose characters are syllables or words.
_SLOWEST_SYLLABLES = 1.0
# Shorter clips are reported as too short: a click left of a recording has no speaking rate.
_MIN_SECONDS = 0.18
# With fewer clips it is not known what is usual in a corpus.
_MIN_CLIPS = 6
# Limits of the spread of the logarithm of the rate, as a standard deviation: a few similar clips
# prove no reader so steady, and a corpus full of wrong transcripts must not set its own norm.
_MIN_SPREAD = 0.09
_MAX_SPREAD = 0.25
# Seconds by which the ends of a clip vary, however short it is: breaths, tails, the trimming.
_ENDS_SECONDS = 0.2
# Characters by which spelling and speech differ, however short a text is.
_SPELLING = 3.0
# Standard deviations from the usual rate.
_DOUBTFUL = 3.5
_EXTREME = 5.0
# Within this many of the usual rate two exchanged texts fit each other's recording.
_FITTING = 1.5
# Scales the median absolute deviation to the standard deviation of a normal distribution.
_MAD_TO_SIGMA = 1.4826
# A run of texts that fit a neighbour's recording: its fewest clips, more for each doubling of the
# corpus, in which chance finds more; the mean deviations (capped, so that one clip cannot decide)
# from their own and from the neighbour's; and the spread of a usual reader, because that of a
# corpus that is half shifted means nothing.
_SHIFTED_CLIPS = 5
_SHIFTED_PER_DOUBLING = 1.4
_USUAL_SPREAD = 0.15
_SHIFTED_OWN = 1.4
_SHIFTED_OTHER = 0.9
_CAP = 5.0


@dataclass(frozen=True, slots=True)
class TimedText:
    """A transcript and how long it takes to say."""

    line: int
    """Line in `metadata.csv`, from 1."""
    clip_id: str
    file: str
    """The recording below the dataset: `wavs/alice-0003.wav`."""
    text: str
    """The transcript, cleaned."""
    seconds: float
    """Duration of the recording, trimmed."""

    @property
    def rate(self) -> float:
        """Characters a second."""
        return len(self.text) / self.seconds

    def saying(self, other: "TimedText") -> "TimedText":
        """This recording with another's transcript."""
        return replace(self, text=other.text)


def rate_findings(clips: Sequence[TimedText]) -> tuple[list[Finding], Spread | None]:
    """Find the clips whose text and duration do not fit, and how fast the corpus is spoken.

    A rate is compared with the median of the corpus, on a logarithmic scale and in units of
    the spread between clips (from the median absolute deviation, which wrong transcripts
    cannot pull along), widened for clips that are short. Runs of lines whose texts fit the
    recordings of their neighbours are reported as one more finding. Clips without text, or too
    short for a word, are ignored; the spread is None where none is left.
    """
    timed = [clip for clip in clips if clip.text and clip.seconds >= _MIN_SECONDS]
    if not timed:
        return [], None
    rates = np.percentile([clip.rate for clip in timed], (5, 50, 95))
    usual = _usual(timed)
    odd = [(clip, severity) for clip in timed if (severity := _severity(clip, usual))]
    findings = [_finding(clip, severity, usual, [c for c, _ in odd]) for clip, severity in odd]
    return findings + _shifts(timed, usual), Spread(*map(float, rates))


@dataclass(frozen=True, slots=True)
class _Usual:
    """How fast a corpus is spoken: centre and spread of the logarithm of the rate."""

    centre: float | None
    """None with too few clips to know."""
    spread: float

    def sigma(self, clip: TimedText) -> float:
        """The spread, widened for a short clip."""
        vagueness = math.hypot(_ENDS_SECONDS / clip.seconds, _SPELLING / len(clip.text))
        return math.hypot(self.spread, vagueness)

    def deviation(self, clip: TimedText) -> float:
        """Standard deviations by which a clip is faster (above 0) or slower than usual."""
        if self.centre is None:
            return 0.0
        return (math.log(clip.rate) - self.centre) / self.sigma(clip)

    def fits(self, recording: TimedText, text: TimedText) -> bool:
        """Whether a recording could contain another clip's text."""
        return abs(self.deviation(recording.saying(text))) <= _FITTING

    def span(self, clip: TimedText) -> str:
        """The rates that would not be reported for a clip of this length.

        Those at which anyone can speak, where the corpus alone would allow more.
        """
        slowest = _slowest(clip)
        speech = f"speech has {slowest:.0f}–{_FASTEST:.0f}"
        if self.centre is None:
            return speech
        reach = _DOUBTFUL * self.sigma(clip)
        slow, fast = math.exp(self.centre - reach), math.exp(self.centre + reach)
        if clip.rate < slowest > slow or clip.rate > _FASTEST < fast:
            return speech
        return f"the corpus has {slow:.0f}–{fast:.0f}"


def _usual(clips: Sequence[TimedText]) -> _Usual:
    if len(clips) < _MIN_CLIPS:
        return _Usual(None, _MAX_SPREAD)
    own = [math.log(clip.rate) for clip in clips]
    # Where every text is a line too high or too low, only the neighbours' texts show how steady
    # the reader is.
    before = [math.log(b.saying(a).rate) for a, b in pairwise(clips)]
    after = [math.log(a.saying(b).rate) for a, b in pairwise(clips)]
    spread = min(map(_sigma, (own, before, after)))
    return _Usual(median(own), min(_MAX_SPREAD, max(_MIN_SPREAD, spread)))


def _sigma(values: Sequence[float]) -> float:
    middle = median(values)
    return _MAD_TO_SIGMA * median(abs(value - middle) for value in values)


def _severity(clip: TimedText, usual: _Usual) -> Severity | None:
    deviation = abs(usual.deviation(clip))
    if deviation > _EXTREME or _impossible(clip):
        return "error"
    return "warning" if deviation > _DOUBTFUL else None


def _impossible(clip: TimedText) -> bool:
    """Whether nobody could have said the text in this time, whatever the corpus."""
    # The ends of a short clip may hide or add this much.
    longest = clip.seconds + _ENDS_SECONDS
    shortest = max(clip.seconds - _ENDS_SECONDS, _ENDS_SECONDS)
    letters = len(clip.text)
    too_fast = (letters - _SPELLING) / longest > _FASTEST
    return too_fast or (letters + _SPELLING) / shortest < _slowest(clip)


def _slowest(clip: TimedText) -> float:
    syllables = sum(ord(character) >= 0x1100 for character in clip.text) * 2 > len(clip.text)
    return _SLOWEST_SYLLABLES if syllables else _SLOWEST


def _finding(
    clip: TimedText, severity: Severity, usual: _Usual, odd: Sequence[TimedText]
) -> Finding:
    fast = clip.rate > (math.exp(usual.centre) if usual.centre is not None else _SLOWEST * 3)
    figure = f"{clip.rate:.1f} characters/s over {clip.seconds:.1f} s, where {usual.span(clip)}"
    partners = [
        other
        for other in odd
        if other is not clip and usual.fits(clip, other) and usual.fits(other, clip)
    ]
    # Among many odd clips a partner is chance.
    if usual.centre is not None and 0 < len(partners) <= 2:
        lines = " or ".join(str(other.line) for other in partners)
        advice = f"listen to it: its text may be swapped with that of line {lines}"
    elif fast:
        advice = "listen to it: the text is another clip's, or the recording was cut short"
    else:
        advice = "listen to it: the text is another clip's or lacks words, or there is a long pause"
    kind = "spoken-too-fast" if fast else "spoken-too-slowly"
    fault = Fault(kind, severity, figure, advice, round(clip.rate, 3))
    return fault.at(clip.file, clip.line, clip.clip_id)


def _shifts(clips: Sequence[TimedText], usual: _Usual) -> list[Finding]:
    """Runs of lines in which texts fit the recordings of their neighbours, one per direction."""
    if usual.centre is None:
        return []
    usual = _Usual(usual.centre, min(usual.spread, _USUAL_SPREAD))
    fewest = max(_SHIFTED_CLIPS, _SHIFTED_PER_DOUBLING * math.log2(len(clips)))
    findings = []
    for step, neighbour in ((1, "next"), (-1, "previous")):
        inner = range(max(0, -step), len(clips) - max(0, step))
        own = [min(_CAP, abs(usual.deviation(clips[i]))) for i in inner]
        other = [min(_CAP, abs(usual.deviation(clips[i + step].saying(clips[i])))) for i in inner]
        start, end = _best_run([a - b for a, b in zip(own, other, strict=True)])
        length = end - start
        if (
            length >= fewest
            and sum(own[start:end]) >= _SHIFTED_OWN * length
            and sum(other[start:end]) <= _SHIFTED_OTHER * length
        ):
            lines = [clips[i].line for i in inner[start:end]]
            findings.append(_shift(lines, neighbour))
    return findings


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


def _shift(lines: Sequence[int], neighbour: str) -> Finding:
    figure = (
        f"{len(lines)} texts from about line {lines[0]} to {lines[-1]} fit the {neighbour} clip's "
        f"recording"
    )
    advice = "check whether a line was lost or added there, so that texts moved against ids"
    return Fault(SHIFTED, "error", figure, advice, float(len(lines))).at(METADATA, lines[0])
