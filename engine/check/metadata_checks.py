"""`metadata.csv` line by line, and the recordings that its lines name."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.check.encoding import (
    byte_order_mark_fault,
    damage_fault,
    is_whole,
    line_end_fault,
    wide_codec,
    wide_fault,
)
from engine.check.recording_files import UnlistedRecording, match_recordings
from engine.check.report import Fault, Finding, Severity, UnknownCharacter
from engine.check.transcripts import is_left_out, text_faults
from engine.choices import CleanerName
from engine.data.clips import METADATA, CorpusScan, Limits, recording_key
from engine.data.metadata import Line, Rejected, Row, shown
from engine.text.unknown import sentence_about
from engine.text.vocabulary import Vocabulary

# Letters of a text that several clips may well share: yes, thank you.
_COMMON_LETTERS = 12
_HEADER_ID = re.compile(
    r"(?:clip|file|audio|wav|utterance|utt|recording|sample)?[ _-]*(?:id|file|name|path|clip|wav|"
    r"filename|filepath|audio|utterance|recording)",
    re.IGNORECASE,
)
_HEADER_TEXT = re.compile(
    r"(?:raw|normali[sz]ed|clean|spoken)?[ _-]*(?:text|transcript|transcription|sentence|"
    r"transcripts|words|caption)",
    re.IGNORECASE,
)
_ENDED = re.compile(r"[.?!…,;:–—।。？！、，-][\"'”’»)\]\s]*$")
_SEPARATORS = {"\t": "tabs", ";": "semicolons", ",": "commas", "¦": "¦", "｜": "｜", "│": "│"}
_ADVICE = {
    "field-count": "keep | out of the text: id|text or id|text|normalised text",
    "no-id": "write the name of its recording before the |",
    "unprintable-id": "delete the invisible characters in the id, or type the id again",
    "outside-wavs": "write the path below wavs/",
    "no-text": "write what is spoken after the |, or delete the line",
    "duplicate-id": "keep the line with the right text and delete the other",
}


@dataclass(frozen=True)
class Metadata:
    """The rows of `metadata.csv`, their recordings, and what is wrong with them."""

    rows: tuple[Row, ...]
    """Rows that could be read, in the order of their lines."""
    total: int
    """Lines that are not blank."""
    findings: tuple[Finding, ...]
    """Those about the whole file first, then in the order of the lines, then about recordings."""
    recordings: Mapping[str, Path]
    """The recording of each row that has one, by the row's id."""
    left_out: frozenset[str]
    """Ids of the rows that training leaves out because of their text."""
    unlisted: tuple[UnlistedRecording, ...]
    """The recordings of lines that cannot be read, or that name them wrongly."""


def check_metadata(scan: CorpusScan, vocabulary: Vocabulary, limits: Limits) -> Metadata:
    """Find what is wrong with `metadata.csv` line by line.

    Whatever the file holds becomes findings; recordings are only looked up, not opened.
    """
    codec = wide_codec(scan.content)
    if codec is None:
        return _check(scan, vocabulary, limits)
    # Training cannot read any row of it; everything else that is wrong is found all the same.
    text = scan.content.decode(codec, "replace")
    whole = wide_fault(codec).at(METADATA)
    if not is_whole(scan.content, codec):
        total = sum(bool(line.strip()) for line in text.splitlines())
        return Metadata((), total, (whole,), {}, frozenset(), ())
    return _without_rows(_check(scan.with_content(text.encode()), vocabulary, limits), whole)


def _check(scan: CorpusScan, vocabulary: Vocabulary, limits: Limits) -> Metadata:
    lines = [line for line in scan.lines if line.content.strip() or line.damage]
    entries, findings = _parse(scan, lines)
    text_findings, unusable = _check_texts(entries, vocabulary, limits)
    read = {line.number for _, line in entries}
    claimed = {line.number: _claimed_id(line) for line in lines if line.number not in read}
    matched = match_recordings(scan, entries, claimed)
    findings += (
        _file_findings(scan.content, lines) + _compare_rows(entries) + _no_end(entries, vocabulary)
    )
    findings += text_findings + matched.findings
    return Metadata(
        rows=tuple(row for row, _ in entries),
        total=len(lines),
        findings=tuple(sorted(findings, key=_place)),
        recordings=matched.recordings,
        left_out=unusable,
        unlisted=matched.unlisted,
    )


