"""The lock that lets one process at a time train in a folder."""

import fcntl
import os
from datetime import datetime
from pathlib import Path

from engine.errors import EngineError, InputError

LOCK_NAME = "lock"
"""The lock file's name in its folder."""


def acquire_lock(folder: Path) -> int:
    """Take a voice folder's lock and return the file descriptor that holds it.

    The operating system lets go of the lock when the process ends, however it ends.

    Raises:
        InputError: another process has it.
        EngineError: the lock file cannot be written, or the file system knows no locks.
    """
    path = folder / LOCK_NAME
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise EngineError(f"Cannot write {path}: {error.strerror}.") from error
    try:
        _lock(descriptor, folder)
    except OSError as error:
        os.close(descriptor)
        raise EngineError(f"Cannot lock {path}: {error.strerror}.") from error
    except InputError:
        os.close(descriptor)
        raise
    return descriptor


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 200).decode(errors="replace").strip()
        raise InputError(
            f"The voice in {folder} is being trained by {holder or 'another process'}; "
            f"wait for it, or stop it with `kill` and its pid (it saves first)."
        ) from None
    since = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"process {os.getpid()} since {since}\n".encode())
