"""The lock that lets one process at a time train in a folder, wherever the folder is moved."""

import fcntl
import os
import re
import shlex
import threading
import time
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path

from engine.errors import EngineError, InputError
from engine.files import PRIVATE, make_folder, make_private, unusable_path

LOCK_NAME = "lock"
"""The lock file's name in its folder."""
SETTINGS_NAME = "voice.toml"
"""The settings' name; a folder that has lost them together with its lock file was deleted."""

_MAX_BYTES = 200
_SOMEBODY = "another process"
_HOLDER = re.compile(r"process (?P<pid>[0-9]{1,9}) since [0-9: -]{1,20}")
# `holder_of` has the lock for a moment.
_TRIES = 3
_BETWEEN_TRIES = 0.05
# Another process may give up a new voice, and remove its folder with the lock, again and again.
_MAX_REMOVALS = 100


class FolderLostError(EngineError):
    """A locked folder that can no longer be written: deleted, out of reach, or another run's."""


class LockRemovedError(EngineError):
    """The lock file is missing: the folder is being deleted, or the file is made again soon."""


class _HeldError(InputError):
    """Another process has the lock."""


class FolderLock:
    """A folder that this process has locked.

    It is recognised by its inode, which an open descriptor keeps from being reused: a folder that
    somebody else puts in its place is never mistaken for it, and a moved one is found again.
    """

    def __init__(self, folder: Path, directory: int, descriptor: int) -> None:
        """Take over open descriptors of the folder and of its lock file, which holds the lock."""
        self.named = folder
        """The path by which it was locked."""
        self.folder = folder
        """Where it was found last; reading this asks no disk."""
        self.restored = 0
        """How often the lock file was gone and had to be made again."""
        self._directory = directory
        self._identity = os.fstat(directory)
        self._descriptor = descriptor
        # Any thread may put the lock file back, which two must not do at once.
        self._turn = threading.Lock()
        self._released = False

    def find(self, *, restore: bool = False) -> Path:
        """Return where the folder is at this moment.

        Args:
            restore: make a missing lock file again. A file that appears while somebody deletes the
                folder makes their command fail, so only who has missed it for a while asks this.

        Raises:
            FolderLostError: it was deleted or moved out of reach, or another process has locked it
                after its lock file was removed.
            LockRemovedError: the lock file is missing.
            EngineError: the file system does not answer this now, as a network disk may.
        """
        with self._turn:
            if self._released:
                raise FolderLostError(f"{self.folder} is no longer locked by this run.")
            self.folder = self._find_folder()
            self._relock(restore)
            return self.folder

    def release(self) -> None:
        """Let others lock the folder."""
        with self._turn:
            if not self._released:
                self._released = True
                os.close(self._descriptor)
                os.close(self._directory)

    def _find_folder(self) -> Path:
        paths = [self.named]
        with suppress(OSError):
            # Where the kernel says that the open folder is, which has to be verified: of network
            # file systems it may call a folder deleted that is there.
            linked = Path(f"/proc/self/fd/{self._directory}").readlink()
            paths += [linked, Path(str(linked).removesuffix(" (deleted)"))]
        for path in paths:
            try:
                if os.path.samestat(path.stat(), self._identity):
                    return path
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise EngineError(f"{path} cannot be reached: {error.strerror}.") from error
        raise FolderLostError(f"{self.named} was deleted, or moved out of reach.")

    def _relock(self, restore: bool) -> None:
        """Lock the lock file anew if it was replaced, or was removed and is to be restored."""
        path = self.folder / LOCK_NAME
        try:
            if _is_named(self._directory, self._descriptor):
                return
            has_settings = _status_of(SETTINGS_NAME, self._directory) is not None
        except OSError as error:
            raise EngineError(f"{path} cannot be reached: {error.strerror}.") from error
        try:
            descriptor = _take(self._directory, self.folder, create=restore and has_settings)
        except _HeldError as error:
            raise FolderLostError(
                f"The lock file of {self.folder} was removed, and another run has locked the "
                f"folder since."
            ) from error
        except FileNotFoundError as error:
            if not has_settings:
                raise FolderLostError(f"{self.folder} was deleted.") from error
            raise LockRemovedError(
                f"{path} was removed; nothing can be written until it is there again."
            ) from error
        except InputError as error:
            raise EngineError(str(error)) from error
        os.close(self._descriptor)
        self._descriptor = descriptor
        self.restored += 1


