"""Everything that the files of a corpus show, in one report."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.check.coverage import coverage_findings, measure_coverage
from engine.check.cross_checks import compare_recordings
from engine.check.kinds import finding
from engine.check.metadata_checks import check_metadata, unknown_findings
from engine.check.recordings import Recording, examine
from engine.check.report import CheckReport, Finding, Histogram, Severity, Spread, in_order
from engine.check.speaking_rate import rate_findings
from engine.data.audio import AudioSpec
from engine.data.clips import (
    METADATA,
    RECORDINGS,
    Clip,
    ClipShape,
    CorpusScan,
    Limits,
    map_in_order,
    max_seconds,
)
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
    cancelled: Callable[[], bool] = lambda: False,
) -> Survey:
    """Check the list, the texts and the recordings of a corpus in LJ Speech layout.

    `on_progress(done, total)` counts recordings and ends at the total; it and `cancelled` are
    called from the calling thread. The same corpus gives the same report.

    Raises:
        Cancelled: `cancelled()` became true.
    """
    metadata = check_metadata(scan, vocabulary, limits)
    named = [*metadata.clips, *metadata.unlisted]
    examined: list[Recording] = []
    on_progress(0, len(named))
    for recording in map_in_order(
        lambda clip: examine(clip, audio, limits),
        named,
        cancelled=cancelled,
        if_cancelled="The check of the corpus was cancelled.",
        max_threads=_MAX_THREADS,
    ):
        examined.append(recording)
        on_progress(len(examined), len(named))
    recordings = examined[: len(metadata.clips)]
    left_out = metadata.left_out
    usable = [each for each in recordings if each.usable and each.clip.line not in left_out]
    seconds = [each.seconds for each in usable if each.seconds]
    rates, speaking_rate = rate_findings(recordings)
    unknown = unknown_characters({row.line: row.text for row in metadata.rows}, vocabulary)
    coverage = measure_coverage([each.clip.text for each in usable], vocabulary)
    single, common = compare_recordings(examined, audio.sample_rate)
    findings = [
        *metadata.findings,
        *(_located([each], found, scan.dataset) for each, found in single),
        *(found.at(RECORDINGS) for found in (*common, *_amount(len(usable), sum(seconds) / 3600))),
        *(_located(each, found, scan.dataset) for each, found in rates),
        *unknown_findings(unknown, vocabulary.cleaner),
        *(found.at(METADATA) for found in coverage_findings(coverage)),
    ]
    report = CheckReport(
        dataset=str(scan.dataset),
        rows=metadata.total,
        usable=len(usable),
        hours=sum(seconds) / 3600,
        findings=in_order(findings),
        lengths=_histogram(seconds, limits, audio),
        speaking_rate=speaking_rate,
        loudness=_spread(each.loudness for each in usable),
        noise=_spread(each.signal_to_noise for each in usable),
        unknown=unknown,
        coverage=coverage,
    )
    shapes = tuple(_shape(each, audio) for each in usable)
    return Survey(report, shapes, {clip.line: _file(clip, scan.dataset) for clip in metadata.clips})


def _located(recordings: Sequence[Recording], found: Finding, dataset: Path) -> Finding:
    """A finding about one recording, or about the lines of several."""
    first = recordings[0].clip
    if len(recordings) > 1:
        return found.at(METADATA, first.line)
    return found.at(_file(first, dataset), first.line, first.clip_id)


def _file(clip: Clip, dataset: Path) -> str:
    return printable(clip.path.relative_to(dataset).as_posix())


def _shape(recording: Recording, audio: AudioSpec) -> ClipShape:
    samples = round((recording.seconds or 0.0) * audio.sample_rate)
    return ClipShape(len(recording.clip.text) + 1, coarse_frames(samples, audio))


def _amount(usable: int, hours: float) -> Iterator[Finding]:
    if usable < _MIN_CLIPS:
        yield finding("too-few-clips", plural(usable, "usable clip"), float(usable))
    elif hours < _LITTLE:
        minutes = 60 * hours
        length = f"{60 * minutes:.0f} seconds" if minutes < 1 else f"{minutes:.1f} minutes"
        severity: Severity = "warning" if hours < _VERY_LITTLE else "note"
        yield finding("little-speech", f"{length} of usable speech", hours, severity)


def _histogram(seconds: Sequence[float], limits: Limits, audio: AudioSpec) -> Histogram:
    longest = max(1, math.ceil(max_seconds(limits, audio)))
    counts, edges = np.histogram(seconds, bins=longest, range=(0, longest))
    return Histogram(tuple(map(float, edges)), tuple(map(int, counts)))


def _spread(values: Iterable[float | None]) -> Spread | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    return Spread(*(float(value) for value in np.percentile(known, (5, 50, 95))))
