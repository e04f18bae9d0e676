"""How a file is known again: its size, its SHA-256, and the MD5 by which S3 and GCS name it."""

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.mirror.layout import FileInfo

_BLOCK = 2**20


@dataclass(frozen=True)
class Fingerprint:
    """What a manifest says about a file, and its MD5 in hexadecimal."""

    info: FileInfo
    md5: str

    def is_vouched_for(self, info: dict[str, Any]) -> bool:
        """Whether the checksum in fsspec's `info` proves that a file in a bucket is this one."""
        base64_md5 = base64.b64encode(bytes.fromhex(self.md5)).decode()
        etag = str(info.get("ETag", "")).strip('"').lower()
        return etag == self.md5 or info.get("md5Hash") == base64_md5


class Hasher:
    """Computes a fingerprint from a file's bytes in order."""

    def __init__(self) -> None:
        self._size = 0
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)

    def update(self, block: bytes) -> None:
        """Add the next bytes."""
        self._size += len(block)
        self._sha256.update(block)
        self._md5.update(block)

    def fingerprint(self) -> Fingerprint:
        """The fingerprint of all bytes so far."""
        return Fingerprint(FileInfo(self._size, self._sha256.hexdigest()), self._md5.hexdigest())


def fingerprint(path: Path) -> Fingerprint:
    """Read a file and return its fingerprint."""
    hasher = Hasher()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            hasher.update(block)
    return hasher.fingerprint()
