"""`metadata.csv` line by line, and the recordings that its lines name."""

import codecs
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from engine.check.encoding import damage_finding, line_end_finding, wide_codec, wide_text
from engine.check.kinds import finding
from engine.check.recording_files import match_recordings
from engine.check.report import Finding, Severity, UnknownCharacter
from engine.check.transcripts import LEAVE_OUT, text_findings
from engine.choices import CleanerName
from engine.data.clips import METADATA, Clip, CorpusScan, Limits
from engine.data.metadata import Line, Rejected, Row, recording_key, shown
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
class Metadata:
    """The rows of `metadata.csv`, their recordings, and what is wrong with them."""

    rows: tuple[Row, ...]
    """Rows that could be read, in the order of their lines."""
    total: int
    """Lines that are not blank."""
    findings: tuple[Finding, ...]
    """About the whole file, then in the order of the lines, then about recordings."""
    clips: tuple[Clip, ...]
    """The rows that have a recording."""
    unlisted: tuple[Clip, ...]
    """Recordings of lines that cannot be read, or that name them wrongly; they have no text."""

    @property
    def left_out(self) -> set[int | None]:
        """Lines that training leaves out because of their text."""
        return {found.line for found in self.findings if found.kind in LEAVE_OUT}


def check_metadata(scan: CorpusScan, vocabulary: Vocabulary, limits: Limits) -> Metadata:
    """Find what is wrong with `metadata.csv` line by line.

    Whatever the file holds becomes findings; recordings are only looked up, not opened.
    """
    codec = wide_codec(scan.content)
    if codec is None:
        return _check(scan, vocabulary, limits)
    figure = f"the file is {codec[:6].upper()}, not UTF-8: training cannot read any of its rows"
    advice = "save it as UTF-8 and check again: speaking rates and characters are only checked then"
    whole = finding("not-utf-8", figure, advice=advice).at(METADATA)
    text = wide_text(scan.content, codec)
    if text is None:
        lines = scan.content.decode(codec, "replace").splitlines()
        return Metadata((), sum(bool(line.strip()) for line in lines), (whole,), (), ())
    # Training cannot read any row of it; everything else that is wrong is found all the same.
    found = _check(replace(scan, content=text.encode()), vocabulary, limits)
    clips = [replace(clip, clip_id=shown(clip.clip_id), text="") for clip in found.clips]
    unlisted = sorted([*found.unlisted, *clips], key=lambda clip: clip.line)
    return Metadata((), found.total, (whole, *found.findings), (), tuple(unlisted))


def _check(scan: CorpusScan, vocabulary: Vocabulary, limits: Limits) -> Metadata:
    lines = [line for line in scan.lines if line.content.strip() or line.damage]
    rows, findings = _parse(scan, lines)
    read = {row.line for row in rows}
    claimed = {line.number: _claimed_id(line) for line in lines if line.number not in read}
    recordings, unlisted, of_files = match_recordings(scan, rows, claimed)
    findings += _file_findings(scan.content, lines)
    findings += _compare_rows(rows, read_ends="." in vocabulary.symbols)
    findings += [*_check_texts(scan, rows, vocabulary, limits), *of_files]
    clips = (
        Clip(row.line, row.clip_id, recordings[row.line], vocabulary.clean(row.text))
        for row in rows
        if row.line in recordings
    )
    return Metadata(
        tuple(rows), len(lines), tuple(sorted(findings, key=_place)), tuple(clips), tuple(unlisted)
    )


def unknown_findings(
    unknown: Iterable[UnknownCharacter], cleaner: CleanerName
) -> Iterator[Finding]:
    """Report characters that the voice cannot read: a warning where letters or digits are lost."""
    for lost in unknown:
        # English borrows its accents; another language's letters are its own, and one that is
        # read as its neighbour teaches the wrong sound. Lost punctuation is seldom heard.
        letter = lost.is_letter and (cleaner == "plain" or not lost.becomes.strip())
        figure, count = sentence_about(lost), float(lost.count)
        severity: Severity = "warning" if letter else "note"
        yield finding("unknown-character", figure, count, severity).at(METADATA, lost.line)


def _place(found: Finding) -> tuple[int, int]:
    """Orders findings: about the whole file, about its lines, about recordings."""
    if found.line is not None:
        return 1, found.line
    return (0 if found.file == METADATA else 2), 0


def _file_findings(data: bytes, lines: Sequence[Line]) -> Iterator[Finding]:
    if data.startswith(codecs.BOM_UTF8):
        figure = "the file starts with a byte order mark, which is ignored"
        advice = "save it as UTF-8 without one if other programs read it as part of the first id"
        yield finding("byte-order-mark", figure, severity="note", advice=advice).at(METADATA)
    if ends := line_end_finding(data):
        found, line = ends
        yield found.at(METADATA, line)
    if not lines:
        yield finding("empty-list", "it has no lines").at(METADATA)


