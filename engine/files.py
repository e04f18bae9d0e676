"""Files that are there whole or not at all, and files of strangers read with care.

What is made here is for its owner alone, unless the caller says otherwise: a voice is nobody
else's business, whatever the umask.

A voice travels. A link in it could have us read, or append to, any file of ours; a pipe would have
us wait for ever; a file of holes takes no room on a disk and all of a memory. So files of a voice
are opened as plain files only, and read up to a limit.
"""

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from io import BufferedReader
from itertools import takewhile
from pathlib import Path
from typing import IO

from engine.errors import EngineError, InputError, VoicecoachError
from engine.formatting import format_bytes

PRIVATE = 0o600
"""Permissions of a file for its owner alone."""
SHARED = 0o666
"""Permissions of a file that is made to be handed on; the umask takes its share of them."""
PRIVATE_FOLDER = 0o700
"""Permissions of a folder for its owner alone."""

_OTHERS = 0o077
_FULL = (errno.ENOSPC, errno.EDQUOT)
A_LINK = "it is a link, and links in a voice are not followed"
NOT_PLAIN = "it is not a plain file"
_MAX_NAMED = 3


# Opening and reading


def open_plain(path: Path, flags: int = os.O_RDONLY, mode: int = SHARED) -> int:
    """Open a plain file and return its descriptor; `mode` is that of a new one.

    Raises:
        OSError: it cannot be opened, is a link, or is not a plain file, such as a pipe.
    """
    # O_NONBLOCK: not to wait for somebody at the other end of a pipe.
    flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    try:
        descriptor = os.open(path, flags, mode)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, A_LINK, str(path)) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, NOT_PLAIN, str(path))
    return descriptor


def open_private(path: Path, flags: int) -> int:
    """Open a plain file to write, made where there is none; raises as `open_plain`."""
    descriptor = open_plain(path, flags | os.O_CREAT, PRIVATE)
    make_private(descriptor)
    return descriptor


def make_private(descriptor: int) -> None:
    """Take other users' permissions from an open file of ours; FAT and the like have none."""
    status = os.fstat(descriptor)
    if status.st_mode & _OTHERS and status.st_uid == os.geteuid():
        with contextlib.suppress(OSError):
            os.fchmod(descriptor, PRIVATE)


@contextlib.contextmanager
def plain_file(path: Path) -> Iterator[BufferedReader]:
    """Open a plain file to read; raises as `open_plain`."""
    with open(open_plain(path), "rb") as file:
        yield file


def read_plain(path: Path, max_bytes: int) -> bytes:
    """Read a plain file; memory is taken for no more than `max_bytes`.

    Raises:
        OSError: as `open_plain`, or it is larger.
    """
    with plain_file(path) as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise OSError(errno.EFBIG, f"it is too large (maximum {max_bytes:,} bytes)", str(path))
    return content


