"""The place of a mirror: a bucket or a folder, read and written through fsspec.

Anything that goes wrong there is a `MirrorError` in one sentence, whichever library raised it.
fsspec, and the library of the cloud, are imported when a mirror is opened.
"""

import base64
import contextlib
import hashlib
import logging
import os
import shutil
import stat
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Annotated, Any

from msgspec import Meta

from engine.errors import EngineError, InputError
from engine.files import make_folder, open_private, replacing
from engine.mirror.address import EXAMPLES, without_secrets

# What to install for which kinds of places. fsspec knows more, most of which cannot be written to,
# or end with the process.
_PACKAGES = {
    "'voicecoach[s3]'": ("s3", "s3a"),
    "'voicecoach[gcs]'": ("gs", "gcs"),
    "adlfs": ("az", "abfs", "abfss"),
    "paramiko": ("sftp", "ssh"),
}
_LIBRARIES = ("s3fs", "gcsfs", "adlfs", "paramiko")
# Errors that no retry mends; by name, for the libraries are there only with their extras.
_NO_CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError")
_REFUSALS = (*_NO_CREDENTIALS, "ParamValidationError")
_BLOCK = 2**23
# Every kind of place: no cache of listings.
_OPTIONS: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
# Seconds to wait for a connection, and for an answer on it.
_S3_TIMEOUTS = {"connect_timeout": 10, "read_timeout": 60, "retries": {"max_attempts": 1}}
_S3_OPTIONS = {**_OPTIONS, "max_concurrency": 1, "config_kwargs": _S3_TIMEOUTS}
# Larger than any checkpoint's file: sent as one, it gets the MD5 of its content as ETag.
_S3_CHUNK = 2**32

# Not for secrets: it only spreads the tries of many hosts.
_random = Random()  # noqa: S311


def backoff(failures: int, max_seconds: float = 300.0) -> float:
    """Seconds to wait after so many failures in a row: doubling, with "equal jitter".

    Jitter keeps many hosts that lost the same server from coming back to it all at once
    (M. Brooker, Exponential Backoff And Jitter, AWS Architecture Blog, 2015).
    """
    limit = min(max_seconds, 2.0 ** min(failures - 1, 60))
    return limit * (0.5 + 0.5 * _random.random())


class MirrorError(EngineError):
    """The mirror cannot be used at the moment; training continues without it."""

    def __init__(self, sentence: str, *, refused: bool = False) -> None:
        super().__init__(sentence)
        self.refused = refused
        """Whether trying again will not help: no such bucket, no permission, no credentials."""


@dataclass(frozen=True)
class FileInfo:
    """By what a file is recognised."""

    size: Annotated[int, Meta(ge=0, le=2**40)]
    """Bytes."""
    sha256: Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]


@dataclass(frozen=True)
class Fingerprint:
    """By what a file is recognised, and the MD5 by which S3 and GCS do."""

    info: FileInfo
    md5: str

    def is_vouched_for(self, info: dict[str, Any]) -> bool:
        """Whether fsspec's `info` of a file in a bucket proves that it is this one."""
        base64_md5 = base64.b64encode(bytes.fromhex(self.md5)).decode()
        etag = str(info.get("ETag", "")).strip('"').lower()
        return info.get("size") == self.info.size and (
            etag == self.md5 or info.get("md5Hash") == base64_md5
        )


def fingerprint(blocks: Iterable[bytes]) -> Fingerprint:
    """The fingerprint of a file that is read in blocks."""
    size, sha256, md5 = 0, hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    for block in blocks:
        size += len(block)
        sha256.update(block)
        md5.update(block)
    return Fingerprint(FileInfo(size, sha256.hexdigest()), md5.hexdigest())


def file_fingerprint(path: Path) -> Fingerprint:
    """Read a file on this machine and return its fingerprint."""
    with path.open("rb") as file:
        return fingerprint(iter(lambda: file.read(_BLOCK), b""))


