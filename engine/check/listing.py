"""The list of a corpus, line by line, against the recordings that lie beside it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.check.encoding import (
    damage_fault,
    decode_wide,
    head_fault,
    is_whole,
    line_end_fault,
    wide_encoding,
    wide_fault,
)
from engine.check.faults import Fault
from engine.check.named_recordings import Waiting, match_recordings
from engine.check.report import Finding, UnknownCharacter
from engine.check.transcripts import left_out, text_faults
from engine.choices import CleanerName
from engine.data.clips import METADATA, CorpusScan, Limits, recording_key
from engine.data.metadata import (
    Line,
    Rejected,
    Row,
    parse_lines,
    shown,
    split_lines,
)
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


@dataclass(frozen=True)
class Listing:
    """What the list of a corpus says, and what is wrong with it."""

    rows: tuple[Row, ...]
    """Rows that could be read, in the order of their lines."""
    total: int
    """Lines that are not blank."""
    findings: tuple[Finding, ...]
    """Those about the whole first, then in the order of the lines, then those about files."""
    recordings: Mapping[str, Path]
    """The recording of each row that has one, by the row's id."""
    left_out: frozenset[str]
    """Ids of the rows that training leaves out for their text."""
    waiting: tuple[Waiting, ...]
    """The recordings of lines that are no rows, or that name them wrongly."""


def read_listing(scan: CorpusScan, vocabulary: Vocabulary, limits: Limits) -> Listing:
    """Find what is wrong with `metadata.csv` line by line.

    Whatever the file holds becomes findings; the recordings are only looked for, not opened.
    """
    data, lines = scan.content, list(scan.lines)
    rows, malformed = list(scan.rows), list(scan.malformed)
    wide = wide_encoding(data)
    if wide:
        # Training reads no row of it; all else that is wrong with it is found all the same.
        text = decode_wide(data, wide)
        if not is_whole(data, wide):
            total = sum(bool(line.strip()) for line in text.splitlines())
            return Listing((), total, (_placed(wide_fault(wide)),), {}, frozenset(), ())
        data = text.encode()
        lines = split_lines(data)
        rows, malformed = parse_lines(lines)
    lines = [line for line in lines if line.content.strip() or line.damage]
    entries, findings = _parse(lines, rows, malformed)
    text_findings, unusable = _check_texts(entries, vocabulary, limits)
    read = {line.number for _, line in entries}
    claimed = {line.number: _claimed(line) for line in lines if line.number not in read}
    matched = match_recordings(scan, entries, claimed)
    findings += _about_file(data, lines) + _compare(entries, vocabulary)
    findings += text_findings + matched.findings
    listing = Listing(
        rows=tuple(row for row, _ in entries),
        total=len(lines),
        findings=tuple(sorted(findings, key=_place)),
        recordings=matched.recordings,
        left_out=unusable,
        waiting=matched.waiting,
    )
    return _unread(listing, wide) if wide else listing


def _unread(listing: Listing, encoding: str) -> Listing:
    """The same where the whole file is in an encoding that is not read."""
    waiting = [
        Waiting(row.line, shown(row.clip_id), listing.recordings[row.clip_id])
        for row in listing.rows
        if row.clip_id in listing.recordings
    ]
    return replace(
        listing,
        rows=(),
        findings=(_placed(wide_fault(encoding)), *listing.findings),
        recordings={},
        waiting=tuple(sorted([*listing.waiting, *waiting], key=lambda each: each.line)),
    )


def unknown_findings(unknown: Iterable[UnknownCharacter], cleaner: CleanerName) -> list[Finding]:
    """Tell which characters the voice cannot read: a warning where letters or digits are lost."""
    findings = []
    for lost in unknown:
        # English borrows its accents; another language's letters are its own, and one that is
        # read as its neighbour teaches the wrong sound. Lost punctuation is seldom heard.
        lost_letter = cleaner == "plain" or not lost.becomes.strip()
        letter = lost_letter and any(map(str.isalnum, lost.character))
        findings.append(
            Finding(
                kind="unknown-character",
                severity="warning" if letter else "note",
                line=lost.line,
                clip_id="",
                file=METADATA,
                figure=sentence_about(lost),
                advice="write the texts without it, or give the voice a vocabulary that has it",
                value=float(lost.count),
            )
        )
    return findings


