"""Files that are there whole or not at all, and lines that are added without harming others."""

import contextlib
import errno
import os
from collections.abc import Iterator
from itertools import takewhile
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


def write_whole(path: Path, content: bytes, *, make_folders: bool = True) -> None:
    """Write a file so that it is there whole or not at all.

    Args:
        path: the file.
        content: what it is to hold.
        make_folders: make the folders above it where there are none. A run does not, in the voice
            folder that it has locked: one that is gone must not be made again without its lock.

    Raises `EngineError` naming the file when it cannot be written.
    """
    try:
        if make_folders:
            make_folder(path.parent)
        with replacing(path) as file:
            file.write(content)
    except OSError as error:
        raise EngineError(
            f"{path} cannot be written: {error.strerror}. Free some space or choose another place."
        ) from error


def sweep_parts(folder: Path) -> None:
    """Remove what processes that were killed in the middle of `replacing` left in a folder.

    Raises OSError when the folder cannot be read or written.
    """
    for path in folder.glob("*.part"):
        pid = path.stem.rpartition(".")[2]
        if pid.isdecimal() and not _is_running(int(pid)):
            path.unlink(missing_ok=True)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True  # it belongs to someone else
    return True


def append_line(path: Path, line: str, *, sync: bool = False) -> None:
    """Add a line to a text file; a line before it that was cut off does not swallow it.

    Args:
        path: the file, made if there is none.
        line: its text, without the end of the line.
        sync: wait until the line is safe on the disk.

    Raises `EngineError` naming the file when it cannot be written; the file is as it was.
    """
    try:
        descriptor = open_plain(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        with open(descriptor, "ab+", buffering=0) as file:  # noqa: PTH123 (no path)
            size = file.seek(0, os.SEEK_END)
            content = line.encode() + b"\n"
            if size and os.pread(file.fileno(), 1, size - 1) != b"\n":
                content = b"\n" + content
            try:
                if file.write(content) != len(content):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                if sync:
                    os.fsync(file.fileno())
            except OSError:
                # Whoever is told that it is not there writes it again: nothing of it may stay.
                with contextlib.suppress(OSError):
                    file.truncate(size)
                raise
    except OSError as error:
        raise EngineError(f"{path} cannot be written: {error.strerror}.") from error


def sync_file(path: Path) -> None:
    """Make what a file holds survive a power cut.

    Raises OSError where there is none, or where it cannot be made safe.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path, within: Path | None = None) -> None:
    """Make a folder and those above it, where there are none, so that they survive a power cut.

    What is safe inside of a folder is lost with it where its own entry was not made safe.

    Args:
        folder: the folder.
        within: a folder above it that has to be there, and is not made.

    Raises OSError where it cannot be made.
    """
    missing = list(takewhile(lambda one: not one.exists(), (folder, *folder.parents)))
    if within in missing:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(within))
    if not missing:
        # What has the name may be a file.
        folder.mkdir(exist_ok=True)
    for one in reversed(missing):
        # Without those above it: one that was there may have gone since.
        one.mkdir(exist_ok=True)
        sync_folder(one.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in the folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
