"""Everything that can be known about a corpus from its files alone, in one report."""

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.check.coverage import coverage, coverage_findings
from engine.check.cross_checks import Clip, judge_together
from engine.check.faults import Fault
from engine.check.listing import read_listing, unknown_findings
from engine.check.recordings import examine
from engine.check.report import SEVERITIES, CheckReport, Finding, Histogram, Spread
from engine.check.speaking_rate import TimedText, rate_findings
from engine.data.audio import AudioSpec
from engine.data.clip_shape import ClipShape
from engine.data.clips import RECORDINGS, Limits
from engine.data.spectrograms import coarse_frames
from engine.data.workers import Workers
from engine.formatting import printable
from engine.text.unknown import unknown_characters
from engine.text.vocabulary import Vocabulary

# Each may hold a minute of sound in many channels some times over.
_MAX_THREADS = 16
# Clips that training needs: one to learn from and one to be judged by.
_FEWEST_CLIPS = 2
# Hours of speech with which the BBC's voices were made, at least, and with which nobody's can.
_LITTLE, _VERY_LITTLE = 1.0, 1 / 12


def check_corpus(
    dataset: Path,
    vocabulary: Vocabulary,
    limits: Limits,
    audio: AudioSpec,
    *,
    on_progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> CheckReport:
    """Check the list, the texts and the recordings of a corpus; see `survey`."""
    return survey(
        dataset, vocabulary, limits, audio, on_progress=on_progress, cancelled=cancelled
    ).report


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known about a corpus, and what an estimate of its training needs."""

    report: CheckReport
    shapes: tuple[ClipShape, ...]
    """Of the usable clips, in the order of their lines."""
    files: Mapping[int, str]
    """The recording of each line that has one, below the dataset and fit to be shown."""


def survey(
    dataset: Path,
    vocabulary: Vocabulary,
    limits: Limits,
    audio: AudioSpec,
    *,
    on_progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> Survey:
    """Check the list, the texts and the recordings of a corpus in LJ Speech layout.

    `on_progress(done, total)` counts recordings and ends at the total; it and `cancelled` are
    called from the calling thread. The same corpus gives the same report.

    Raises:
        InputError: there is no corpus in the folder at all.
        Cancelled: `cancelled()` became true.
    """
    listing = read_listing(dataset, vocabulary, limits)
    known = [
        (row.line, row.clip_id, vocabulary.clean(row.text), listing.recordings[row.clip_id])
        for row in listing.rows
        if row.clip_id in listing.recordings
    ]
    waiting = [(each.line, each.clip_id, "", each.path) for each in listing.waiting]
    examined = _examined([*known, *waiting], limits, audio, on_progress, cancelled)
    clips = examined[: len(known)]
    usable = [
        clip for clip in clips if clip.recording.usable and clip.clip_id not in listing.left_out
    ]
    seconds = [clip.recording.seconds for clip in usable if clip.recording.seconds is not None]
    hours = sum(seconds) / 3600
    timed = [_timed(clip, dataset) for clip in clips if clip.recording.seconds]
    rates, speaking_rate = rate_findings(timed)
    unknown = unknown_characters(listing.rows, vocabulary)
    covered = coverage([clip.text for clip in usable], vocabulary)
    findings = [
        *listing.findings,
        *_findings_of_sound(examined, dataset, audio),
        *map(_general, _amount(len(usable), hours)),
        *rates,
        *unknown_findings(unknown, vocabulary.cleaner),
        *coverage_findings(covered),
    ]
    report = CheckReport(
        dataset=str(dataset),
        rows=listing.total,
        usable=len(usable),
        hours=hours,
        findings=in_order(findings),
        lengths=_histogram(seconds, limits, audio),
        speaking_rate=speaking_rate,
        loudness=_spread(clip.recording.loudness for clip in usable),
        noise=_spread(clip.recording.signal_to_noise for clip in usable),
        unknown=unknown,
        coverage=covered,
    )
    files = {clip.line: _file(clip.recording.path, dataset) for clip in clips}
    return Survey(report, tuple(_shape(clip, audio) for clip in usable), files)


def _findings_of_sound(clips: Sequence[Clip], dataset: Path, audio: AudioSpec) -> list[Finding]:
    judged = judge_together(clips, audio.sample_rate)
    return [
        *(_finding(fault, clip, dataset) for clip, fault in judged.single),
        *map(_general, judged.common),
    ]


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings gravest first, then by line; those about no line come before the others."""
    return tuple(
        sorted(
            findings,
            key=lambda finding: (SEVERITIES.index(finding.severity), finding.line or 0),
        )
    )


def _shape(clip: Clip, audio: AudioSpec) -> ClipShape:
    samples = round((clip.recording.seconds or 0.0) * audio.sample_rate)
    return ClipShape(len(clip.text) + 1, coarse_frames(samples, audio))


def _examined(
    named: Sequence[tuple[int, str, str, Path]],
    limits: Limits,
    audio: AudioSpec,
    on_progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> list[Clip]:
    """Recordings, each with its line, id and cleaned text, with what was measured of them."""
    paths = [path for *_, path in named]
    clips = []
    on_progress(0, len(named))
    with ThreadPoolExecutor(min(_MAX_THREADS, os.cpu_count() or 1)) as pool:
        workers = Workers(pool, cancelled, "The corpus was not checked to its end.")
        measured = workers.map(lambda path: examine(path, audio, limits), paths)
        pairs = zip(named, measured, strict=True)
        for done, ((line, clip_id, text, _), recording) in enumerate(pairs, start=1):
            clips.append(Clip(line, clip_id, text, recording))
            on_progress(done, len(named))
    return clips


def _timed(clip: Clip, dataset: Path) -> TimedText:
    seconds = clip.recording.seconds or 0.0
    file = _file(clip.recording.path, dataset)
    return TimedText(clip.line, clip.clip_id, file, clip.text, seconds)


def _finding(fault: Fault, clip: Clip, dataset: Path) -> Finding:
    return Finding(
        fault.kind,
        fault.severity,
        clip.line,
        clip.clip_id,
        _file(clip.recording.path, dataset),
        fault.figure,
        fault.advice,
        fault.value,
    )


def _general(fault: Fault) -> Finding:
    return Finding(
        fault.kind, fault.severity, None, "", RECORDINGS, fault.figure, fault.advice, fault.value
    )


def _file(path: Path, dataset: Path) -> str:
    """A file below the dataset, fit to be shown."""
    name = path.relative_to(dataset).as_posix()
    return printable(name)


def _amount(usable: int, hours: float) -> list[Fault]:
    """Whether there is enough to learn from."""
    if usable < _FEWEST_CLIPS:
        figure = f"{usable} usable clip{'s' * (usable != 1)}"
        advice = "mend the errors or record more: training needs one to learn from and one to test"
        return [Fault("too-few-clips", "error", figure, advice, float(usable))]
    if hours >= _LITTLE:
        return []
    minutes = 60 * hours
    length = f"{60 * minutes:.0f} seconds" if minutes < 1 else f"{minutes:.1f} minutes"
    figure = f"{length} of usable speech"
    advice = "record more: the BBC's voices were made from one to three hours"
    return [
        Fault("little-speech", "warning" if hours < _VERY_LITTLE else "note", figure, advice, hours)
    ]


def _histogram(seconds: Sequence[float], limits: Limits, audio: AudioSpec) -> Histogram:
    """Durations second by second up to the longest that is allowed."""
    longest = math.ceil(limits.max_coarse_frames * audio.coarse_frame_seconds)
    counts, edges = np.histogram(seconds, bins=max(1, longest), range=(0, max(1, longest)))
    return Histogram(tuple(map(float, edges)), tuple(map(int, counts)))


def _spread(values: Iterable[float | None]) -> Spread | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    return Spread(*(float(value) for value in np.percentile(known, (5, 50, 95))))
