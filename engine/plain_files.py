"""Files of a voice that a stranger may have made: plain files in plain folders, and nothing else.

A voice travels: from a colleague, an archive, a mirror. A link in it could have us read, or append
to, any file of ours; a pipe would have us wait for ever; a file of holes takes no room on a disk
and all of a memory.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path

from engine.errors import InputError

PRIVATE = 0o600
"""Permissions of a file for its owner alone."""
OTHERS = 0o077
"""What permissions allow anybody but the owner."""

_FOLDERS = frozenset({"text2mel", "ssrn", "samples", "features", ".restoring"})
"""What a voice keeps in folders; others in a voice folder are the person's, recordings perhaps."""
_A_LINK = "it is a link, and links in a voice are not followed"
_NOT_PLAIN = "it is no plain file"


def open_plain(path: Path, flags: int = os.O_RDONLY, mode: int = 0o666) -> int:
    """Open a plain file and return its descriptor; `mode` is that of a new one.

    Raises:
        OSError: it cannot be opened, is a link, or is no plain file, such as a pipe.
    """
    try:
        # Not to wait for somebody at the other end of a pipe.
        flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
        descriptor = os.open(path, flags, mode)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, _A_LINK, str(path)) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, _NOT_PLAIN, str(path))
    return descriptor


def open_private(path: Path, flags: int) -> int:
    """Open a plain file to write, made where there is none, and return its descriptor.

    It is for its owner alone; others lose what permissions they had. File systems without
    permissions, such as FAT, refuse that: the file is opened all the same.

    Raises:
        OSError: as `open_plain`.
    """
    descriptor = open_plain(path, flags | os.O_CREAT, PRIVATE)
    make_private(descriptor)
    return descriptor


def make_private(descriptor: int) -> None:
    """Take the permissions that others have to an open file of ours, where that is possible."""
    status = os.fstat(descriptor)
    if status.st_mode & OTHERS and status.st_uid == os.geteuid():
        with contextlib.suppress(OSError):
            os.fchmod(descriptor, PRIVATE)


@contextlib.contextmanager
def plain_file(path: Path) -> Iterator[BufferedReader]:
    """Open a plain file to read.

    Raises:
        OSError: as `open_plain`.
    """
    with open(open_plain(path), "rb") as file:
        yield file


def read_plain(path: Path, most: int) -> bytes:
    """Read a plain file that has at most so many bytes; memory is taken for no more.

    Raises:
        OSError: as `open_plain`, or it has more.
    """
    with plain_file(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it is too large (maximum {most:,} bytes)", str(path))
    return content


def require_plain(folder: Path) -> None:
    """Refuse a voice folder in which links or pipes stand where a voice has files and folders.

    Links to folders that are none of a voice's, such as one to the recordings, are left alone.

    Raises:
        InputError: naming the first of them.
        OSError: a folder cannot be read.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name in _FOLDERS:
                _require(entry, _is_folder_or_file)
                if entry.is_dir(follow_symlinks=False):
                    _require_plain_below(entry.path)
            elif not entry.is_dir():
                _require(entry, _is_file_or_socket)


def _require_plain_below(folder: str) -> None:
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                _require(entry, _is_folder_or_file)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)


def _is_folder_or_file(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False)


def _is_file_or_socket(entry: os.DirEntry[str]) -> bool:
    if entry.is_file(follow_symlinks=False):
        return True
    # The socket of a run, which checks for itself who is at its other end; a socket cannot be
    # opened as a file.
    return stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode)


def _require(entry: os.DirEntry[str], is_fit: Callable[[os.DirEntry[str]], bool]) -> None:
    try:
        fit = is_fit(entry)
    except FileNotFoundError:
        return  # removed meanwhile by whoever trains
    if not fit:
        what = _A_LINK if entry.is_symlink() else _NOT_PLAIN
        raise InputError(
            f"{entry.path} cannot be used: {what}; put the file or folder itself in its place, or "
            f"take it away."
        )


def whole_path(path: Path) -> Path:
    """A path from the root on as a person would write it: without `..` where that is the same.

    Links in it stay, for they may lead elsewhere another day; behind one, `..` means another folder
    and stays, too.
    """
    short = os.path.normpath(path.absolute())
    return Path(short) if os.path.realpath(short) == os.path.realpath(path) else path.absolute()
