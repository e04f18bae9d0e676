"""Unix sockets in folders of any depth, for their owner alone."""

import contextlib
import os
import socket
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

from engine.plain_files import PRIVATE

SOCKET_NAME = "socket"
"""The socket's name in the voice folder."""

_WAITING = 64


@contextlib.contextmanager
def _short(folder: Path) -> Iterator[str]:
    """A name of the socket in a folder that is short enough: the kernel takes 107 bytes."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET_NAME}"
    finally:
        os.close(descriptor)


def listen(folder: Path) -> socket.socket:
    """Open the socket of a voice folder; one that a dead process left is replaced.

    Whoever calls this holds the folder's lock, so that no living process loses its own.

    Raises:
        OSError: the folder's file system has no sockets, a folder has the name, and the like.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        # Linux gives the file the mode of the socket: at no moment can others open it. Where the
        # mode is refused, others who connect are turned away all the same: see `is_trusted`.
        with contextlib.suppress(OSError):
            os.fchmod(listener.fileno(), PRIVATE)
        remove(folder)
        with _short(folder) as name:
            listener.bind(name)
        listener.listen(_WAITING)
    except BaseException:
        listener.close()
        raise
    return listener


def remove(folder: Path) -> None:
    """Remove the socket's file; what is no socket, nor a link, stays and is an `OSError`."""
    path = folder / SOCKET_NAME
    with contextlib.suppress(FileNotFoundError):
        mode = path.lstat().st_mode
        if not (stat.S_ISSOCK(mode) or stat.S_ISLNK(mode)):
            raise FileExistsError(f"{path} is there, and is no socket")
        path.unlink()


def connect(folder: Path, seconds: float) -> socket.socket:
    """Connect to the run of a voice folder; the socket waits at most so long from then on.

    Raises:
        OSError: nobody answers.
        TimeoutError: not in time.
        PermissionError: whoever answers is another user.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # A socket that does not block would be refused where others wait to be accepted.
        patience = struct.pack("ll", int(seconds), int(seconds % 1 * 1e6) or 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, patience)
        with _short(folder) as name:
            try:
                connection.connect(name)
            except BlockingIOError:
                raise TimeoutError("too many wait to be accepted") from None
        connection.settimeout(seconds)
        if not is_trusted(connection):
            raise PermissionError("the run belongs to another user")
    except BaseException:
        connection.close()
        raise
    return connection


def peer(connection: socket.socket) -> tuple[int, int]:
    """Process and user of the other side, as the kernel knows them."""
    size = struct.calcsize("3i")
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    pid, uid, _gid = struct.unpack("3i", told)
    return pid, uid


def is_trusted(connection: socket.socket) -> bool:
    """Whether the other side is our own user or root."""
    return peer(connection)[1] in (os.geteuid(), 0)
