"""What a corpus consists of: hashes of its recordings and transcripts, and in what two differ."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from engine.errors import InputError
from engine.files import read_plain, remove_all, replacing, write_whole
from engine.formatting import duration
from engine.serialization import from_json

UNREADABLE = "unreadable"
"""What stands in place of the hash of a recording that cannot be read."""

# Clips that are named one by one of each kind of change.
_MAX_NAMED = 3
# More than the list of any corpus has; a file that is longer is none.
_MAX_BYTES = 2**28
# The name of the length in seconds, which no clip has.
_SECONDS = ""
# The name of the record's own checksum, which no absolute path has.
_SUM = "checksum"

_Entry = tuple[int, int, str]
"""Bytes, modification time in nanoseconds and SHA-256 of a file."""


@dataclass(frozen=True)
class CorpusContent:
    """The usable clips of a corpus, each with a hash of its recording and its transcript."""

    clips: Mapping[str, str]
    """Hashes by id."""
    seconds: float | None = None
    """Length of all recordings together; None where an earlier version saved it."""

    @cached_property
    def key(self) -> str:
        """A hash of it all, whatever the order of the clips."""
        return checksum(dict(self.clips))[:32]

    def save(self, folder: Path) -> None:
        """Write it to a folder, which has to be there, under its key, unless it is there whole.

        Raises:
            EngineError: it cannot be written.
        """
        if load_content(folder, self.key) != self:
            seconds = {} if self.seconds is None else {_SECONDS: self.seconds}
            content = json.dumps(seconds | dict(sorted(self.clips.items())), indent=0).encode()
            write_whole(folder / f"{self.key}.json", content, make_folders=False)

    def changes_since(self, old: "CorpusContent") -> str:
        """Say how many clips were added, removed and changed, and how long both are."""
        both = old.clips.keys() & self.clips.keys()
        kinds = {
            "added": self.clips.keys() - both,
            "removed": old.clips.keys() - both,
            "changed": {one for one in both if old.clips[one] != self.clips[one]},
        }
        text = ", ".join(
            f"{len(ids):,} {kind} ({first_few(sorted(ids))})" for kind, ids in kinds.items() if ids
        )
        if self.seconds is None or old.seconds is None:
            return text
        return f"{text}; {duration(self.seconds)} of speech, {duration(old.seconds)} before"


def hash_of_clip(recording: str, text: str) -> str:
    """Hash a clip by the hash of its recording and its transcript."""
    return hashlib.sha256(f"{recording}|{text}".encode()).hexdigest()[:32]


def load_content(folder: Path, key: str) -> CorpusContent | None:
    """Read what was saved under a key; None where that is gone or damaged."""
    path = folder / f"{key}.json"
    try:
        found = from_json(read_plain(path, _MAX_BYTES), dict[str, str | float], path)
    except (OSError, InputError):
        return None
    seconds = found.pop(_SECONDS, None)
    clips = {clip_id: digest for clip_id, digest in found.items() if isinstance(digest, str)}
    content = CorpusContent(clips, seconds if isinstance(seconds, float) else None)
    return content if content.key == key else None


def keep_only(folder: Path, keys: set[str]) -> dict[Path, OSError]:
    """Remove what was saved under other keys; returns as `engine.files.remove_all`."""
    return remove_all(path for path in folder.glob("*.json") if path.stem not in keys)


def first_few(names: list[str]) -> str:
    """Name the first few of some clips or files."""
    return ", ".join(names[:_MAX_NAMED]) + (", …" if len(names) > _MAX_NAMED else "")


def checksum(content: object) -> str:
    """SHA-256 of anything that JSON can write, whatever the order of its keys."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


class RecordingHashes:
    """Hashes of recordings in a readable JSON file, so that unchanged ones are not read again.

    A file whose size and modification time are the same is taken to be unchanged. The record may
    be deleted at any time; a damaged one counts as none.
    """

    def __init__(self, record: Path) -> None:
        self._record = record
        self._stored = _read_record(record)
        self._states: dict[Path, tuple[int, int]] = {}

    def known(self, path: Path) -> str | None:
        """The hash of a file that is as it was when it was recorded; None of any other."""
        try:
            stat = path.stat()
        except OSError:
            return UNREADABLE
        self._states[path] = (stat.st_size, stat.st_mtime_ns)
        size, time, digest = self._stored.get(str(path.absolute()), (0, 0, None))
        return digest if (size, time) == self._states[path] else None

    def save(self, hashes: Mapping[Path, str]) -> None:
        """Record the hashes of files that `known` was asked about, and forget all others."""
        content = {
            str(path.absolute()): (*self._states[path], digest)
            for path, digest in sorted(hashes.items())
            if path in self._states and digest != UNREADABLE
        }
        if content == self._stored:
            return
        entries = {**content, _SUM: checksum(content)}
        lines = (f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in entries.items())
        self._stored = content
        with replacing(self._record) as file:
            file.write(("{\n" + ",\n".join(lines) + "\n}\n").encode())


def _read_record(record: Path) -> dict[str, _Entry]:
    try:
        content = from_json(read_plain(record, _MAX_BYTES), dict[str, _Entry | str], record)
    except (OSError, InputError):
        return {}
    stated = content.pop(_SUM, None)
    entries = {name: entry for name, entry in content.items() if isinstance(entry, tuple)}
    return entries if stated == checksum(entries) else {}
