"""Files that are there whole or not at all, and lines that are added without harming others."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from engine.errors import EngineError
from engine.plain_files import open_plain


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that appears under its name only when it is complete and on the disk.

    No reader, and no power cut, ever meets half of it. When the block raises, nothing is left.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        # One that a dead process left, or that leads elsewhere, is not written into.
        temporary.unlink(missing_ok=True)
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, and its folder where there is none, so that it is there whole or not at all.

    Raises `EngineError` naming the file when it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(content)
    except OSError as error:
        raise EngineError(
            f"{path} cannot be written: {error.strerror}. Free some space or choose another place."
        ) from error


def append_line(path: Path, line: str, *, sync: bool = False) -> None:
    """Add a line to a text file; a line before it that was cut off does not swallow it.

    Args:
        path: the file, made if there is none.
        line: its text, without the end of the line.
        sync: wait until the line is safe on the disk.

    Raises `EngineError` naming the file when it cannot be written.
    """
    try:
        descriptor = open_plain(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        with open(descriptor, "ab+", buffering=0) as file:  # noqa: PTH123 (no path)
            size = file.seek(0, os.SEEK_END)
            content = line.encode() + b"\n"
            if size and os.pread(file.fileno(), 1, size - 1) != b"\n":
                content = b"\n" + content
            if file.write(content) != len(content):
                file.truncate(size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if sync:
                _sync_or_cut(file.fileno(), size)
    except OSError as error:
        raise EngineError(f"{path} cannot be written: {error.strerror}.") from error


def _sync_or_cut(descriptor: int, size: int) -> None:
    """Make a file safe; where it cannot be, cut it to a size, so that a retry adds nothing twice.

    A file system across a network may say only here that it is full.
    """
    try:
        os.fsync(descriptor)
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, size)
        raise


def sync_file(path: Path) -> None:
    """Make what a file holds survive a power cut.

    Raises OSError where there is none, or where it cannot be made safe.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make a rename in the folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