# Writing


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
        with open(open_plain(temporary, flags, mode), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        fsync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(
    path: Path, content: bytes, mode: int = PRIVATE, *, make_folders: bool = True
) -> None:
    """Write a file so that it is there whole or not at all; `mode` as in `replacing`.

    A run that writes into the voice folder that it has locked makes no folders: one that is gone
    must not come back without its lock.

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


def append_line(path: Path, line: str, *, sync: bool = False) -> None:
    """Add a line to a text file, made if there is none; `sync` waits until it is on the disk.

    A line before it that was cut off does not swallow it.

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
                # The caller will write it again: nothing of it may stay.
                with contextlib.suppress(OSError):
                    file.truncate(size)
                raise
    except OSError as error:
        raise EngineError(f"{path} cannot be written: {error.strerror}.") from error


def fsync(path: Path) -> None:
    """Make a file's content, or the names in a folder, survive a power cut.

    Raises OSError where there is none, or where it cannot be made safe.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# Folders


def make_folder(
    folder: Path, *, within: Path | None = None, private_from: Path | None = None
) -> None:
    """Make a folder and those above it, where there are none, so that they survive a power cut.

    The folder itself is made for its owner alone; those above it get what the umask gives. One
    that exists keeps its permissions.

    Args:
        folder: to be made.
        within: a folder above that has to be there; all below it are made for their owner alone.
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
        fsync(one.parent)
    folder.mkdir(exist_ok=True)  # fails where a file has its name


def require_makeable(target: Path) -> None:
    """Refuse a folder that can never be made, before time goes into what it would hold.

    Raises:
        InputError: there can be no such folder.
        EngineError: the disk is full.
    """
    with _temporary_folder(target, PRIVATE_FOLDER):
        pass


@contextlib.contextmanager
def new_folder(target: Path, mode: int = 0o777) -> Iterator[Path]:
    """Make a folder that appears under its name only when the block has ended well.

    When the block raises, nothing is left of it, nor of the folders made above it. `mode` is its
    permissions, less the umask.

    Raises:
        InputError: there can be no such folder.
        EngineError: it cannot be written.
    """
    with _temporary_folder(target, mode) as temporary:
        try:
            yield temporary
            temporary.rename(target)
            fsync(target.parent)
        except OSError as error:
            raise EngineError(
                f"{target} cannot be written: {error.strerror or error}; nothing of it is left. "
                f"{_advice(error)}."
            ) from error


@contextlib.contextmanager
def _temporary_folder(target: Path, mode: int) -> Iterator[Path]:
    """A temporary folder beside the target, and the folders above it, until the block ends.

    Folders above that hold something then stay: the target itself, if it got its name.
    """
    target = target.absolute()
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    absent: list[Path] = []  # the deepest first
    try:
        try:
            absent += [parent for parent in target.parents if not parent.exists()]
            temporary.mkdir(mode, parents=True)
        except OSError as error:
            raise unusable_path(target, error) from error
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        for parent in absent:
            with contextlib.suppress(OSError):  # it is not empty, or was not made
                parent.rmdir()


def unusable_path(target: Path, error: OSError) -> VoicecoachError:
    """The error for a path of the person's that cannot be made or written.

    It is the place that is wrong, and so the input, unless the disk is full.
    """
    message = f"{target} cannot be made or written: {error.strerror or error}. {_advice(error)}."
    return (EngineError if error.errno in _FULL else InputError)(message)


def _advice(error: OSError) -> str:
    full = error.errno in _FULL
    return "Free some space, or choose another place" if full else "Choose another place"


def absolute_path(path: Path) -> Path:
    """A path from the root on as a person would write it: without `..` where that is the same.

    Links in it stay, for they may lead elsewhere another day; behind one, `..` means another folder
    and stays, too.
    """
    short = os.path.normpath(path.absolute())
    return Path(short) if os.path.realpath(short) == os.path.realpath(path) else path.absolute()


# Removing


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


def unremoved_message(left: Mapping[Path, OSError]) -> str:
    """Say which files and folders cannot be removed; empty where all are gone."""
    if not left:
        return ""
    named = [f"{path} ({error.strerror or error})" for path, error in left.items()]
    more = f" and {len(named) - _MAX_NAMED:,} more" if len(named) > _MAX_NAMED else ""
    return (
        f"cannot be removed: {', '.join(named[:_MAX_NAMED])}{more}; no longer needed: delete by "
        f"hand what takes up space"
    )


def sweep_parts(folder: Path) -> dict[Path, OSError]:
    """Remove what killed processes left of `replacing` in a folder; returns as `remove_all`.

    Raises OSError when the folder cannot be read.
    """
    found = ((path, path.stem.rpartition(".")[2]) for path in folder.glob("*.part"))
    return remove_all(path for path, pid in found if pid.isdecimal() and not is_running(int(pid)))


def changed_at(path: Path) -> int | None:
    """When a file or folder was changed, in nanoseconds; None where there is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def is_running(pid: int) -> bool:
    """Whether there is a process with this number, of any user, that has not ended."""
    return process_start(pid) is not None


def process_start(pid: int) -> int | None:
    """When a process started, in clock ticks from the boot; None if there is none, or a zombie."""
    try:
        stat_line = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    # The name, in brackets, may hold anything, brackets too.
    fields = stat_line.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else int(fields[19])


# Space


def require_room(path: Path, needed: int, what: str) -> None:
    """Refuse to begin what will not fit on the disk of a path, which need not exist yet.

    Raises:
        EngineError: saying how much `what` needs, and how much is free.
    """
    try:
        there = next(one for one in (path, *path.absolute().parents) if one.exists())
        free = shutil.disk_usage(there).free
    except OSError:
        return  # the attempt itself will tell
    if free < needed:
        raise EngineError(
            f"{what} needs {format_bytes(needed)}, but {format_bytes(free)} are free on the disk "
            f"of {path}; free {format_bytes(needed - free)} there."
        )