def acquire_lock(folder: Path) -> FolderLock:
    """Lock a voice folder, made where there is none.

    The operating system lets go of the lock when the process ends, however it ends: what a dead
    process wrote into the file is no lock, and is written over.

    Raises:
        InputError: another process has it, or the folder or the lock file cannot be written.
        EngineError: the disk is full, or the file system knows no locks.
    """
    gone: OSError | None = None
    for _ in range(_MAX_REMOVALS):
        with ExitStack() as opened:
            try:
                make_folder(folder)
                directory = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
                opened.callback(os.close, directory)
                descriptor = _take(directory, folder)
                opened.callback(os.close, descriptor)
                if os.path.samestat(folder.stat(), os.fstat(directory)):
                    opened.pop_all()
                    return FolderLock(folder, directory, descriptor)
            except FileNotFoundError as error:
                gone = error  # another process has just removed the folder that it had made
            except OSError as error:
                raise unusable_path(folder, error) from error
    if gone is not None and not folder.exists():
        raise unusable_path(folder, gone) from gone
    raise EngineError(
        f"Cannot lock {folder / LOCK_NAME}: another process keeps removing it; try again."
    )


def _take(directory: int, folder: Path, *, create: bool = True) -> int:
    """Lock the lock file of an open folder, and return the descriptor that holds the lock.

    Raises FileNotFoundError where it is not there, and not to be made.
    """
    path = folder / LOCK_NAME
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_CREAT if create else 0)
    while True:
        try:
            descriptor = os.open(LOCK_NAME, flags, PRIVATE, dir_fd=directory)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise unusable_path(path, error) from error
        with ExitStack() as opened:
            opened.callback(os.close, descriptor)
            try:
                _lock(descriptor, folder)
                # One that was removed before it was locked keeps nobody out.
                if _is_named(directory, descriptor):
                    make_private(descriptor)
                    _sign(descriptor)
                    opened.pop_all()
                    return descriptor
            except OSError as error:
                raise EngineError(f"Cannot lock {path}: {error.strerror}.") from error


def _is_named(directory: int, descriptor: int) -> bool:
    """Whether an open file is the one that has the lock file's name in a folder."""
    named = _status_of(LOCK_NAME, directory)
    return named is not None and os.path.samestat(named, os.fstat(descriptor))


def _status_of(name: str, directory: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None


def require_untrained(folder: Path) -> None:
    """Refuse a voice folder in which a process trains; raises as `acquire_lock`, but takes none."""
    if (holder := holder_of(folder)) is not None:
        raise _held(folder, holder)


def holder_of(folder: Path) -> str | None:
    """Name the process that trains in a folder and since when; None if there is none."""
    try:
        descriptor = os.open(folder / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _signature(descriptor)
    finally:
        os.close(descriptor)
    return None


def _lock(descriptor: int, folder: Path) -> None:
    for _ in range(_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            time.sleep(_BETWEEN_TRIES)
    raise _held(folder, _signature(descriptor))


def _held(folder: Path, holder: str) -> _HeldError:
    kill = f", or stop it with `kill {holder.split()[1]}` (it saves first)"
    return _HeldError(
        f"The voice in {folder} is being trained by {holder}; watch it with "
        f"`voicecoach attach {shlex.quote(str(folder))}`{'' if holder == _SOMEBODY else kill}."
    )


def _sign(descriptor: int) -> None:
    """Write who we are, as a whole: a reader must not meet half of one name and half of another."""
    since = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
    os.pwrite(descriptor, f"process {os.getpid()} since {since}\n".encode().ljust(_MAX_BYTES), 0)
    os.ftruncate(descriptor, _MAX_BYTES)


def _signature(descriptor: int) -> str:
    """Who wrote the lock file last, unless that process has ended and so holds no lock."""
    text = os.pread(descriptor, _MAX_BYTES, 0).decode(errors="replace").strip()
    match = _HOLDER.fullmatch(text)
    running = match is not None and Path(f"/proc/{match['pid']}").exists()
    return text if running else _SOMEBODY