class Store:
    """Files under one address; keys are paths below it, separated by slashes.

    Each method raises `MirrorError` where it cannot be done.
    """

    def __init__(self, filesystem: Any, root: str, address: str) -> None:  # noqa: ANN401
        """Use a filesystem of fsspec, from its path `root` downwards."""
        from fsspec.implementations.local import LocalFileSystem

        self._files = filesystem
        self._root = root.rstrip("/")
        self.is_local = isinstance(filesystem, LocalFileSystem)
        """Whether it is a folder, perhaps on a disk that can be unplugged."""
        self.address = address
        """As a person wrote it."""

    def read(self, key: str, max_bytes: int) -> bytes | None:
        """Return a small file, at most `max_bytes` + 1 bytes of it; None where there is none."""
        with self._errors("read", key):
            try:
                content: bytes = self._files.cat_file(
                    self._path(key, to_read=True), start=0, end=max_bytes + 1
                )
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return None
            return content

    def write(self, key: str, content: bytes) -> None:
        """Write a small file; its reader sees the one before or this one."""
        with self._errors("write", key):
            path = self._path(key)
            if not self.is_local:
                self._files.pipe_file(path, content)
                return
            make_folder(Path(path).parent, private_from=Path(self._root))
            with replacing(Path(path)) as file:
                file.write(content)

    def write_verified(self, key: str, content: bytes) -> None:
        """Write a small file and read it back, which must give the same."""
        self.write(key, content)
        if self.read(key, len(content)) != content:
            raise self._not_as_sent(key)

    def put(self, source: Path, key: str, expected: Fingerprint) -> None:
        """Copy a file there and verify what arrived; FileNotFoundError where `source` is gone.

        S3 and GCS report the MD5 of what they received: where that matches, nothing needs to
        travel back. In all other cases, such as buckets encrypted with one's own keys, the file is
        read back.
        """
        try:
            with self._errors("write", key):
                self._copy(source, self._path(key))
        except MirrorError as error:
            if not source.exists():
                raise FileNotFoundError(source) from error
            raise
        with self._errors("read", key):
            vouched = expected.is_vouched_for(self._files.info(self._path(key)))
        if vouched:
            return
        if fingerprint(self._blocks(key, expected.info.size)).info != expected.info:
            raise self._not_as_sent(key)

    def _copy(self, source: Path, path: str) -> None:
        if not self.is_local:
            is_s3 = {"s3", "s3a"}.intersection(self._files.protocol)
            self._files.put_file(str(source), path, **({"chunksize": _S3_CHUNK} if is_s3 else {}))
            return
        make_folder(Path(path).parent, private_from=Path(self._root))
        with source.open("rb") as read, replacing(Path(path)) as file:
            shutil.copyfileobj(read, file, _BLOCK)

    def _not_as_sent(self, key: str) -> MirrorError:
        return MirrorError(f"{without_secrets(key)} did not arrive at {self.address} as sent")

    def fetch(self, key: str, target: Path, size: int, progress: Callable[[int], None]) -> FileInfo:
        """Copy a file from there, at most `size` + 1 bytes; report each block's length.

        Raises OSError where `target` cannot be written.
        """
        with open(open_private(target, os.O_WRONLY | os.O_TRUNC), "wb") as file:  # noqa: PTH123

            def written() -> Iterator[bytes]:
                for block in self._blocks(key, size):
                    file.write(block)
                    progress(len(block))
                    yield block

            info = fingerprint(written()).info
            file.flush()
            os.fsync(file.fileno())
        return info

    def names(self, key: str) -> list[str]:
        """The names of what is in a folder; none where there is none."""
        with self._errors("list", key):
            try:
                found = self._files.ls(self._path(key), detail=False)
            except (FileNotFoundError, NotADirectoryError):
                return []
        return [str(path).rstrip("/").rpartition("/")[2] for path in found]

    def remove(self, key: str, first: str = "") -> None:
        """Remove a file; or a folder, of which the file `first` goes before all others."""
        with self._errors("remove", key), contextlib.suppress(FileNotFoundError):
            if first:
                self.remove(f"{key}/{first}")
                self._files.rm(self._path(key), recursive=True)
            else:
                self._files.rm_file(self._path(key))

    def require_usable(self) -> None:
        """Write, read and remove a few bytes."""
        key, content = f"probe-{uuid.uuid4().hex}", b"voicecoach tests whether it can write here\n"
        self.write(key, content)
        if self.read(key, len(content)) != content:
            raise MirrorError(f"{self.address} does not keep what is written there", refused=True)
        self.remove(key)

    def _blocks(self, key: str, size: int) -> Iterator[bytes]:
        """A file in blocks, no more than a byte beyond the size it should have."""
        left = size + 1
        with (
            self._errors("read", key),
            self._files.open(self._path(key, to_read=True), "rb") as file,
        ):
            while left > 0 and (block := file.read(min(_BLOCK, left))):
                left -= len(block)
                yield block

    def _path(self, key: str, *, to_read: bool = False) -> str:
        """The path of a key in the filesystem.

        Raises:
            PermissionError: it is a link that leads out of a stranger's folder; or, `to_read`, a
                device or a pipe, which would never end, or block.
        """
        path = f"{self._root}/{key}"
        if self.is_local:
            if not Path(path).resolve().is_relative_to(Path(self._root).resolve()):
                raise PermissionError("it is a link that leads out of the mirror")
            if to_read and not stat.S_ISREG(Path(path).stat().st_mode):
                raise PermissionError("it is not a plain file")
        return path

    @contextlib.contextmanager
    def _errors(self, action: str, key: str) -> Iterator[None]:
        """Turn whatever the libraries raise into one kind of error."""
        try:
            yield
        except MirrorError:
            raise
        except Exception as error:
            kind = type(error).__name__
            reason = without_secrets(error) or kind
            if kind in _NO_CREDENTIALS:
                reason += "; put them where the cloud's own tools look for them"
            refused = isinstance(error, PermissionError | FileNotFoundError) or kind in _REFUSALS
            raise MirrorError(
                f"cannot {action} {without_secrets(key)} at {self.address}: {reason}",
                refused=refused,
            ) from error


