"""The list of a corpus: `metadata.csv` in the layout of LJ Speech."""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from engine.errors import InputError

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# Not str.splitlines: it also cuts at characters such as U+2028 that may stand inside a sentence.
_LINE_END = re.compile(r"\r\n|\n|\r")
_LONGEST_SHOWN = 60
_AUDIO_SUFFIX = re.compile(r"\.(wav|flac)$", re.IGNORECASE)


@dataclass(frozen=True)
class Row:
    """One clip as the list tells it."""

    line: int
    """Line in `metadata.csv`, from 1."""
    clip_id: str
    """Path of the recording below `wavs/`, without its extension."""
    text: str
    """What is spoken, with digits and abbreviations written out where the list does so."""


@dataclass(frozen=True)
class Rejected:
    """A clip that cannot be used, and why."""

    line: int
    """Line in `metadata.csv`, from 1."""
    clip_id: str
    """Id as far as it could be read, fit to be shown."""
    reason: str
    """What is wrong, with figures: reads on after "line 3, clip-3: "."""


def read_metadata(path: Path) -> tuple[list[Row], list[Rejected]]:
    """Read `id|text` or `id|text|normalised text` from every line of a file.

    The normalised text is taken where there is one. The id may end in `.wav` or `.flac`. The
    file is UTF-8, with or without a byte order mark; lines end in LF, CRLF or CR; blank lines
    are skipped. Quotes are text and group nothing.

    Raises `InputError` when the file cannot be read or is not UTF-8.
    """
    try:
        data = path.read_bytes().removeprefix(_BYTE_ORDER_MARK)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}. "
            "A corpus needs a metadata.csv with one id|text line a clip."
        ) from error
    rows: list[Row] = []
    rejected: list[Rejected] = []
    seen: dict[str, int] = {}
    for line, content in enumerate(_LINE_END.split(_decode(data, path)), start=1):
        if not content.strip():
            continue
        row = _parse(line, content, seen)
        if isinstance(row, Row):
            seen[row.clip_id] = line
            rows.append(row)
        else:
            rejected.append(row)
    return rows, rejected


def _decode(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        line = len(_LINE_END.findall(before)) + 1
        raise InputError(
            f"{path}, line {line}: byte 0x{data[error.start]:02x} is not UTF-8; "
            "save the file with the encoding UTF-8."
        ) from error


def _parse(line: int, content: str, seen: dict[str, int]) -> Row | Rejected:
    fields = [field.strip() for field in content.split("|")]
    clip_id = _AUDIO_SUFFIX.sub("", fields[0])
    if len(fields) not in (2, 3):
        plural = "s" if len(fields) > 1 else ""
        reason = f"has {len(fields)} field{plural}, but id|text or id|text|normalised is needed"
        return Rejected(line, _shown(clip_id), reason)
    problem = _problem_of_id(clip_id)
    if problem:
        return Rejected(line, _shown(clip_id), problem)
    clip_id = str(PurePosixPath(clip_id))
    text = fields[-1] or fields[1]
    if not text:
        return Rejected(line, clip_id, "has no text")
    if clip_id in seen:
        return Rejected(line, clip_id, f"has the same id as line {seen[clip_id]}")
    return Row(line, clip_id, text)


def _problem_of_id(clip_id: str) -> str | None:
    """Say why an id cannot name a file below `wavs/`; None if it can."""
    path = PurePosixPath(clip_id)
    if not clip_id:
        return "has no id"
    if not clip_id.isprintable():
        return "has an id with characters that cannot be printed"
    if path.is_absolute() or ".." in path.parts or not path.name:
        return "has an id that leads out of the folder wavs"
    return None


def _shown(clip_id: str) -> str:
    """A doubtful id fit for one line of a terminal: no control characters, not endless."""
    printable = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in clip_id)
    return printable if len(printable) <= _LONGEST_SHOWN else printable[:_LONGEST_SHOWN] + "…"
