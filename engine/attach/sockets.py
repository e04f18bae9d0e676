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

_BACKLOG = 64


class Listener:
    """The open socket of a voice folder, which may be moved, or replaced by another."""

    def __init__(self, folder: Path) -> None:
        """Open the socket; one that a dead process left is replaced.

        The caller holds the folder's lock, so that no living process loses its own.

        Raises:
            OSError: the file system has no sockets, a folder has the name, and the like.
        """
        with contextlib.ExitStack() as opened:
            self._directory = _open(folder)
            opened.callback(os.close, self._directory)
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            opened.callback(self.socket.close)
            # Linux gives the file the mode of the socket: at no moment can others open it. Where
            # the mode is refused, others who connect are still turned away: `is_trusted`.
            with contextlib.suppress(OSError):
                os.fchmod(self.socket.fileno(), PRIVATE)
            _remove_left(self._directory, folder)
            self.socket.bind(_short(self._directory))
            self.socket.listen(_BACKLOG)
            self._made = _status_in(self._directory)
            opened.pop_all()

    def is_there(self) -> bool:
        """Whether the socket still has its name in its folder.

        Raises:
            OSError: the folder cannot be read.
        """
        try:
            return os.path.samestat(_status_in(self._directory), self._made)
        except FileNotFoundError:
            return False

    def close(self) -> None:
        """Close the socket and remove its file, wherever the folder is; another's stays."""
        self.socket.close()
        # A voice that could not be made has lost its folder already.
        with contextlib.suppress(OSError):
            if self.is_there():
                os.unlink(SOCKET_NAME, dir_fd=self._directory)
        os.close(self._directory)


def _open(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _short(folder: int) -> str:
    """A path of the socket in an open folder that is short enough: the kernel takes 107 bytes."""
    return f"/proc/self/fd/{folder}/{SOCKET_NAME}"


def _status_in(folder: int) -> os.stat_result:
    return os.stat(SOCKET_NAME, dir_fd=folder, follow_symlinks=False)


def _remove_left(directory: int, folder: Path) -> None:
    """Remove a dead process's socket, or a link; anything else stays and is an `OSError`."""
    with contextlib.suppress(FileNotFoundError):
        mode = _status_in(directory).st_mode
        if not (stat.S_ISSOCK(mode) or stat.S_ISLNK(mode)):
            raise FileExistsError(f"{folder / SOCKET_NAME} exists and is not a socket")
        os.unlink(SOCKET_NAME, dir_fd=directory)


def connect(folder: Path, seconds: float) -> socket.socket:
    """Connect to the run of a voice folder; the socket has that timeout from then on.

    Raises:
        OSError: nobody answers.
        TimeoutError: not in time.
        PermissionError: another user answers.
    """
    with contextlib.ExitStack() as opened:
        connection = opened.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        # A socket that does not block would be refused where others wait to be accepted.
        timeout = struct.pack("ll", int(seconds), int(seconds % 1 * 1e6) or 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeout)
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
        opened.pop_all()
        return connection


def peer(connection: socket.socket) -> tuple[int, int]:
    """Process and user of the other side, from the kernel."""
    size = struct.calcsize("3i")
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    pid, uid, _gid = struct.unpack("3i", credentials)
    return pid, uid


def is_trusted(connection: socket.socket) -> bool:
    """Whether the other side is our own user or root."""
    return peer(connection)[1] in (os.geteuid(), 0)
