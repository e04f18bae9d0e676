"""Files that are there whole or not at all, and lines that are added without harming others.

What is made here is for its owner alone, unless the caller says otherwise: a voice is nobody
else's business, whatever the umask.
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from typing import IO

from engine.errors import EngineError
from engine.plain_files import PRIVATE, open_plain, open_private

SHARED = 0o666
"""Permissions of a file that is made to be handed on; the umask takes its share of them."""
PRIVATE_FOLDER = 0o700
"""Permissions of a folder for its owner alone."""

# Entries that cannot be removed and are named one by one.
_MAX_NAMED = 3


@contextlib.contextmanager
def replacing(path: Path, mode: int = PRIVATE) -> Iterator[IO[bytes]]:
    """Open a file that appears under its name only when it is complete and on the disk.

    No reader, and no power cut, ever meets half of it. When the block raises, nothing is left.
    `mode` is its permissions, less the umask.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        # One that a dead process left, or that leads elsewhere, is not written into.
        temporary.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with open(open_plain(temporary, flags, mode), "wb") as file:  # noqa: PTH123 (no path)
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(
    path: Path, content: bytes, mode: int = PRIVATE, *, make_folders: bool = True
) -> None:
    """Write a file so that it is there whole or not at all.

    Args:
        path: the file.
        content: what it is to hold.
        mode: its permissions, less the umask.
        make_folders: make the folders above it where there are none. A run does not, in the voice
            folder that it has locked: one that is gone must not be made again without its lock.

    Raises `EngineError` naming the file when it cannot be written.
    """
    try:
        if make_folders:
            make_folder(path.parent)
        with replacing(path, mode) as file:
            file.write(content)
    except OSError as error:
        raise EngineError(
            f"{path} cannot be written: {error.strerror}. Free some space or choose another place."
        ) from error


def sweep_parts(folder: Path) -> dict[Path, OSError]:
    """Remove what processes that were killed in the middle of `replacing` left in a folder.

    Returns those that cannot be removed, as `remove_all`. Raises OSError when the folder cannot be
    read.
    """
    found = ((path, path.stem.rpartition(".")[2]) for path in folder.glob("*.part"))
    return remove_all(path for path, pid in found if pid.isdecimal() and not _is_running(int(pid)))


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it, as far as that is possible.

    Raises:
        OSError: some of it cannot be removed; all else is gone.
    """
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        shutil.rmtree(path)  # says what is in the way


def remove_all(paths: Iterable[Path]) -> dict[Path, OSError]:
    """Remove files and folders; one that cannot be removed does not keep the others.

    Returns those of which something is left, each with the reason.
    """
    left = {}
    for path in paths:
        try:
            remove(path)
        except OSError as error:
            left[path] = error
    return left


def sentence_about_left(left: Mapping[Path, OSError]) -> str:
    """Say which files and folders cannot be removed, and what to do; empty where all are gone."""
    if not left:
        return ""
    named = [f"{path} ({error.strerror or error})" for path, error in left.items()]
    more = f" and {len(named) - _MAX_NAMED:,} more" if len(named) > _MAX_NAMED else ""
    text = (
        f"cannot be removed: {', '.join(named[:_MAX_NAMED])}{more}; no longer needed: delete by "
        f"hand what takes up space"
    )
    if any(error.errno == errno.EPERM for error in left.values()):
        text += " (`lsattr -aR` shows what is marked immutable, `chattr -i` lifts that)"
    return text


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
        descriptor = open_private(path, os.O_RDWR | os.O_APPEND)
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


def is_exposed(path: Path, within: Path) -> bool:
    """Whether other users of this host can read a file that is in a folder, or below.

    Args:
        path: the file; one that is not there, or not in that folder, is not exposed.
        within: that folder; the permissions of those above it do not count.
    """
    try:
        # The group and all others, each of which needs both: to read the file, and to enter.
        who = path.stat().st_mode >> 2 & 0o011
        for folder in path.parents[: len(path.relative_to(within).parts)]:
            who &= folder.stat().st_mode
    except (OSError, ValueError):
        return False
    return bool(who)


def sync_file(path: Path) -> None:
    """Make what a file holds survive a power cut.

    Raises OSError where there is none, or where it cannot be made safe.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(
    folder: Path, *, within: Path | None = None, private_from: Path | None = None
) -> None:
    """Make a folder and those above it, where there are none, so that they survive a power cut.

    What is safe inside of a folder is lost with it where its own entry was not made safe. A folder
    that exists keeps its permissions.

    Args:
        folder: is made for its owner alone; those above it get what the umask gives.
        within: a folder above that has to be there, and is not made; all below it are made for
            their owner alone.
        private_from: a folder above; it, and all below it, are made for their owner alone.

    Raises OSError where it cannot be made.
    """
    top = within or private_from or folder
    missing = list(takewhile(lambda one: not one.exists(), (folder, *folder.parents)))
    if within in missing:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(within))
    for one in reversed(missing):
        # Without those above it: one that was there may have gone since.
        one.mkdir(PRIVATE_FOLDER if one.is_relative_to(top) else 0o777, exist_ok=True)
        sync_folder(one.parent)
    folder.mkdir(exist_ok=True)  # fails where a file has its name


def sync_folder(folder: Path) -> None:
    """Make a rename in the folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