def _without_rows(metadata: Metadata, finding: Finding) -> Metadata:
    """The same where the whole file cannot be read in training, for the reason given."""
    unlisted = [
        UnlistedRecording(row.line, shown(row.clip_id), metadata.recordings[row.clip_id])
        for row in metadata.rows
        if row.clip_id in metadata.recordings
    ]
    return replace(
        metadata,
        rows=(),
        findings=(finding, *metadata.findings),
        recordings={},
        unlisted=tuple(sorted([*metadata.unlisted, *unlisted], key=lambda each: each.line)),
    )


def unknown_findings(unknown: Iterable[UnknownCharacter], cleaner: CleanerName) -> list[Finding]:
    """Report characters that the voice cannot read: a warning where letters or digits are lost."""
    advice = "write the texts without it, or use a vocabulary that has it"
    findings = []
    for lost in unknown:
        # English borrows its accents; another language's letters are its own, and one that is
        # read as its neighbour teaches the wrong sound. Lost punctuation is seldom heard.
        lost_letter = cleaner == "plain" or not lost.becomes.strip()
        letter = lost_letter and any(map(str.isalnum, lost.character))
        severity: Severity = "warning" if letter else "note"
        figure, count = sentence_about(lost), float(lost.count)
        fault = Fault("unknown-character", severity, figure, advice, count)
        findings.append(fault.at(METADATA, lost.line))
    return findings


def _place(finding: Finding) -> tuple[int, int]:
    """Orders findings: about the whole file, about its lines, about recordings."""
    if finding.line is not None:
        return 1, finding.line
    return (0 if finding.file == METADATA else 2), 0


def _file_findings(data: bytes, lines: Sequence[Line]) -> list[Finding]:
    findings = []
    if mark := byte_order_mark_fault(data):
        findings.append(mark.at(METADATA))
    if ends := line_end_fault(data):
        fault, line = ends
        findings.append(fault.at(METADATA, line))
    if not lines:
        advice = "write one line id|text per recording"
        findings.append(Fault("empty-list", "error", "it has no lines", advice).at(METADATA))
    return findings


def _parse(scan: CorpusScan, lines: Sequence[Line]) -> tuple[list[tuple[Row, Line]], list[Finding]]:
    """The rows with their lines, and what is wrong with lines that are no rows."""
    entries: list[tuple[Row, Line]] = []
    findings: list[Finding] = []
    parsed: dict[int, Row | Rejected] = {row.line: row for row in scan.rows}
    parsed |= {one.line: one for one in scan.malformed}
    first_lines = {recording_key(row.clip_id): row.line for row in scan.rows}
    by_number = {line.number: line for line in lines}
    for line in lines:
        faults = [damage_fault(line)]
        if not line.damage:
            odd = _header(line, first=line is lines[0]) or _quoted_id(line)
            row = None if odd else parsed[line.number]
            if isinstance(row, Row):
                entries.append((row, line))
            elif row and not faults[0]:
                first = by_number.get(first_lines.get(recording_key(line.clip_id), 0))
                odd = _malformed(line, row, first)
            faults.append(odd)
        clip_id = shown(_claimed_id(line))
        findings += [fault.at(METADATA, line.number, clip_id) for fault in faults if fault]
    return entries, findings


def _claimed_id(line: Line) -> str:
    start = line.content
    for separator in ("|", *_SEPARATORS):
        start = start.split(separator, 1)[0]
    name = start.strip().strip('"\ufeff').strip()
    return name[:-4] if name.lower().endswith(".wav") else name.removesuffix(".flac")


def _header(line: Line, *, first: bool) -> Fault | None:
    fields = line.fields
    if not (first and len(fields) in (2, 3) and _HEADER_ID.fullmatch(fields[0].strip('"'))):
        return None
    if not all(_HEADER_TEXT.fullmatch(field.strip('"')) for field in fields[1:] if field):
        return None
    figure = f"“{shown(line.content)}” is a header, not a clip"
    return Fault("header", "warning", figure, "delete the line: metadata.csv has no header")