def _parse(scan: CorpusScan, lines: Sequence[Line]) -> tuple[list[Row], list[Finding]]:
    """The rows, and what is wrong with lines that are no rows."""
    rows: list[Row] = []
    findings: list[Finding] = []
    parsed: dict[int, Row | Rejected] = {row.line: row for row in scan.rows}
    parsed.update((rejected.line, rejected) for rejected in scan.malformed)
    first = {recording_key(row.clip_id): row for row in scan.rows}
    for line in lines:
        damage, odd = damage_finding(line), None
        if not line.damage:
            row = parsed[line.number]
            odd = _header(line) if line is lines[0] else None
            if not odd and len(line.fields) > 1 and re.fullmatch('".*"', line.fields[0]):
                odd = finding("csv-quotes", "the id is in CSV quotes")
            if isinstance(row, Rejected) and not odd and not damage:
                odd = _malformed(line, row, first.get(recording_key(line.clip_id)))
            elif isinstance(row, Row) and not odd:
                rows.append(row)
        clip_id = shown(_claimed_id(line))
        findings += [found.at(METADATA, line.number, clip_id) for found in (damage, odd) if found]
    return rows, findings


def _claimed_id(line: Line) -> str:
    start = line.content
    for separator in ("|", *_SEPARATORS):
        start = start.split(separator, 1)[0]
    name = start.strip().strip('"\ufeff').strip()
    return name[:-4] if name.lower().endswith(".wav") else name.removesuffix(".flac")


def _header(line: Line) -> Finding | None:
    fields = [field.strip('"') for field in line.fields]
    if len(fields) not in (2, 3) or not _HEADER_ID.fullmatch(fields[0]):
        return None
    if not all(_HEADER_TEXT.fullmatch(field) for field in fields[1:] if field):
        return None
    return finding("header", f"“{shown(line.content)}” is a header, not a clip")


def _malformed(line: Line, rejected: Rejected, first: Row | None) -> Finding:
    """What to do about a line that is no row; `first` is the row with the same id."""
    kind, figure, advice = rejected.kind, rejected.reason.removeprefix("has "), ""
    if kind == "field-count" and len(line.fields) == 1:
        if name := _separator(line.content):
            return finding("wrong-separator", f"fields are separated by {name}, not by |")
        advice = "write id|text in one line; a text cannot continue on the next line"
    elif kind == "unprintable-id" and line.content.lstrip().startswith("\ufeff"):
        kind, figure = "byte-order-mark", "there is a byte order mark (U+FEFF) before the id"
    elif kind == "duplicate-id" and first:
        same = _letters(first.text) == _letters(line.fields[-1])
        figure += ", with the same text" if same else ", with another text"
    return finding(kind, figure, advice=advice)


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
    # Vowel signs tell words of many scripts apart.
    return "".join(c for c in text.casefold() if c.isalnum() or unicodedata.category(c)[0] == "M")


def _check_texts(
    scan: CorpusScan, rows: Sequence[Row], vocabulary: Vocabulary, limits: Limits
) -> Iterator[Finding]:
    raw = {row.line: scan.lines[row.line - 1].fields[1] for row in rows}
    lines_of = {_letters(raw[row.line]): row.line for row in reversed(rows)}
    for row in rows:
        for found in text_findings(row.clip_id, raw[row.line], row.text, vocabulary, limits):
            other = lines_of.get(_letters(row.text))
            if found.kind == "columns-differ" and other not in (None, row.line):
                found = replace(found, figure=f"the last field is the text of line {other}")
            yield found.at(METADATA, row.line, shown(row.clip_id))


def _compare_rows(rows: Sequence[Row], *, read_ends: bool) -> Iterator[Finding]:
    """What only shows between rows: ids and texts that are too similar, or lack their ends."""
    ids: dict[str, Row] = {}
    texts: dict[str, Row] = {}
    for row in rows:
        clip_id = shown(row.clip_id)
        first = ids.setdefault(recording_key(row.clip_id).casefold(), row)
        if first is not row:
            figure = f"differs from {shown(first.clip_id)} in line {first.line} only by case"
            yield finding("ids-alike", figure).at(METADATA, row.line, clip_id)
        letters = _letters(row.text)
        first = texts.setdefault(letters, row)
        if letters and first is not row:
            figure = f"the same text as {shown(first.clip_id)} in line {first.line}"
            severity: Severity = "warning" if len(letters) > _COMMON_LETTERS else "note"
            yield finding("same-text", figure, None, severity).at(METADATA, row.line, clip_id)
    count = sum(_ENDED.search(row.text) is None for row in rows)
    if count and read_ends:
        figure = f"{count:,} of {len(rows):,} texts end without punctuation"
        yield finding("no-end", figure, float(count)).at(METADATA)