def _placed(fault: Fault, line: int | None = None, clip_id: str = "") -> Finding:
    """A finding about the list."""
    return Finding(
        fault.kind,
        fault.severity,
        line,
        shown(clip_id),
        METADATA,
        fault.figure,
        fault.advice,
        fault.value,
    )


def _place(finding: Finding) -> tuple[int, int]:
    """Orders findings: about the whole list, about its lines, about files."""
    if finding.line is not None:
        return 1, finding.line
    return (0 if finding.file == METADATA else 2), 0


def _about_file(data: bytes, lines: Sequence[Line]) -> list[Finding]:
    findings = []
    if mark := head_fault(data):
        findings.append(_placed(mark))
    if ends := line_end_fault(data):
        fault, line = ends
        findings.append(_placed(fault, line))
    if not lines:
        advice = "write a line id|text for each recording"
        findings.append(_placed(Fault("empty-list", "error", "there is no line", advice)))
    return findings


def _parse(
    lines: Sequence[Line], rows: Iterable[Row], malformed: Iterable[Rejected]
) -> tuple[list[tuple[Row, Line]], list[Finding]]:
    """The rows with their lines, and what is wrong with lines that are none."""
    entries: list[tuple[Row, Line]] = []
    findings: list[Finding] = []
    parsed_lines: dict[int, Row | Rejected] = {row.line: row for row in rows}
    parsed_lines |= {one.line: one for one in malformed}
    first_lines = {recording_key(row.clip_id): row.line for row in rows}
    by_number = {line.number: line for line in lines}
    for line in lines:
        damage = damage_fault(line)
        if damage:
            findings.append(_placed(damage, line.number, _claimed(line)))
        if line.damage:
            continue
        oddity = _header(line, first=line is lines[0]) or _quoted_id(line)
        if oddity:
            findings.append(_placed(oddity, line.number, _claimed(line)))
            continue
        parsed = parsed_lines[line.number]
        if isinstance(parsed, Row):
            entries.append((parsed, line))
        elif not damage:
            fault = _malformed(
                line, parsed, by_number.get(first_lines.get(recording_key(line.clip_id), 0))
            )
            findings.append(_placed(fault, line.number, _claimed(line)))
    return entries, findings


def _claimed(line: Line) -> str:
    """The id that a line means, whatever separates its fields."""
    start = line.content
    for separator in ("|", *_SEPARATORS):
        start = start.split(separator, 1)[0]
    name = start.strip().strip('"\ufeff').strip()
    return name[:-4] if name.lower().endswith(".wav") else name.removesuffix(".flac")


def _header(line: Line, *, first: bool) -> Fault | None:
    """Whether the first line names its columns."""
    fields = line.fields
    if not (first and len(fields) in (2, 3) and _HEADER_ID.fullmatch(fields[0].strip('"'))):
        return None
    if not all(_HEADER_TEXT.fullmatch(field.strip('"')) for field in fields[1:] if field):
        return None
    figure = f"“{shown(line.content)}” names columns and no clip"
    return Fault("header", "warning", figure, "delete the line: the list has no header")


def _quoted_id(line: Line) -> Fault | None:
    fields = line.fields
    if len(fields) < 2 or not (len(fields[0]) > 1 and fields[0][0] == fields[0][-1] == '"'):
        return None
    return Fault(
        "csv-quotes",
        "error",
        "the id is in the quotes that a CSV writer puts",
        "write the list without quoting: quotes are text here",
    )


