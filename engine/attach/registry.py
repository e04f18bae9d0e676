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

from msgspec import Meta, Struct

from engine.choices import NetworkChoice, networks_of
from engine.errors import InputError, VoicecoachError
from engine.files import make_folder, process_start, read_plain, replacing
from engine.machine.lock import SETTINGS_NAME
from engine.serialization import from_plain, to_plain
from engine.voice.layout import list_checkpoints
from engine.voice.spend import SpendLog

_log = logging.getLogger(__name__)

_MAX_BYTES = 64 * 1024
_FORGOTTEN_AFTER = 30 * 86_400.0
"""Seconds without a sign of life."""


class ProcessId(Struct, frozen=True):
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
    network: NetworkChoice
    process: ProcessId
    host: str
    since: Annotated[float, Meta(ge=0, le=1e11)]
    """When it began, in seconds since the epoch."""
    resume: str = ""
    """The shell command that continues it; empty where an earlier version began it."""
    last_seen: float = 0.0
    """When its process last touched the file, in seconds since the epoch: the file's own time."""
    killed: bool = False
    """Whether its process is gone and could not say that the run has ended."""

    def is_taken_up_by(self, other: "RunEntry") -> bool:
        """Whether another run trains what this one did."""
        ours, theirs = set(networks_of(self.network)), set(networks_of(other.network))
        return self.voice_folder == other.voice_folder and ours <= theirs


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


def require_own(folder: Path) -> None:
    """Refuse a folder in which others could have written; raises `OSError`."""
    status = folder.stat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise PermissionError(f"{folder} is not yours alone")


class Registration:
    """The file of a run of this process."""

    def __init__(
        self, voice_folder: Path, voice: str, network: NetworkChoice, resume: str = ""
    ) -> None:
        """Write it, in place of those of killed runs that this one takes up.

        Raises:
            OSError: it cannot be written, or the folder is open to others.
        """
        process = ProcessId.of_this()
        host, now = socket.gethostname(), time.time()
        entry = RunEntry(voice_folder.resolve(), voice, network, process, host, now, resume)
        self._entry = entry
        name = f"{process.pid}-{process.started}-{os.urandom(4).hex()}.json"
        self._path = runs_folder() / name
        make_folder(self._path.parent)
        require_own(self._path.parent)
        for path in self._path.parent.glob("*.json"):
            if (run := _known(path)) and run.killed and run.is_taken_up_by(entry):
                _remove(path)
        self._write()

    def _write(self) -> None:
        with replacing(self._path) as file:
            file.write(json.dumps(to_plain(self._entry)).encode() + b"\n")

    def set_resume(self, network: NetworkChoice, resume: str) -> None:
        """Note what the run trains by now, and the command that continues it, where they changed:
        its stop may be stored, and the other network added."""
        if (network, resume) == (self._entry.network, self._entry.resume):
            return
        self._entry = replace(self._entry, network=network, resume=resume)
        try:
            self._write()
        except OSError as error:
            _log.warning("`voicecoach ps` keeps an earlier command for this run: %s", error)

    def touch(self) -> None:
        """Give a sign of life."""
        with contextlib.suppress(OSError):
            os.utime(self._path)

    def remove(self) -> None:
        """Remove the file: the run has ended."""
        _remove(self._path)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def known_runs() -> list[RunEntry]:
    """The runs of this host, oldest first; among them those that were killed and not taken up.

    Raises:
        InputError: the folder cannot be read, or is open to others.
    """
    try:
        folder = runs_folder()
        if not folder.is_dir():
            return []
        require_own(folder)
        found = [run for path in folder.glob("*.json") if (run := _known(path)) is not None]
    except OSError as error:
        where = f" in {error.filename}" if error.filename else ""
        why = error.strerror or error
        raise InputError(f"The list of runs{where} cannot be read: {why}.") from error
    return sorted(found, key=lambda run: (run.since, str(run.voice_folder)))


def _known(path: Path) -> RunEntry | None:
    """The run of a file; None if it is unreadable, or its voice is gone: then it is removed."""
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
    own = entry.host == socket.gethostname()
    if own and _has_voice(entry.voice_folder):
        return replace(entry, last_seen=touched, killed=True)
    if own or touched < time.time() - _FORGOTTEN_AFTER:
        _remove(path)
    return None


def _has_voice(folder: Path) -> bool:
    """Whether there is still a voice, as far as can be told."""
    try:
        return (folder / SETTINGS_NAME).is_file()
    except OSError:
        return True  # its disk may come back


def last_record(folder: Path, choice: NetworkChoice) -> tuple[int | None, float | None]:
    """Read from a voice folder the last known step of its run, and what the voice has cost.

    For a run that does not answer, or was killed; either is None where nothing says it, the cost in
    US dollars.
    """
    network, log = networks_of(choice)[0], SpendLog(folder / "spend.jsonl")
    try:
        entries = [*log.entries, *log.open_entries()]
    except VoicecoachError as error:
        _log.warning("%s", error)
        entries, spent = [], None
    else:
        spent = sum(entry.usd for entry in entries)
    steps = [entry.last_step for entry in entries if entry.network == network]
    if not steps:
        with contextlib.suppress(OSError):
            steps = [one.step for one in list_checkpoints(folder / network / "checkpoints")]
    return (steps[-1] if steps else None), spent
