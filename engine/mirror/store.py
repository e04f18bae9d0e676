"""The place of a mirror: a bucket or a folder, read and written through fsspec.

Anything that goes wrong there is a `MirrorError` in one sentence, whichever library raised it.
fsspec, and the library of the cloud, are imported when a mirror is opened.
"""

import contextlib
import logging
import os
import shutil
import stat
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import IO, Any

from engine.errors import EngineError, InputError
from engine.files import fsync, make_folder, open_private
from engine.mirror.address import EXAMPLES, without_secrets
from engine.mirror.fingerprint import Fingerprint, Hasher

_S3, _GCS = "'voicecoach[s3]'", "'voicecoach[gcs]'"
# The kinds of places, and what to install for each. fsspec knows more, most of which cannot be
# written to, or end with the process.
_KINDS = {
    "s3": _S3,
    "s3a": _S3,
    "gs": _GCS,
    "gcs": _GCS,
    "az": "adlfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "sftp": "paramiko",
    "ssh": "paramiko",
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
# Larger than any checkpoint's file: sent as one, it gets the MD5 of its content as ETag.
_S3_CHUNK = 2**32
_S3_OPTIONS = {**_OPTIONS, "max_concurrency": 1, "config_kwargs": _S3_TIMEOUTS}

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


class Store:
    """Files under one address; keys are paths below it, separated by slashes."""

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
                self._require_plain_file(key)
                content: bytes = self._files.cat_file(self._path(key), start=0, end=max_bytes + 1)
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return None
            return content

    def write(self, key: str, content: bytes) -> None:
        """Write a small file; its reader sees the one before or this one."""
        with self._errors("write", key):
            self._require_inside(key)
            if not self.is_local:
                self._files.pipe_file(self._path(key), content)
                return
            with self._replacing(key) as file:
                file.write(content)

    def put(self, source: Path, key: str, expected: Fingerprint) -> None:
        """Copy a file there and verify what arrived.

        Raises:
            FileNotFoundError: `source` is gone.
            MirrorError: it cannot be written, or what arrived is not what was sent.
        """
        try:
            with self._errors("write", key):
                self._require_inside(key)
                if self.is_local:
                    with source.open("rb") as read, self._replacing(key) as file:
                        shutil.copyfileobj(read, file, _BLOCK)
                else:
                    is_s3 = {"s3", "s3a"}.intersection(self._files.protocol)
                    parts = {"chunksize": _S3_CHUNK} if is_s3 else {}
                    self._files.put_file(str(source), self._path(key), **parts)
        except MirrorError as error:
            if not source.exists():
                raise FileNotFoundError(source) from error
            raise
        self._require_arrived(key, expected)

    def _require_arrived(self, key: str, expected: Fingerprint) -> None:
        """Compare size and checksum of what the mirror holds with those of what was sent.

        S3 and GCS report the MD5 of what they received: where that matches, nothing needs to
        travel back. In all other cases, such as buckets encrypted with one's own keys, the file is
        read back.
        """
        with self._errors("read", key):
            info = self._files.info(self._path(key))
        if info.get("size") == expected.info.size and expected.is_vouched_for(info):
            return
        hasher = Hasher()
        for block in self._blocks(key, expected.info.size):
            hasher.update(block)
        if hasher.fingerprint().info != expected.info:
            raise MirrorError(f"{without_secrets(key)} did not arrive at {self.address} as sent")

    def fetch(
        self, key: str, target: Path, size: int, progress: Callable[[int], None]
    ) -> Fingerprint:
        """Copy a file from there, at most `size` + 1 bytes; report each block's length.

        Raises:
            MirrorError: it cannot be read.
            OSError: `target` cannot be written.
        """
        hasher = Hasher()
        with open(open_private(target, os.O_WRONLY | os.O_TRUNC), "wb") as file:  # noqa: PTH123
            for block in self._blocks(key, size):
                file.write(block)
                hasher.update(block)
                progress(len(block))
            file.flush()
            os.fsync(file.fileno())
        return hasher.fingerprint()

    def names(self, key: str) -> list[str]:
        """The names of what is in a folder; none where there is none."""
        with self._errors("list", key):
            try:
                found = self._files.ls(self._path(key), detail=False)
            except (FileNotFoundError, NotADirectoryError):
                return []
        return [str(path).rstrip("/").rpartition("/")[2] for path in found]

    def remove(self, key: str, first: str = "") -> None:
        """Remove a file, or a folder of which the file `first` goes before all others.

        Raises:
            MirrorError: it cannot be removed.
        """
        with self._errors("remove", key), contextlib.suppress(FileNotFoundError):
            if first:
                with contextlib.suppress(FileNotFoundError):
                    self._files.rm_file(self._path(f"{key}/{first}"))
                self._files.rm(self._path(key), recursive=True)
            else:
                self._files.rm_file(self._path(key))

    def require_usable(self) -> None:
        """Write, read and remove a few bytes.

        Raises:
            MirrorError: one of these fails.
        """
        key, content = f"probe-{uuid.uuid4().hex}", b"voicecoach tests whether it can write here\n"
        self.write(key, content)
        if self.read(key, len(content)) != content:
            raise MirrorError(f"{self.address} does not keep what is written there", refused=True)
        self.remove(key)

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"

    def _blocks(self, key: str, size: int) -> Iterator[bytes]:
        """A file in blocks, no more than a byte beyond the size it should have."""
        left = size + 1
        with self._errors("read", key):
            self._require_plain_file(key)
            with self._files.open(self._path(key), "rb") as file:
                while left > 0 and (block := file.read(min(_BLOCK, left))):
                    left -= len(block)
                    yield block

    @contextlib.contextmanager
    def _replacing(self, key: str) -> Iterator[IO[bytes]]:
        """Open a file of a folder that takes its place at once, on disk, or not at all.

        It is a copy of what is private in a voice, and for its owner alone as well.
        """
        path = Path(self._path(key))
        part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
        make_folder(path.parent, private_from=Path(self._root))
        try:
            with open(open_private(part, os.O_WRONLY), "wb") as file:  # noqa: PTH123 (no path)
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        fsync(path.parent)

    def _require_inside(self, key: str) -> None:
        """Refuse a link in a folder that leads out of it, as a stranger's might have."""
        if self.is_local:
            home = Path(self._root).resolve()
            if not Path(self._path(key)).resolve().is_relative_to(home):
                raise PermissionError("it is a link that leads out of the mirror")

    def _require_plain_file(self, key: str) -> None:
        """Refuse a device or a pipe, which would never end, or block."""
        self._require_inside(key)
        if self.is_local and not stat.S_ISREG(Path(self._path(key)).stat().st_mode):
            raise PermissionError("it is not a plain file")

    @contextlib.contextmanager
    def _errors(self, action: str, key: str) -> Iterator[None]:
        """Turn whatever the libraries raise into one kind of error."""
        try:
            yield
        except MirrorError:
            raise
        except Exception as error:
            reason = without_secrets(error) or type(error).__name__
            if type(error).__name__ in _NO_CREDENTIALS:
                reason = f"{reason}; put them where the cloud's own tools look for them"
            refused = isinstance(error, PermissionError | FileNotFoundError) or (
                type(error).__name__ in _REFUSALS
            )
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
    if protocol not in _KINDS:
        raise InputError(f"The mirror {shown} is of an unsupported kind; give {EXAMPLES}.")
    for name in _LIBRARIES:
        # Their reports of each try go into the log, and without one not to the terminal.
        logging.getLogger(name).addHandler(logging.NullHandler())
    try:
        fsspec.get_filesystem_class(protocol)
    except ImportError as error:
        raise InputError(
            f"The mirror {shown} needs a library that is not installed: pip install "
            f"{_KINDS[protocol]}."
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
