"""Which runs this host has: a small file for each, in the person's own state folder.

Not in the runtime folder: the system empties that at the last logout, and a run outlives it.
"""

import contextlib
import errno
import json
import logging
import os
import socket
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from engine.choices import NetworkName
from engine.errors import InputError, VoicecoachError
from engine.files import make_folder, process_start, read_plain, replacing
from engine.serialization import from_plain, to_plain
from engine.voice.layout import list_checkpoints
from engine.voice.spend import SpendLog

_log = logging.getLogger(__name__)

_MAX_BYTES = 64 * 1024
_FORGOTTEN_AFTER = 30 * 86_400.0
"""Seconds without a sign of life."""


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process of this boot of this machine: numbers come again, these three together do not."""

    pid: int
    started: int
    """Clock ticks from the boot to the start of the process."""
    boot: str
    """The kernel's name for this boot."""

    @classmethod
    def of_this(cls) -> "ProcessId":
        """This process."""
        return cls(os.getpid(), process_start(os.getpid()) or 0, _boot_id())

    @property
    def runs(self) -> bool:
        """Whether it is there; a zombie is not."""
        return self.boot == _boot_id() and process_start(self.pid) == self.started


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


@dataclass(frozen=True, slots=True)
class RunEntry:
    """A run of this host, as its file says."""

    voice_folder: Path
    voice: str
    network: NetworkName
    process: ProcessId
    host: str
    since: Annotated[float, Meta(ge=0, le=1e11)]
    """When it began, in seconds since the epoch."""
    last_seen: float = 0.0
    """When its process last touched the file, in seconds since the epoch: the file's own time."""


def runs_folder() -> Path:
    """Where the files are: below `XDG_STATE_HOME`, by default `~/.local/state`.

    Raises:
        OSError: this account has no home folder, as in some containers.
    """
    state = os.environ.get("XDG_STATE_HOME", "")
    try:
        base = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
    except RuntimeError as error:
        reason = "this account has no home folder; give it one in HOME"
        raise FileNotFoundError(errno.ENOENT, reason) from error
    return base / "voicecoach" / "runs"


def _require_own(folder: Path) -> None:
    """Refuse a folder in which others could have written; raises `OSError`."""
    status = folder.stat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise PermissionError(f"{folder} is not yours alone")


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
        make_folder(self._path.parent)
        _require_own(self._path.parent)
        with replacing(self._path) as file:
            file.write(json.dumps(to_plain(entry)).encode() + b"\n")

    def touch(self) -> None:
        """Give a sign of life."""
        with contextlib.suppress(OSError):
            os.utime(self._path)

    def remove(self) -> None:
        """Remove the file: the run has ended."""
        with contextlib.suppress(OSError):
            self._path.unlink()


def known_runs() -> list[RunEntry]:
    """The runs of this host, oldest first; files that dead processes left are removed.

    Raises:
        InputError: the folder cannot be read, or is open to others.
    """
    try:
        folder = runs_folder()
        if not folder.is_dir():
            return []
        _require_own(folder)
        found = [run for path in folder.glob("*.json") if (run := _known(path)) is not None]
    except OSError as error:
        where = f" in {error.filename}" if error.filename else ""
        why = error.strerror or error
        raise InputError(f"The list of runs{where} cannot be read: {why}.") from error
    return sorted(found, key=lambda run: (run.since, str(run.voice_folder)))


def _known(path: Path) -> RunEntry | None:
    """The run of a file; None if it is unreadable, or of a dead process: that is removed."""
    try:
        touched = path.lstat().st_mtime
        # Not `from_json`: a folder's name may be no UTF-8.
        entry = from_plain(json.loads(read_plain(path, _MAX_BYTES)), RunEntry, path)
    except FileNotFoundError:
        return None  # it ended just now
    except (InputError, OSError, ValueError, RecursionError) as error:
        _log.warning("ignoring %s: %s", path, error)
        return None
    if entry.process.runs:
        return replace(entry, last_seen=touched)
    # A home folder may be shared by hosts: another host's run may be alive.
    if entry.host == socket.gethostname() or touched < time.time() - _FORGOTTEN_AFTER:
        with contextlib.suppress(OSError):  # the others are still listed
            path.unlink()
    return None


def last_record(folder: Path, network: NetworkName) -> tuple[int | None, float | None]:
    """Read from a voice folder the last known step of its run, and what the voice has cost.

    For a run that does not answer; either is None where nothing says it, the cost in US dollars.
    """
    log = SpendLog(folder / "spend.jsonl")
    try:
        open_entries = log.open_entries()
        spent = log.usd + sum(entry.usd for entry in open_entries)
    except VoicecoachError as error:
        _log.warning("%s", error)
        open_entries, spent = [], None
    steps = [entry.last_step for entry in open_entries if entry.network == network]
    if not steps:
        with contextlib.suppress(OSError):
            steps = [one.step for one in list_checkpoints(folder / network / "checkpoints")]
    return (steps[-1] if steps else None), spent
