"""The check of a corpus, kept in the voice folder: a run that goes on need not check again."""

import hashlib
import json
import math
import os
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from engine.check.report import CheckReport
from engine.data.clips import METADATA, RECORDINGS
from engine.data.metadata import read_bytes
from engine.files import read_plain, write_whole
from engine.voice.folder import Voice

# Part of every key: raise it when the checks find something else in the same corpus.
_FORMAT = 1
# More than the report of any corpus has; a file that is longer is none.
_MAX_BYTES = 2**26


@dataclass(frozen=True, slots=True)
class CheckRecord:
    """A report, the corpus that it is about, and whether training on it was agreed to."""

    key: str
    """What `corpus_key` gave for the corpus when it was checked."""
    report: CheckReport
    accepted: bool
    """Whether there was nothing to be asked, or the answer was to train."""


def corpus_key(voice: Voice) -> str:
    """Return a hash of all that a check depends on.

    These are the bytes of the list; names, sizes and times of the recordings, as reading them all
    takes minutes where they are many; and the voice's symbols, cleaner, limits and audio constants.

    Raises:
        InputError: the list cannot be read.
        OSError: a recording has gone meanwhile.
    """
    settings = voice.settings
    state = hashlib.sha256(read_bytes(voice.dataset / METADATA))
    described = {
        "format": _FORMAT,
        "symbols": settings.symbols,
        "cleaner": settings.cleaner,
        "limits": asdict(settings.limits),
        "audio": asdict(settings.audio),
        "recordings": _recordings(voice.dataset / RECORDINGS),
    }
    state.update(json.dumps(described).encode())
    return state.hexdigest()


def _recordings(folder: Path) -> list[tuple[str, int, int]]:
    """Name, size and time of every file below a folder, in the order of their names."""
    found = []
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            stat = path.lstat()
            found.append((str(path.relative_to(folder)), stat.st_size, stat.st_mtime_ns))
    return sorted(found)


def load_record(voice: Voice, key: str) -> CheckRecord | None:
    """Return what is kept of this very corpus, or None.

    A record that is damaged or of another form is as good as none: the check makes it anew.
    """
    try:
        kept = json.loads(read_plain(voice.check_record, _MAX_BYTES))
        if not isinstance(kept, dict) or kept.get("key") != key:
            return None
        report = _rebuilt(CheckReport, kept["report"])
        # A corpus that moved along with its voice is named by the place where it is.
        report = replace(report, dataset=str(voice.dataset))
        return CheckRecord(key, report, bool(kept["accepted"]))
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def save_record(voice: Voice, record: CheckRecord) -> None:
    """Keep a record in place of the one before.

    Raises:
        EngineError: it cannot be written.
    """
    content = {
        "key": record.key,
        "accepted": record.accepted,
        "report": record.report.as_json(),
    }
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    voice.locate()
    write_whole(voice.check_record, text.encode(errors="backslashreplace"), make_folders=False)


def _rebuilt(kind: Any, value: Any) -> Any:  # noqa: ANN401 (a type, and what JSON made of its value)
    """Turn what JSON has for a value of a type back into that value.

    Raises:
        ValueError: it is none of that type.
        KeyError: a field is missing.
    """
    arguments = get_args(kind)
    match get_origin(kind):
        case origin if origin is tuple and isinstance(value, list):
            return tuple(_rebuilt(arguments[0], item) for item in value)
        case origin if origin is dict and isinstance(value, dict):
            return {name: _rebuilt(arguments[1], item) for name, item in value.items()}
        case origin if origin is Literal and value in arguments:
            return value
        case origin if origin in (Union, UnionType):
            if value is None and NoneType in arguments:
                return None
            [other] = [argument for argument in arguments if argument is not NoneType]
            return _rebuilt(other, value)
    if is_dataclass(kind) and isinstance(value, dict):
        hints = get_type_hints(kind)
        return kind(**{f.name: _rebuilt(hints[f.name], value[f.name]) for f in fields(kind)})  # type: ignore[operator]
    if kind is float and type(value) in (int, float) and math.isfinite(value):
        return float(value)
    if kind in (int, str) and type(value) is kind:
        return value
    raise ValueError(f"{value!r} is no {kind}")
