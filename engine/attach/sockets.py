"""Unix sockets in folders of any depth, for their owner alone."""

import contextlib
import os
import socket
import stat
import struct
from pathlib import Path

from engine.files import PRIVATE

SOCKET_NAME = "socket"
"""The socket's name in the voice folder."""

_WAITING = 64


class SocketFile:
    """The file of an open socket, in a folder that may be moved, or replaced by another."""

    def __init__(self, folder: int) -> None:
        """Take over the descriptor of the folder in which the socket has just been made."""
        self._folder = folder
        self._made = _status_in(folder)

    def is_there(self) -> bool:
        """Whether the socket still has its name in its folder.

        Raises:
            OSError: the folder cannot be looked into.
        """
        try:
            return os.path.samestat(_status_in(self._folder), self._made)
        except FileNotFoundError:
            return False

    def remove(self) -> None:
        """Remove the file from its folder, wherever that is; one made by somebody else stays.

        Raises:
            OSError: it cannot be removed.
        """
        try:
            if self.is_there():
                os.unlink(SOCKET_NAME, dir_fd=self._folder)
        finally:
            os.close(self._folder)


def _open(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _short(folder: int) -> str:
    """A name of the socket in an open folder that is short enough: the kernel takes 107 bytes."""
    return f"/proc/self/fd/{folder}/{SOCKET_NAME}"


def _status_in(folder: int) -> os.stat_result:
    return os.stat(SOCKET_NAME, dir_fd=folder, follow_symlinks=False)


def listen(folder: Path) -> tuple[socket.socket, SocketFile]:
    """Open the socket of a voice folder; one that a dead process left is replaced.

    Whoever calls this holds the folder's lock, so that no living process loses its own.

    Returns:
        The socket, and its file, which is to be removed in the end.

    Raises:
        OSError: the folder's file system has no sockets, a folder has the name, and the like.
    """
    directory = _open(folder)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        # Linux gives the file the mode of the socket: at no moment can others open it. Where the
        # mode is refused, others who connect are turned away all the same: see `is_trusted`.
        with contextlib.suppress(OSError):
            os.fchmod(listener.fileno(), PRIVATE)
        _remove_left(directory, folder)
        listener.bind(_short(directory))
        listener.listen(_WAITING)
        return listener, SocketFile(directory)
    except BaseException:
        listener.close()
        os.close(directory)
        raise


def _remove_left(directory: int, folder: Path) -> None:
    """Remove what a dead process left; what is no socket, nor a link, stays and is an `OSError`."""
    with contextlib.suppress(FileNotFoundError):
        mode = _status_in(directory).st_mode
        if not (stat.S_ISSOCK(mode) or stat.S_ISLNK(mode)):
            raise FileExistsError(f"{folder / SOCKET_NAME} is there, and is no socket")
        os.unlink(SOCKET_NAME, dir_fd=directory)


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
        directory = _open(folder)
        try:
            connection.connect(_short(directory))
        except BlockingIOError:
            raise TimeoutError("too many wait to be accepted") from None
        finally:
            os.close(directory)
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
