"""The list of a corpus: `metadata.csv` in the layout of LJ Speech.

A line is `id|text` or `id|text|normalised text`, of which the normalised text is taken where there
is one. The id may end in `.wav` or `.flac`. The file is UTF-8, with or without a byte order mark;
lines end in LF, CRLF or CR; blank lines are skipped. Quotes are text and group nothing. Ids that
differ only in their Unicode form are the same.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePath, PurePosixPath

from engine.errors import InputError
from engine.formatting import printable

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# Not splitlines: that also cuts at characters such as U+2028 that may stand inside a sentence.
_LINE_END = re.compile(rb"\r\n|\n|\r")
_LONGEST_SHOWN = 60
# Half a million clips. A file of holes can have any number of bytes, which would all be read.
_MAX_BYTES = 2**26
LEFT_OUT = "left-out"
"""The kind of a clip that a person left out, and not the check."""
_AUDIO_SUFFIX = re.compile(r"\.(wav|flac)$", re.IGNORECASE)


@dataclass(frozen=True)
class Line:
    """One line of the file as it stands there."""

    number: int
    """From 1."""
    content: str
    """Without its end; U+FFFD where bytes are not UTF-8."""
    damage: tuple[int, int] | None
    """The first byte that is not UTF-8 and its column in characters, from 1; None in UTF-8."""

    @cached_property
    def fields(self) -> list[str]:
        """The fields between the bars, without white space around them."""
        return [field.strip() for field in self.content.split("|")]

    @property
    def clip_id(self) -> str:
        """The id as it is compared: no extension, no `./`; not fit to be shown or opened."""
        return clip_id_of(self.fields[0])


@dataclass(frozen=True)
class Row:
    """One clip of the list."""

    line: int
    """From 1."""
    clip_id: str
    """Path of the recording below `wavs/`, without its extension."""
    text: str
    """What is spoken, normalised where the list has it so."""


@dataclass(frozen=True)
class Rejected:
    """A clip that cannot be used, and why."""

    line: int
    clip_id: str
    """Id as far as it could be read, printable."""
    reason: str
    """What is wrong, with figures; continues "line 3, clip-3: "."""
    kind: str = field(default="unusable", compare=False)
    """The same in a word or two with hyphens, to group by."""


def read_bytes(path: Path) -> bytes:
    """The file as it is.

    Raises:
        InputError: it cannot be read, or is larger than any list of clips.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}. "
            "A corpus needs a metadata.csv with one id|text line a clip."
        ) from error
    if len(content) > _MAX_BYTES:
        raise InputError(f"{path} is too large (maximum {_MAX_BYTES:,} bytes); split the corpus.")
    return content


def split_lines(data: bytes) -> tuple[Line, ...]:
    """The lines of a file, without a byte order mark at its head."""
    # In UTF-8 the bytes of a line end stand for nothing else, so that lines are cut before they
    # are decoded and one damaged line spoils no other.
    lines = _LINE_END.split(data.removeprefix(_BYTE_ORDER_MARK))
    return tuple(_decoded(number, line) for number, line in enumerate(lines, start=1))


def parse_lines(lines: Iterable[Line]) -> tuple[tuple[Row, ...], tuple[Rejected, ...]]:
    """The clips of a list, and the lines that name none; blank and damaged ones are skipped."""
    lines_by_id: dict[str, int] = {}
    parsed = [
        _parse_line(line, lines_by_id) for line in lines if line.content.strip() and not line.damage
    ]
    rows = tuple(one for one in parsed if isinstance(one, Row))
    return rows, tuple(one for one in parsed if isinstance(one, Rejected))


def _parse_line(line: Line, lines_by_id: dict[str, int]) -> Row | Rejected:
    if problem := _problem_of_fields(line):
        return Rejected(line.number, shown(line.clip_id), *problem)
    text = line.fields[-1] or line.fields[1]
    if not text:
        return Rejected(line.number, line.clip_id, "has no text", "no-text")
    first = lines_by_id.setdefault(recording_key(line.clip_id), line.number)
    if first != line.number:
        reason = f"has the same id as line {first}"
        return Rejected(line.number, line.clip_id, reason, "duplicate-id")
    return Row(line.number, line.clip_id, text)


def clip_id_of(name: str) -> str:
    """The id of a clip that is named by it or as its file, such as `./LJ001-0001.wav`."""
    clip_id = _AUDIO_SUFFIX.sub("", name)
    return str(PurePosixPath(clip_id)) if clip_id else ""


def recording_key(clip_id: PurePath | str) -> str:
    """An id in one Unicode form, because macOS and Linux write accents differently."""
    return unicodedata.normalize("NFC", str(clip_id))


def shown(text: str) -> str:
    """Doubtful text fit for one line of a terminal: no control characters, not endless."""
    return printable(text, _LONGEST_SHOWN)


def _decoded(number: int, data: bytes) -> Line:
    try:
        return Line(number, data.decode("utf-8"), None)
    except UnicodeDecodeError as error:
        column = len(data[: error.start].decode("utf-8")) + 1
        return Line(number, data.decode("utf-8", "replace"), (data[error.start], column))


def _problem_of_fields(line: Line) -> tuple[str, str] | None:
    """Say why a line names no file below `wavs/`, and in a word; None if it does."""
    clip_id, count = line.clip_id, len(line.fields)
    path = PurePosixPath(clip_id)
    if count not in (2, 3):
        plural = "s" if count > 1 else ""
        needed = "id|text or id|text|normalised is needed"
        return f"has {count} field{plural}, but {needed}", "field-count"
    if not clip_id:
        return "has no id", "no-id"
    if not clip_id.isprintable():
        return "has an id with characters that cannot be printed", "unprintable-id"
    if path.is_absolute() or ".." in path.parts or not path.name:
        return "has an id that leads out of the folder wavs", "outside-wavs"
    return None
