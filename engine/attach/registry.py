"""Which runs this host has: a small file for each, in the person's own state folder.

Not in the runtime folder: the system empties that at the last logout, and a run outlives it.
"""

import contextlib
import logging
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.attach.codec import decode, dump, encode, load
from engine.choices import NetworkName
from engine.errors import InputError
from engine.machine.processes import ProcessId
from engine.machine.state_folder import require_own, state_folder, write_own

_log = logging.getLogger(__name__)

_MAX_BYTES = 64 * 1024
_MAX_RUNS = 1000
_MAX_SINCE = 1e12
_FORGOTTEN_AFTER = 30 * 86_400.0
"""Seconds without a sign of life."""


@dataclass(frozen=True, slots=True)
class RunEntry:
    """A run as its file tells of it."""

    voice_folder: Path
    voice: str
    network: NetworkName
    process: ProcessId
    host: str
    since: float
    """When it began, in seconds since the epoch."""

    def __post_init__(self) -> None:
        """Refuse what is no moment.

        Raises:
            ValueError: it is none.
        """
        if not 0 <= self.since <= _MAX_SINCE:
            raise ValueError("since is no moment")


@dataclass(frozen=True, slots=True)
class KnownRun:
    """A run that is there."""

    entry: RunEntry
    seen: float
    """When its process last touched the file, in seconds since the epoch."""


def runs_folder() -> Path:
    """Where the files are.

    Raises:
        OSError: this account has no home folder.
    """
    return state_folder() / "runs"


class Registration:
    """The file of a run of this process."""

    def __init__(self, voice_folder: Path, voice: str, network: NetworkName) -> None:
        """Write it.

        Raises:
            OSError: it cannot be written, or the folder is open to others.
        """
        process = ProcessId.of_this()
        host, now = socket.gethostname(), time.time()
        entry = RunEntry(voice_folder.resolve(), voice, network, process, host, now)
        name = f"{process.pid}-{process.started}-{os.urandom(4).hex()}.json"
        self._path = runs_folder() / name
        write_own(self._path, dump(encode(entry, RunEntry)))

    def touch(self) -> None:
        """Give a sign of life."""
        with contextlib.suppress(OSError):
            os.utime(self._path)

    def remove(self) -> None:
        """Take the file away: the run has ended."""
        with contextlib.suppress(OSError):
            self._path.unlink()


def known_runs() -> list[KnownRun]:
    """The runs of this host, oldest first; files that dead processes left are removed.

    Raises:
        InputError: the folder cannot be read, or is open to others.
    """
    try:
        folder = runs_folder()
        if not folder.is_dir():
            return []
        require_own(folder)
        found = [run for path in _entries(folder) if (run := _known(path)) is not None]
    except OSError as error:
        where = f" in {error.filename}" if error.filename else ""
        why = error.strerror or error
        raise InputError(f"The list of runs{where} cannot be read: {why}.") from error
    return sorted(found, key=lambda run: (run.entry.since, str(run.entry.voice_folder)))


def _entries(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as found:
        for number, item in enumerate(found):
            if number >= _MAX_RUNS:
                return
            if item.name.endswith(".json") and item.is_file(follow_symlinks=False):
                yield Path(item.path)


def _known(path: Path) -> KnownRun | None:
    """The run of a file; None if it is unreadable, or of a dead process: that is removed."""
    try:
        with path.open("rb") as file:
            touched = os.fstat(file.fileno()).st_mtime
            entry: RunEntry = decode(load(file.read(_MAX_BYTES)), RunEntry)
    except FileNotFoundError:
        return None  # it ended just now
    except (InputError, OSError) as error:
        _log.warning("%s is passed over: %s", path, error)
        return None
    if entry.process.runs:
        return KnownRun(entry, touched)
    # A home folder may be shared by hosts: whether a run of another is dead is not for us to say.
    if entry.host == socket.gethostname() or touched < time.time() - _FORGOTTEN_AFTER:
        with contextlib.suppress(OSError):  # the others are listed all the same
            path.unlink()
    return None
