"""The place of a mirror: a bucket or a folder, read and written through fsspec.

Anything that goes wrong there is a `MirrorError` in one sentence, whichever library noticed it.
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
from typing import IO, Any

from engine.errors import EngineError, InputError
from engine.files import fsync, make_folder, open_private
from engine.mirror.address import HOW_TO_SAY_WHERE, told
from engine.mirror.fingerprint import PART_BYTES, Fingerprint, Hasher

_S3, _GCS = "'voicecoach[s3]'", "'voicecoach[gcs]'"
# The kinds of places, and what is to be installed for each. fsspec knows more, of which most cannot
# be written to, or end with the process.
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
# Seconds to wait for a connection, and for an answer on it, before the try has failed.
_CONNECT_SECONDS = 10
_READ_SECONDS = 60
# What no waiting will mend; by name, for the libraries are there only with their extras.
_NO_CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError")
_REFUSALS = (*_NO_CREDENTIALS, "ParamValidationError")
_BLOCK = 2**23


class MirrorError(EngineError):
    """The mirror cannot be used at the moment; training goes on without it."""

    def __init__(self, sentence: str, *, refused: bool = False) -> None:
        super().__init__(sentence)
        self.refused = refused
        """Whether trying again will not help: no such bucket, no permission, no credentials."""


class Target:
    """Files under one address; keys are paths below it, parted by slashes."""

    def __init__(self, filesystem: Any, root: str, address: str) -> None:  # noqa: ANN401
        """Use a filesystem of fsspec, from its path `root` downwards."""
        self._files = filesystem
        self._root = root.rstrip("/")
        self._local = _is_local(filesystem)
        self.address = address
        """As a person wrote it."""
        self.not_removed: dict[str, str] = {}
        """Keys of what was discarded in vain, each with a sentence that says why."""

    @property
    def is_local(self) -> bool:
        """Whether it is a folder, which may lie on a disk that can be taken away."""
        return self._local

    def read(self, key: str, most: int) -> bytes | None:
        """Return a small file, at most `most` + 1 bytes of it; None where there is none."""
        with self._trouble("read", key):
            try:
                self._require_plain_file(key)
                content: bytes = self._files.cat_file(self._path(key), start=0, end=most + 1)
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return None
            return content

    def write(self, key: str, content: bytes) -> None:
        """Write a small file, whole: its reader sees the one before or this one."""
        with self._trouble("write", key):
            self._require_inside(key)
            if not self._local:
                self._files.pipe_file(self._path(key), content)
                return
            with self._replacing(key) as file:
                file.write(content)

    def put(self, source: Path, key: str, mark: Fingerprint) -> None:
        """Copy a file there and make sure that it arrived as it is.

        Raises:
            FileNotFoundError: `source` is gone.
            MirrorError: it cannot be written, or what arrived is not what was sent.
        """
        try:
            with self._trouble("write", key):
                self._require_inside(key)
                if self._local:
                    with source.open("rb") as read, self._replacing(key) as file:
                        shutil.copyfileobj(read, file, _BLOCK)
                else:
                    path = self._path(key)
                    more = {"chunksize": PART_BYTES} if self._protocols & {"s3", "s3a"} else {}
                    self._files.put_file(str(source), path, **more)
        except MirrorError as error:
            if not source.exists():
                raise FileNotFoundError(source) from error
            raise
        self._require_arrived(key, mark)

    def _require_arrived(self, key: str, mark: Fingerprint) -> None:
        """Compare size and checksum of what the mirror holds with those of what was sent.

        S3 and GCS tell the MD5 that they computed of what they received (S3 the ETag, of parts
        that of their MD5s): where that is the MD5 of what was sent, nothing needs to travel back.
        In all other cases, of buckets encrypted with keys of one's own too, the file is read back.
        """
        with self._trouble("read", key):
            info = self._files.info(self._path(key))
        if info.get("size") == mark.size and mark.is_vouched_for(info):
            return
        hasher = Hasher()
        for block in self._blocks(key, mark.size):
            hasher.update(block)
        if hasher.fingerprint().mark != mark.mark:
            raise MirrorError(f"{told(key)} did not arrive at {self.address} as it was sent")

    def fetch(self, key: str, target: Path, size: int, step: Callable[[int], None]) -> Fingerprint:
        """Copy a file from there, at most `size` bytes and one; tell each block's length.

        Raises:
            MirrorError: it cannot be read.
            OSError: `target` cannot be written.
        """
        hasher = Hasher()
        with open(open_private(target, os.O_WRONLY | os.O_TRUNC), "wb") as file:  # noqa: PTH123
            for block in self._blocks(key, size):
                file.write(block)
                hasher.update(block)
                step(len(block))
            file.flush()
            os.fsync(file.fileno())
        return hasher.fingerprint()

    def folders(self, key: str) -> list[str]:
        """The names of what lies under a key; none where there is nothing."""
        with self._trouble("list", key):
            try:
                found = self._files.ls(self._path(key), detail=False)
            except (FileNotFoundError, NotADirectoryError):
                return []
        return [str(path).rstrip("/").rpartition("/")[2] for path in found]

    def remove(self, key: str, first: str) -> None:
        """Remove a folder, and the file `first` of it before all others."""
        with self._trouble("remove", key), contextlib.suppress(FileNotFoundError):
            with contextlib.suppress(FileNotFoundError):
                self._files.rm_file(self._path(f"{key}/{first}"))
            self._files.rm(self._path(key), recursive=True)

    def remove_file(self, key: str) -> None:
        """Remove a file that may be there."""
        with self._trouble("remove", key), contextlib.suppress(FileNotFoundError):
            self._files.rm_file(self._path(key))

    def discard(self, key: str, first: str = "") -> bool:
        """Remove what is not needed any more; say whether it is gone.

        What alone cannot be removed, as where a file is write-protected, is noted in `not_removed`.

        Args:
            key: a folder, or a file.
            first: the file of a folder that is removed before all others.

        Raises:
            MirrorError: the mirror cannot be reached.
        """
        try:
            if first:
                self.remove(key, first)
            else:
                self.remove_file(key)
        except MirrorError as error:
            if not (error.refused or self._local):
                raise
            self.not_removed[key] = str(error)
            return False
        self.not_removed.pop(key, None)
        return True

    def require_usable(self) -> None:
        """Write, read and remove a few bytes.

        Raises:
            MirrorError: one of these cannot be done.
        """
        key, content = f"probe-{uuid.uuid4().hex}", b"voicecoach looks whether it can write here\n"
        self.write(key, content)
        if self.read(key, len(content)) != content:
            raise MirrorError(f"{self.address} does not keep what is written there", refused=True)
        self.remove_file(key)

    @property
    def _protocols(self) -> set[str]:
        protocol = self._files.protocol
        return {protocol} if isinstance(protocol, str) else set(protocol)

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"

    def _blocks(self, key: str, size: int) -> Iterator[bytes]:
        """A file in blocks, no more than a byte beyond the size it should have."""
        left = size + 1
        with self._trouble("read", key):
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
        """Refuse a link in a folder that leads out of it, as a stranger's might have.

        Raises:
            PermissionError: it does.
        """
        if not self._local:
            return
        home = Path(self._root).resolve()
        if not Path(self._path(key)).resolve().is_relative_to(home):
            raise PermissionError("it is a link that leads out of the mirror")

    def _require_plain_file(self, key: str) -> None:
        """Refuse what would never end, or block, when it is read from a folder: a device, a pipe.

        Raises:
            PermissionError: it is none, or lies outside.
            FileNotFoundError: there is nothing.
        """
        self._require_inside(key)
        if self._local and not stat.S_ISREG(Path(self._path(key)).stat().st_mode):
            raise PermissionError("it is not a plain file")

    @contextlib.contextmanager
    def _trouble(self, what: str, key: str) -> Iterator[None]:
        """Make one kind of error of whatever the libraries raise."""
        try:
            yield
        except MirrorError:
            raise
        except Exception as error:
            reason = told(error) or type(error).__name__
            if type(error).__name__ in _NO_CREDENTIALS:
                reason = f"{reason}; put them where the cloud's own tools look for them"
            refused = isinstance(error, PermissionError | FileNotFoundError) or (
                type(error).__name__ in _REFUSALS
            )
            raise MirrorError(
                f"cannot {what} {told(key)} at {self.address}: {reason}", refused=refused
            ) from error


def open_target(address: str) -> Target:
    """Open the place at an address that `checked_address` has returned.

    Raises:
        InputError: the library for it is not installed, or there is no such kind of place.
        MirrorError: it cannot be reached, of those that are asked at once.
    """
    import fsspec

    protocol, mark, _ = address.partition("://")
    if not mark:
        return Target(fsspec.filesystem("file", auto_mkdir=True), address, address)
    if protocol not in _KINDS:
        raise InputError(
            f"The mirror {told(address)} is of no kind that can be written to; give "
            f"{HOW_TO_SAY_WHERE}."
        )
    for name in _LIBRARIES:
        # What they say of each try goes into the log, and without one not to the terminal.
        logging.getLogger(name).addHandler(logging.NullHandler())
    try:
        kind = fsspec.get_filesystem_class(protocol)
    except ImportError as error:
        raise InputError(
            f"The mirror {told(address)} needs a library that is not installed: pip install "
            f"{_KINDS[protocol]}."
        ) from error
    try:
        filesystem, root = fsspec.core.url_to_fs(address, **_options(protocol))
    except Exception as error:
        # Some libraries connect at once.
        raise MirrorError(
            f"cannot open the mirror {told(address)}: {told(error) or type(error).__name__}",
            refused=isinstance(error, ValueError | TypeError | ImportError),
        ) from error
    assert isinstance(filesystem, kind)
    if protocol in ("s3", "s3a"):
        # How often s3fs itself tries; whoever calls waits longer between tries, and says so.
        filesystem.retries = 2
    return Target(filesystem, root, address)


def _options(protocol: str) -> dict[str, Any]:
    """What a library is told: no memory of listings, one part at a time, no long silence."""
    if protocol not in ("s3", "s3a"):
        return {"use_listings_cache": False, "skip_instance_cache": True}
    return {
        "use_listings_cache": False,
        "skip_instance_cache": True,
        "max_concurrency": 1,
        "config_kwargs": {
            "connect_timeout": _CONNECT_SECONDS,
            "read_timeout": _READ_SECONDS,
            "retries": {"max_attempts": 1},
        },
    }


def _is_local(filesystem: Any) -> bool:  # noqa: ANN401
    from fsspec.implementations.local import LocalFileSystem

    return isinstance(filesystem, LocalFileSystem)
