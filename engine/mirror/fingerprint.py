"""How a file is known again: its size, its SHA-256, and the MD5s by which S3 and GCS name it."""

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.mirror.layout import FileInfo

PART_BYTES = 50 * 2**20
"""A file of two parts or more goes to S3 in parts of this size."""
_BLOCK = 2**20


@dataclass(frozen=True)
class Fingerprint:
    """A file's size and checksums."""

    size: int
    """Bytes."""
    sha256: str
    md5: str
    """Of the whole file, in hexadecimal."""
    md5_of_parts: str
    """As the ETag of a file that was sent to S3 in parts: the MD5 of the parts' MD5s, and how many
    they are (Amazon S3 User Guide, Checking object integrity)."""

    @property
    def info(self) -> FileInfo:
        """What a manifest says about the file."""
        return FileInfo(self.size, self.sha256)

    def is_vouched_for(self, info: dict[str, Any]) -> bool:
        """Whether what a filesystem of fsspec says of a file proves that it is this one."""
        etag = str(info.get("ETag", "")).strip('"').lower()
        if etag in (self.md5, self.md5_of_parts):
            return True
        return bool(info.get("md5Hash") == base64.b64encode(bytes.fromhex(self.md5)).decode())


class Hasher:
    """Computes a fingerprint from a file's bytes in order."""

    def __init__(self) -> None:
        # MD5 stands for nothing but the name that the clouds give to the same bytes.
        self._size = 0
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._part = hashlib.md5(usedforsecurity=False)
        self._parts: list[bytes] = []

    def update(self, block: bytes) -> None:
        """Take the next bytes."""
        self._sha256.update(block)
        self._md5.update(block)
        view = memoryview(block)
        while view:
            room = PART_BYTES - self._size % PART_BYTES
            self._part.update(view[:room])
            self._size += min(room, len(view))
            view = view[room:]
            if self._size % PART_BYTES == 0:
                self._close_part()

    def fingerprint(self) -> Fingerprint:
        """The fingerprint of all bytes taken; nothing may be taken after it."""
        if self._size % PART_BYTES:
            self._close_part()
        whole = hashlib.md5(b"".join(self._parts), usedforsecurity=False).hexdigest()
        return Fingerprint(
            self._size,
            self._sha256.hexdigest(),
            self._md5.hexdigest(),
            f"{whole}-{len(self._parts)}",
        )

    def _close_part(self) -> None:
        self._parts.append(self._part.digest())
        self._part = hashlib.md5(usedforsecurity=False)


def fingerprint(path: Path) -> Fingerprint:
    """Read a file and return its fingerprint."""
    hasher = Hasher()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            hasher.update(block)
    return hasher.fingerprint()
