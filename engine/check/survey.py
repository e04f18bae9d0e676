"""Everything that the files of a corpus show, in one report."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.check.coverage import coverage_findings, measure_coverage
from engine.check.cross_checks import ExaminedClip, compare_recordings
from engine.check.metadata_checks import Metadata, check_metadata, unknown_findings
from engine.check.recordings import examine
from engine.check.report import CheckReport, Fault, Finding, Histogram, Severity, Spread, in_order
from engine.check.speaking_rate import TimedText, rate_findings
from engine.data.audio import AudioSpec
from engine.data.clips import RECORDINGS, ClipShape, CorpusScan, Limits, map_in_order
from engine.data.spectrograms import coarse_frames
from engine.formatting import plural, printable
from engine.text.unknown import unknown_characters
from engine.text.vocabulary import Vocabulary

# Each may hold a minute of sound in many channels several times.
_MAX_THREADS = 16
# One clip to learn from and one to evaluate on.
_MIN_CLIPS = 2
# Hours of speech that the BBC's voices were made of, at least, and that are never enough.
_LITTLE, _VERY_LITTLE = 1.0, 1 / 12


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known about a corpus, and what an estimate of its training needs."""

    report: CheckReport
    shapes: tuple[ClipShape, ...]
    """Of the usable clips, in the order of their lines."""
    files: Mapping[int, str]
    """The recording of each line that has one, below the dataset and fit to be shown."""


def survey(
    scan: CorpusScan,
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
        Cancelled: `cancelled()` became true.
    """
    metadata = check_metadata(scan, vocabulary, limits)
    examined = _examine(metadata, vocabulary, limits, audio, on_progress, cancelled)
    clips = examined[: len(metadata.recordings)]
    usable = [c for c in clips if c.recording.usable and c.clip_id not in metadata.left_out]
    seconds = [clip.recording.seconds for clip in usable if clip.recording.seconds]
    rates, speaking_rate = rate_findings(_timed_texts(clips, scan.dataset))
    unknown = unknown_characters({row.line: row.text for row in metadata.rows}, vocabulary)
    coverage = measure_coverage([clip.text for clip in usable], vocabulary)
    compared = compare_recordings(examined, audio.sample_rate)
    findings = [
        *metadata.findings,
        *(fault.at(_file(c, scan.dataset), c.line, c.clip_id) for c, fault in compared.single),
        *(fault.at(RECORDINGS) for fault in compared.common),
        *_amount(len(usable), sum(seconds) / 3600),
        *rates,
        *unknown_findings(unknown, vocabulary.cleaner),
        *coverage_findings(coverage),
    ]
    report = CheckReport(
        dataset=str(scan.dataset),
        rows=metadata.total,
        usable=len(usable),
        hours=sum(seconds) / 3600,
        findings=in_order(findings),
        lengths=_histogram(seconds, limits, audio),
        speaking_rate=speaking_rate,
        loudness=_spread(clip.recording.loudness for clip in usable),
        noise=_spread(clip.recording.signal_to_noise for clip in usable),
        unknown=unknown,
        coverage=coverage,
    )
    shapes = tuple(_shape(clip, audio) for clip in usable)
    return Survey(report, shapes, {clip.line: _file(clip, scan.dataset) for clip in clips})


def _timed_texts(clips: list[ExaminedClip], dataset: Path) -> list[TimedText]:
    return [
        TimedText(clip.line, clip.clip_id, _file(clip, dataset), clip.text, clip.recording.seconds)
        for clip in clips
        if clip.recording.seconds
    ]


def _examine(
    metadata: Metadata,
    vocabulary: Vocabulary,
    limits: Limits,
    audio: AudioSpec,
    on_progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> list[ExaminedClip]:
    """Measure the recordings of all rows, then those of other lines."""
    named = [
        (row.line, row.clip_id, vocabulary.clean(row.text), metadata.recordings[row.clip_id])
        for row in metadata.rows
        if row.clip_id in metadata.recordings
    ]
    named += [(each.line, each.clip_id, "", each.path) for each in metadata.unlisted]
    clips = []
    on_progress(0, len(named))
    measured = map_in_order(
        lambda each: examine(each[3], audio, limits),
        named,
        cancelled=cancelled,
        if_cancelled="The check of the corpus was cancelled.",
        max_threads=_MAX_THREADS,
    )
    for (line, clip_id, text, _), recording in zip(named, measured, strict=True):
        clips.append(ExaminedClip(line, clip_id, text, recording))
        on_progress(len(clips), len(named))
    return clips


def _shape(clip: ExaminedClip, audio: AudioSpec) -> ClipShape:
    samples = round((clip.recording.seconds or 0.0) * audio.sample_rate)
    return ClipShape(len(clip.text) + 1, coarse_frames(samples, audio))


def _file(clip: ExaminedClip, dataset: Path) -> str:
    return printable(clip.recording.path.relative_to(dataset).as_posix())


def _amount(usable: int, hours: float) -> list[Finding]:
    if usable < _MIN_CLIPS:
        figure = plural(usable, "usable clip")
        advice = "fix the errors or record more: training needs one clip to learn from, one to test"
        return [Fault("too-few-clips", "error", figure, advice, float(usable)).at(RECORDINGS)]
    if hours >= _LITTLE:
        return []
    minutes = 60 * hours
    length = f"{60 * minutes:.0f} seconds" if minutes < 1 else f"{minutes:.1f} minutes"
    advice = "record more: the BBC's voices were made from one to three hours"
    severity: Severity = "warning" if hours < _VERY_LITTLE else "note"
    figure = f"{length} of usable speech"
    return [Fault("little-speech", severity, figure, advice, hours).at(RECORDINGS)]


def _histogram(seconds: Sequence[float], limits: Limits, audio: AudioSpec) -> Histogram:
    longest = max(1, math.ceil(limits.max_coarse_frames * audio.coarse_frame_seconds))
    counts, edges = np.histogram(seconds, bins=longest, range=(0, longest))
    return Histogram(tuple(map(float, edges)), tuple(map(int, counts)))


def _spread(values: Iterable[float | None]) -> Spread | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    return Spread(*(float(value) for value in np.percentile(known, (5, 50, 95))))