def _malformed(line: Line, rejected: Rejected, first: Line | None) -> Fault:
    """What to do about a line that is no row; `first` has the same id where the id is why."""
    figure, advice = _plain(rejected), _ADVICE[rejected.kind]
    kind = rejected.kind
    if kind == "field-count" and len(line.fields) == 1:
        name = _separated_by(line.content)
        if name:
            figure = f"fields are separated by {name}, not by |"
            return Fault("wrong-separator", "error", figure, "put | between the id and the text")
        advice = "write id|text in one line; a text goes on in no other line"
    elif kind == "unprintable-id" and line.content.lstrip().startswith("\ufeff"):
        kind, figure = "byte-order-mark", "a byte order mark (U+FEFF) stands before the id"
    elif kind == "duplicate-id" and first:
        same = _letters(first.fields[-1]) == _letters(line.fields[-1])
        figure += ", with the same text" if same else ", with another text"
    return Fault(kind, "error", figure, advice)


def _separated_by(content: str) -> str | None:
    """Name what stands between an id and a text in place of a bar; None for mere prose."""
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


_ADVICE = {
    "field-count": "keep | out of the text: id|text or id|text|normalised text",
    "no-id": "write the name of its recording before the |",
    "unprintable-id": "delete what is not seen in the id, or write the id again",
    "outside-wavs": "write the path below wavs/",
    "no-text": "write what is spoken after the |, or delete the line",
    "duplicate-id": "keep the line that says what is spoken, and delete the other",
}


def _plain(rejected: Rejected) -> str:
    """The reason as a figure: without the verb that follows a clip's name."""
    return rejected.reason.removeprefix("has ")


def _letters(text: str) -> str:
    """A text by what is heard of it."""
    return "".join(filter(str.isalnum, text.casefold()))


def _check_texts(
    entries: Sequence[tuple[Row, Line]], vocabulary: Vocabulary, limits: Limits
) -> tuple[list[Finding], frozenset[str]]:
    """What is wrong with each text, and the ids of clips that are left out for theirs."""
    lines_of = {_letters(line.fields[1]): line.number for _, line in reversed(entries)}
    findings: list[Finding] = []
    unusable: set[str] = set()
    for row, line in entries:
        for fault in text_faults(row.clip_id, line.fields[1], row.text, vocabulary, limits):
            other = lines_of.get(_letters(row.text))
            if fault.kind == "columns-differ" and other not in (None, row.line):
                fault = replace(fault, figure=f"the last field is the text of line {other}")
            findings.append(_placed(fault, row.line, row.clip_id))
            if left_out(fault):
                unusable.add(row.clip_id)
    return findings, frozenset(unusable)


def _compare(entries: Sequence[tuple[Row, Line]], vocabulary: Vocabulary) -> list[Finding]:
    """What only shows between rows: ids and texts that are too much alike."""
    findings = []
    ids: dict[str, Row] = {}
    texts: dict[str, Row] = {}
    for row, _ in entries:
        folded = recording_key(row.clip_id).casefold()
        alike = ids.setdefault(folded, row)
        if alike is not row:
            figure = f"differs from {shown(alike.clip_id)} in line {alike.line} by case alone"
            advice = "rename one: on many computers both are one file"
            fault = Fault("ids-alike", "warning", figure, advice)
            findings.append(_placed(fault, row.line, row.clip_id))
        letters = _letters(row.text)
        first = texts.setdefault(letters, row)
        if letters and first is not row:
            fault = _same_text(first, len(letters))
            findings.append(_placed(fault, row.line, row.clip_id))
    return findings + _unended(entries, vocabulary)


def _same_text(first: Row, letters: int) -> Fault:
    return Fault(
        "same-text",
        "warning" if letters > _COMMON_LETTERS else "note",
        f"the same text as {shown(first.clip_id)} in line {first.line}",
        "listen to both: one may have the other's text, or be another take of it",
    )


def _unended(entries: Sequence[tuple[Row, Line]], vocabulary: Vocabulary) -> list[Finding]:
    """One note about all texts that no punctuation ends."""
    count = sum(_ENDED.search(row.text) is None for row, _ in entries)
    if not count or "." not in vocabulary.symbols:
        return []
    figure = f"{count:,} of {len(entries):,} texts end without punctuation"
    advice = "end a text with a full stop where the voice falls, so that it learns to"
    return [_placed(Fault("no-end", "note", figure, advice, float(count)))]
