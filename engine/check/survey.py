"""Everything that the files of a corpus show, in one report."""

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from engine.check.coverage import coverage_findings, language_findings, measure_coverage
from engine.check.cross_checks import compare_recordings
from engine.check.kinds import finding, left_out_by_hand, reason
from engine.check.metadata_checks import Metadata, check_metadata, unknown_findings
from engine.check.recordings import Recording, examine
from engine.check.report import (
    CheckReport,
    Coverage,
    Finding,
    Histogram,
    Severity,
    Spread,
    in_order,
)
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
from engine.data.metadata import Rejected, recording_key, shown
from engine.data.spectrograms import coarse_frames
from engine.formatting import plural, printable
from engine.text.unknown import UnknownCharacter, unknown_characters
from engine.text.vocabulary import Vocabulary

# Part of every key: raise it when the checks find something else in the same corpus.
_FORMAT = 2
# Each may hold a minute of sound in many channels several times.
_MAX_THREADS = 16
# One clip to learn from and one to evaluate on.
_MIN_CLIPS = 2
# Hours of speech that the BBC's voices were made of, at least, and that are never enough.
_LITTLE, _VERY_LITTLE = 1.0, 1 / 12

_Located = tuple[Sequence[Recording], Finding]
"""A finding about one recording, or about the lines of several."""
_Errors = dict[int, list[Finding]]


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known about a corpus, and what an estimate of its training needs."""

    report: CheckReport
    shapes: tuple[ClipShape, ...]
    """Of the clips that training uses, in the order of their lines."""
    clips: tuple[Clip, ...]
    """The lines that have a text and a recording, whether they are used or not."""
    files: Mapping[int, str]
    """The recording of each line that has one, below the dataset and fit to be shown."""
    errors: Mapping[int, Sequence[Finding]]
    """What leaves a clip out, by its line."""


def corpus_key(scan: CorpusScan, vocabulary: Vocabulary, limits: Limits, audio: AudioSpec) -> str:
    """Return a hash of all that a survey depends on.

    These are the bytes of the list; names, sizes and times of the recordings, as reading them all
    takes minutes where they are many; and what the corpus is checked for. Raises `OSError` where a
    recording has gone meanwhile.
    """
    folder = scan.dataset / RECORDINGS
    stats = ((str(path.relative_to(folder)), path.lstat()) for path in scan.files)
    files = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
    described = {
        "format": _FORMAT,
        "symbols": vocabulary.symbols,
        "cleaner": vocabulary.cleaner,
        "limits": asdict(limits),
        "audio": asdict(audio),
        "recordings": sorted(files),
    }
    return hashlib.sha256(scan.content + json.dumps(described).encode()).hexdigest()


def measure_corpus(
    scan: CorpusScan,
    vocabulary: Vocabulary,
    limits: Limits,
    audio: AudioSpec,
    *,
    on_progress: Callable[[int, int], None],
    cancelled: Callable[[], bool] = lambda: False,
) -> "Measured":
    """Check the list, the texts and the recordings of a corpus in LJ Speech layout.

    `on_progress(done, total)` counts recordings and ends at the total; it and `cancelled` are
    called from the calling thread.

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
    return Measured(scan.dataset, metadata, examined, vocabulary, limits, audio)


@dataclass(frozen=True)
class Measured:
    """A corpus, parsed, with its recordings measured one by one."""

    dataset: Path
    metadata: Metadata
    examined: Sequence[Recording]
    """Of `metadata.clips`, then of `metadata.unlisted`."""
    vocabulary: Vocabulary
    limits: Limits
    audio: AudioSpec

    @property
    def recordings(self) -> Sequence[Recording]:
        """Those of `metadata.clips`."""
        return self.examined[: len(self.metadata.clips)]

    def without(self, lines: Collection[int]) -> "Measured":
        """The corpus as if some lines had never been in it."""
        metadata = replace(
            self.metadata,
            rows=tuple(row for row in self.metadata.rows if row.line not in lines),
            clips=tuple(clip for clip in self.metadata.clips if clip.line not in lines),
            findings=tuple(one for one in self.metadata.findings if one.line not in lines),
        )
        examined = [each for each in self.examined if each.clip.line not in lines]
        return replace(self, metadata=metadata, examined=examined)


