"""Content hashes of recordings, remembered so that unchanged files are not read again."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from engine.files import open_private, read_plain

# More than the record of any corpus has; a file that is longer is none.
_MAX_BYTES = 2**28
# The name of the record's own checksum, which no absolute path has.
_SUM = "checksum"


class ContentHashes:
    """SHA-256 of files, kept in a readable JSON file with the size and time they had.

    A file whose size and modification time (in nanoseconds) are the same is taken to be
    unchanged. The record may be deleted at any time; a damaged one counts as none.
    """

    def __init__(self, record: Path) -> None:
        self._record = record
        self._known = _read(record)
        self._fresh: dict[str, list[object]] = {}

    def of(self, path: Path) -> str:
        """Hash of a file's content, or of its absence when it cannot be read. Thread-safe."""
        name = str(path.absolute())
        try:
            stat = path.stat()
            known = self._known.get(name)
            if known is not None and known[:2] == [stat.st_size, stat.st_mtime_ns]:
                digest = str(known[2])
            else:
                with path.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return "unreadable"
        self._fresh[name] = [stat.st_size, stat.st_mtime_ns, digest]
        return digest

    def save(self, paths: Iterable[Path]) -> None:
        """Remember the hashes of these files and forget all others."""
        names = sorted({str(path.absolute()) for path in paths})
        content = {name: self._fresh[name] for name in names if name in self._fresh}
        if content == self._known:
            return
        temporary = self._record.with_name(f"{self._record.name}.{os.getpid()}.part")
        sealed: dict[str, object] = {**content, _SUM: _sum(content)}
        lines = (f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in sealed.items())
        descriptor = open_private(temporary, os.O_WRONLY | os.O_TRUNC)
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 (no path)
            file.write("{\n" + ",\n".join(lines) + "\n}\n")
        temporary.replace(self._record)


def _read(record: Path) -> dict[str, list[object]]:
    try:
        content = json.loads(read_plain(record, _MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict) or content.pop(_SUM, None) != _sum(content):
        return {}
    return {
        name: entry
        for name, entry in content.items()
        if isinstance(entry, list) and len(entry) == 3
    }


def _sum(content: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