def open_store(address: str) -> Store:
    """Open the place at an address that `checked_address` has returned.

    Raises:
        InputError: the library for it is not installed, or there is no such kind of place.
        MirrorError: it cannot be reached, where the library connects at once.
    """
    import fsspec

    protocol, separator, _ = address.partition("://")
    shown = without_secrets(address)
    if not separator:
        return Store(fsspec.filesystem("file", auto_mkdir=True), address, address)
    package = next((name for name, kinds in _PACKAGES.items() if protocol in kinds), None)
    if package is None:
        raise InputError(f"The mirror {shown} is of an unsupported kind; give {EXAMPLES}.")
    for name in _LIBRARIES:
        # Their reports of each try go into the log, and without one not to the terminal.
        logging.getLogger(name).addHandler(logging.NullHandler())
    try:
        fsspec.get_filesystem_class(protocol)
    except ImportError as error:
        raise InputError(
            f"The mirror {shown} needs a library that is not installed: pip install {package}."
        ) from error
    is_s3 = protocol in ("s3", "s3a")
    try:
        options = _S3_OPTIONS if is_s3 else _OPTIONS
        filesystem, root = fsspec.core.url_to_fs(address, **options)
    except Exception as error:
        raise MirrorError(
            f"cannot open the mirror {shown}: {without_secrets(error) or type(error).__name__}",
            refused=isinstance(error, ValueError | TypeError | ImportError),
        ) from error
    if is_s3:
        # s3fs's own tries; the caller waits longer between tries, and reports them.
        filesystem.retries = 2
    return Store(filesystem, root, address)