def judge(
    measured: Measured, *, keep_errors: bool = False, left_out: Collection[str] = ()
) -> Survey:
    """Compare the clips with each other, and decide which of them training uses.

    A clip is used if it can be read, has no error of its own (`keep_errors` allows it) and is not
    in `left_out`, the ids of clips that the person does not want; with those no clip is compared.
    `check`, `clean` and `train` use this one list. The same corpus gives the same report.
    """
    by_hand = _left_out(measured, left_out)
    measured = measured.without(by_hand)
    vocabulary, limits, audio = measured.vocabulary, measured.limits, measured.audio
    metadata, dataset = measured.metadata, measured.dataset
    single, common = compare_recordings(measured.examined, audio.sample_rate)
    located: list[_Located] = [([each], found) for each, found in single]
    errors = _errors(metadata.findings, located)
    rates, speaking_rate = _rates(measured.recordings, errors)
    usable, rejected = _chosen(measured, errors, by_hand, keep_errors=keep_errors)
    seconds = [each.seconds for each in usable if each.seconds]
    unknown = unknown_characters({row.line: row.text for row in metadata.rows}, vocabulary)
    coverage = measure_coverage([each.clip.text for each in usable], vocabulary)
    findings = [
        *metadata.findings,
        *(_at_place(each, found, dataset) for each, found in (*located, *rates)),
        *(found.at(RECORDINGS) for found in (*common, *_amount(len(usable), sum(seconds) / 3600))),
        *_of_texts(metadata, unknown, coverage, vocabulary),
        *by_hand.values(),
    ]
    report = CheckReport(
        dataset=str(dataset),
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
        left_out=rejected,
        with_errors=len(errors),
    )
    shapes, clips = tuple(_shape(each, audio) for each in usable), metadata.clips
    files = {clip.line: _file(clip, dataset) for clip in clips}
    return Survey(report, shapes, clips, files, errors)


def _left_out(measured: Measured, ids: Collection[str]) -> dict[int, Finding]:
    """What is said of the clips that the person left out, by their lines."""
    keys = set(map(recording_key, ids))
    return {
        clip.line: left_out_by_hand().at(_file(clip, measured.dataset), clip.line, clip.clip_id)
        for clip in measured.metadata.clips
        if recording_key(clip.clip_id) in keys
    }


def _of_texts(
    metadata: Metadata,
    unknown: Sequence[UnknownCharacter],
    coverage: Coverage,
    vocabulary: Vocabulary,
) -> Iterator[Finding]:
    yield from unknown_findings(unknown, vocabulary.cleaner)
    texts = [row.text for row in metadata.rows]
    of_all = (*language_findings(texts, unknown, vocabulary), *coverage_findings(coverage))
    yield from (found.at(METADATA) for found in of_all)


def _errors(of_list: Sequence[Finding], of_recordings: Sequence[_Located]) -> _Errors:
    """Errors by the line of the clip that each is about; those about no clip are not among them."""
    errors: _Errors = defaultdict(list)
    for found in of_list:
        if found.severity == "error" and found.line is not None:
            errors[found.line].append(found)
    _add(errors, of_recordings)
    return errors


def _add(errors: _Errors, findings: Iterable[_Located]) -> None:
    for recordings, found in findings:
        for each in recordings if found.severity == "error" else ():
            clip = each.clip
            errors[clip.line].append(found.at("", clip.line, shown(clip.clip_id)))


def _rates(
    recordings: Sequence[Recording], errors: _Errors
) -> tuple[list[_Located], Spread | None]:
    """Findings about the speaking rate, and that of the clips without errors.

    Errors are added to `errors`. The rest are looked at again: without the worst, others stand
    out, and what is used must be without error when it is checked alone.
    """
    found: list[_Located] = list(rate_findings(recordings)[0])
    _add(errors, found)
    while True:
        rest = [each for each in recordings if each.usable and each.clip.line not in errors]
        more, spread = rate_findings(rest)
        wrong: list[_Located] = [pair for pair in more if pair[1].severity == "error"]
        if not wrong:
            return found, spread
        _add(errors, wrong)
        found += wrong


def _chosen(
    measured: Measured, errors: _Errors, by_hand: Mapping[int, Finding], *, keep_errors: bool
) -> tuple[list[Recording], tuple[Rejected, ...]]:
    """The recordings that training uses, and the clips that it does not."""
    unread = measured.metadata.left_out
    readable = [
        each for each in measured.recordings if each.usable and each.clip.line not in unread
    ]
    usable = [each for each in readable if keep_errors or each.clip.line not in errors]
    used = {each.clip.line for each in usable}
    why = {line: [found] for line, found in by_hand.items()} | errors
    rejected = [_rejected(line, found) for line, found in why.items() if line not in used]
    return usable, tuple(sorted(rejected, key=lambda row: row.line))


def _rejected(line: int, found: Sequence[Finding]) -> Rejected:
    return Rejected(line, found[-1].clip_id or found[0].clip_id, reason(found[0]), found[0].kind)


def _at_place(recordings: Sequence[Recording], found: Finding, dataset: Path) -> Finding:
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
