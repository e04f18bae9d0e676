"""The lock that lets one process at a time train in a folder."""

import fcntl
import os
import re
import shlex
import time
from datetime import datetime
from pathlib import Path

from engine.errors import EngineError, InputError
from engine.host.files import make_folder
from engine.host.new_folder import unusable

LOCK_NAME = "lock"
"""The lock file's name in its folder."""

_MOST_BYTES = 200
_SOMEBODY = "another process"
_HOLDER = re.compile(r"process (?P<pid>[0-9]{1,9}) since [0-9: -]{1,20}")

# Somebody who only asks who trains has the lock for a moment.
_TRIES = 3
# Others that give up a voice they were to make, and remove its folder with the lock.
_MAX_REMOVALS = 100
_BETWEEN_TRIES = 0.05


def acquire_lock(folder: Path) -> int:
    """Take a voice folder's lock and return the file descriptor that holds it.

    The folder is made where there is none. The operating system lets go of the lock when the
    process ends, however it ends: what a dead process wrote into the file is no lock, and is
    written over.

    Raises:
        InputError: another process has it, or the folder or the lock file cannot be written.
        EngineError: the disk is full, or the file system knows no locks.
    """
    path = folder / LOCK_NAME
    for tries_left in reversed(range(_MAX_REMOVALS)):
        place = folder
        try:
            make_folder(folder)
            place = path
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and tries_left:
                continue  # another process has just removed the folder it had made
            raise unusable(place, error) from error
        try:
            _lock(descriptor, folder)
            if _is_still_at(path, descriptor):
                _sign(descriptor)
                return descriptor
        except OSError as error:
            os.close(descriptor)
            raise EngineError(f"Cannot lock {path}: {error.strerror}.") from error
        except InputError:
            os.close(descriptor)
            raise
        os.close(descriptor)
    raise EngineError(f"Cannot lock {path}: another process keeps removing it; try again.")


def _is_still_at(path: Path, descriptor: int) -> bool:
    """Whether a file that was opened is still the one of that name: a removed lock locks nobody."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def require_untrained(folder: Path) -> None:
    """Refuse a voice folder in which a process trains, without taking its lock.

    Raises:
        InputError: naming the process, as `acquire_lock` does.
    """
    holder = holder_of(folder)
    if holder is not None:
        raise InputError(_held(folder, holder))


def holder_of(folder: Path) -> str | None:
    """Name the process that trains in a folder and since when; None if there is none."""
    try:
        descriptor = os.open(folder / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _signature(descriptor) or _SOMEBODY
    finally:
        os.close(descriptor)
    return None


def _lock(descriptor: int, folder: Path) -> None:
    for tries_left in reversed(range(_TRIES)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if tries_left:
                time.sleep(_BETWEEN_TRIES)
                continue
            raise InputError(_held(folder, _signature(descriptor) or _SOMEBODY)) from None
        return


def _held(folder: Path, holder: str) -> str:
    stop = "" if holder == _SOMEBODY else f", or stop it with `kill {holder.split()[1]}`"
    saves = stop and " (it saves first)"
    return (
        f"The voice in {folder} is being trained by {holder}; look at it with "
        f"`voicecoach attach {shlex.quote(str(folder))}`{stop}{saves}."
    )


def _sign(descriptor: int) -> None:
    """Write who we are, as a whole: a reader must not meet half of one name and half of another."""
    since = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
    os.pwrite(descriptor, f"process {os.getpid()} since {since}\n".encode().ljust(_MOST_BYTES), 0)
    os.ftruncate(descriptor, _MOST_BYTES)


def _signature(descriptor: int) -> str | None:
    """Who wrote the lock file last; None for a process that is no more, which has no lock."""
    said = os.pread(descriptor, _MOST_BYTES, 0).decode(errors="replace").strip()
    match = _HOLDER.fullmatch(said)
    if match is None or not Path(f"/proc/{match['pid']}").exists():
        return None
    return said