def _quoted_id(line: Line) -> Fault | None:
    fields = line.fields
    if len(fields) < 2 or not (len(fields[0]) > 1 and fields[0][0] == fields[0][-1] == '"'):
        return None
    advice = "write the file without quoting: quotes are text here"
    return Fault("csv-quotes", "error", "the id is in CSV quotes", advice)


def _malformed(line: Line, rejected: Rejected, first: Line | None) -> Fault:
    """What to do about a line that is no row; `first` is the line with the same id."""
    kind, advice = rejected.kind, _ADVICE[rejected.kind]
    figure = rejected.reason.removeprefix("has ")
    if kind == "field-count" and len(line.fields) == 1:
        name = _separator(line.content)
        if name:
            figure = f"fields are separated by {name}, not by |"
            return Fault("wrong-separator", "error", figure, "put | between the id and the text")
        advice = "write id|text in one line; a text cannot continue on the next line"
    elif kind == "unprintable-id" and line.content.lstrip().startswith("\ufeff"):
        kind, figure = "byte-order-mark", "there is a byte order mark (U+FEFF) before the id"
    elif kind == "duplicate-id" and first:
        same = _letters(first.fields[-1]) == _letters(line.fields[-1])
        figure += ", with the same text" if same else ", with another text"
    return Fault(kind, "error", figure, advice)


def _separator(content: str) -> str | None:
    """Name what separates an id from a text in place of a bar; None for mere prose."""
    start = content.lstrip()
    for separator, name in _SEPARATORS.items():
        first, found, rest = start.partition(separator)
        if not found or not first:
            continue
        # In prose a comma has a space behind it, and a first word without digits before it.
        prose = separator in ",;" and rest[:1].isspace() and not re.search(r"\d", first)
        one = (first[0] == first[-1] == '"') or " " not in first.strip()
        if one and not prose:
            return name
    return None


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _check_texts(
    entries: Sequence[tuple[Row, Line]], vocabulary: Vocabulary, limits: Limits
) -> tuple[list[Finding], frozenset[str]]:
    """What is wrong with each text, and the ids of clips that are left out because of theirs."""
    lines_of = {_letters(line.fields[1]): line.number for _, line in reversed(entries)}
    findings: list[Finding] = []
    unusable: set[str] = set()
    for row, line in entries:
        for fault in text_faults(row.clip_id, line.fields[1], row.text, vocabulary, limits):
            other = lines_of.get(_letters(row.text))
            if fault.kind == "columns-differ" and other not in (None, row.line):
                fault = replace(fault, figure=f"the last field is the text of line {other}")
            findings.append(fault.at(METADATA, row.line, shown(row.clip_id)))
            if is_left_out(fault):
                unusable.add(row.clip_id)
    return findings, frozenset(unusable)


def _compare_rows(entries: Sequence[tuple[Row, Line]]) -> list[Finding]:
    """What only shows between rows: ids and texts that are too similar."""
    findings = []
    ids: dict[str, Row] = {}
    texts: dict[str, Row] = {}
    for row, _ in entries:
        faults = []
        similar = ids.setdefault(recording_key(row.clip_id).casefold(), row)
        if similar is not row:
            figure = f"differs from {shown(similar.clip_id)} in line {similar.line} only by case"
            advice = "rename one: on many computers both are the same file"
            faults.append(Fault("ids-alike", "warning", figure, advice))
        letters = _letters(row.text)
        first = texts.setdefault(letters, row)
        if letters and first is not row:
            severity: Severity = "warning" if len(letters) > _COMMON_LETTERS else "note"
            figure = f"the same text as {shown(first.clip_id)} in line {first.line}"
            advice = "listen to both: one may have the other's text, or be a second take of it"
            faults.append(Fault("same-text", severity, figure, advice))
        findings += [fault.at(METADATA, row.line, shown(row.clip_id)) for fault in faults]
    return findings


def _no_end(entries: Sequence[tuple[Row, Line]], vocabulary: Vocabulary) -> list[Finding]:
    count = sum(_ENDED.search(row.text) is None for row, _ in entries)
    if not count or "." not in vocabulary.symbols:
        return []
    figure = f"{count:,} of {len(entries):,} texts end without punctuation"
    advice = "end a text with a full stop where the voice falls, so that it learns to do so"
    return [Fault("no-end", "note", figure, advice, float(count)).at(METADATA)]
