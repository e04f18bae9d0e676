"""A run in another process, as a screen of this one sees it."""

import contextlib
import logging
import select
import shlex
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from engine.attach.connection import Connection
from engine.attach.messages import (
    MAX_FROM_SERVER,
    FromServer,
    Hello,
    Refusal,
    Role,
    Status,
    Update,
)
from engine.attach.sockets import SOCKET_NAME, connect, peer
from engine.attach.updates import apply
from engine.errors import InputError
from engine.files import is_running
from engine.machine.lock import LOCK_NAME, holder_of
from engine.run.commands import Command
from engine.run.snapshot import Event, Phase, Snapshot
from engine.voice.folder import SETTINGS

_log = logging.getLogger(__name__)

_ANSWER_WITHIN = 10.0
"""Seconds that a run may take to answer."""
_SILENT_AFTER = 8.0
"""Seconds without a message after which that is reported: an idle run sends one every two."""
_DIES_WITHIN = 2.0
"""Seconds between the end of a connection and that of the process that had it."""


_BETWEEN_TRIES = 0.2
"""Seconds between two tries to reach the next process of a run."""
_RESTARTING: dict[str, Any] = {
    "phase": Phase.PREPARING,
    "alarm": "A process of this training was lost: waiting until all have started again.",
    "steps_per_second": None,
}
"""What a screen shows of a run whose processes start again."""


class Starter(Protocol):
    """What has started a run, and starts it again when one of its processes is lost."""

    @property
    def running(self) -> bool:
        """Whether the run goes on, or is about to be started again."""
        ...

    def hurry(self) -> None:
        """Have the run end soon, saved or not; never waits."""
        ...


class RemoteSession:
    """The run of a voice folder in another process.

    A thread keeps the newest snapshot: neither `snapshot` nor `send` waits. A run whose process is
    gone shows as failed, with the reason.
    """

    attached: bool = True

    def __init__(
        self,
        folder: Path,
        *,
        reading: bool = False,
        on_change: Callable[[], object] | None = None,
        starter: Starter | None = None,
        silent_after: float = _SILENT_AFTER,
    ) -> None:
        """Attach to the run; returns once there is a snapshot.

        Args:
            folder: the voice folder.
            reading: whether to look only: the run refuses commands.
            on_change: makes this no screen but a listener, which may only have samples made; it is
                called in the thread after each new snapshot, and must not wait.
            starter: what started the run at the command of this process, and starts it again
                should it be lost; this session then goes over to its next process.
            silent_after: seconds without a message after which that is reported.

        Raises:
            InputError: the voice is not being trained, or its run cannot be attached to.
        """
        self.reading = reading
        self._folder = folder
        self._on_change = on_change
        self._starter = starter
        self.started_here = starter is not None
        """Whether a signal to this process is meant for the run."""
        self._silent_after = silent_after
        self._newest: Snapshot | None = None
        """As the run sent it."""
        self._notes: tuple[Event, ...] = ()
        self._alarm = ""
        self._closing = threading.Event()
        self._sending = threading.Lock()
        self._connect()
        self._thread = threading.Thread(target=self._run, name="attach", daemon=True)
        self._thread.start()

    def _connect(self) -> None:
        connected = _reach(self._folder)
        self.pid = peer(connected)[0]
        """The process that trains."""
        self._connection = _connection(connected)
        try:
            self._snapshot = self._first(Hello(self._role))
        except BaseException:
            connected.close()
            raise
        connected.setblocking(False)

    def snapshot(self) -> Snapshot:
        """Return the newest snapshot of the run; never waits."""
        return self._snapshot

    def send(self, command: Command) -> None:
        """Send a command; it takes effect at the next step boundary. Never waits.

        `ScreenDetached` says how the person leaves: it takes effect when the connection ends and
        no other screen is there.
        """
        if not self._closing.is_set():
            self._push(command)

    def hurry(self) -> None:
        """Have a run that was started here end soon, saved or not; never waits."""
        if self._starter is not None:
            self._starter.hurry()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the run or the connection has ended; return whether that is so."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def close(self) -> None:
        """Leave, once all commands are sent; the run goes on."""
        self._closing.set()
        with contextlib.suppress(OSError):
            if not self._connection.busy:
                self._connection.socket.shutdown(socket.SHUT_RD)  # wakes the thread
        self._thread.join(_ANSWER_WITHIN)

    @property
    def _role(self) -> Role:
        if self._on_change is not None:
            return "listener"
        return "reader" if self.reading else "screen"

    @property
    def ended_in_sight(self) -> bool:
        """Whether the run itself has said that it has ended, and how."""
        return self._newest is not None and self._newest.phase.ended

    def _push(self, command: Command | None = None) -> None:
        with self._sending:
            try:
                if command is not None:
                    self._connection.put(command)
                self._connection.push()
            except OSError:
                # The run has closed the connection; what it said before is still to be read.
                self._connection.discard()

    def _first(self, hello: Hello) -> Snapshot:
        """Say hello, and wait for the first snapshot."""
        trains = f"Process {self.pid} trains the voice in {self._folder}"
        try:
            for message in _answers(self._connection, hello, _ANSWER_WITHIN):
                self._take(message)
                if self._newest is not None:
                    return self._newest
        except TimeoutError:
            raise InputError(
                f"{trains}, but does not answer: it may be stopped (`kill -CONT {self.pid}` "
                f"resumes it), or its machine hangs."
            ) from None
        except InputError as error:
            raise InputError(f"{trains}, but cannot be attached to: {error}.") from None
        except (OSError, EOFError):
            pass
        raise InputError(_not_trained(self._folder))

    def _take(self, message: FromServer) -> None:
        """Take what the run says; raises `InputError` where it refuses to go on."""
        if isinstance(message, Refusal):
            raise InputError(message.text)
        if isinstance(message, Update):
            self._newest = apply(self._newest, message)
            self._replace(self._with_notes(self._newest))

    def _replace(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        if self._on_change is not None:
            self._on_change()

    # What follows runs in the thread.

    def _run(self) -> None:
        lost = self._follow_until_lost()
        while lost is not None and self._find_next_process():
            lost = self._follow_until_lost()
        if lost is not None:
            self._show_lost(lost)

    def _follow_until_lost(self) -> str | None:
        """Follow the run; return why it is out of reach, None where it is not."""
        try:
            self._follow()
        except InputError as error:
            return f"The connection to the run has ended: {error}."
        except (OSError, EOFError):
            if not self._closing.is_set():
                return "" if self.ended_in_sight else self._why_gone()
        except Exception as error:
            # A picture that stands still must not look like a run that does.
            _log.exception("this screen can no longer follow the run")
            return (
                f"This screen can no longer follow the run ({type(error).__name__}: {error}); "
                f"the run goes on: attach again."
            )
        finally:
            self._connection.socket.close()
        return None

    @property
    def _may_restart(self) -> bool:
        return self._starter is not None and self._starter.running

    def _find_next_process(self) -> bool:
        """Wait for the process that takes the place of a lost one; return whether there is one."""
        assert self._newest is not None
        if self._newest.phase is Phase.STOPPED:
            return False
        self._replace(replace(self._newest, **_RESTARTING))
        while self._may_restart and not self._closing.wait(_BETWEEN_TRIES):
            with contextlib.suppress(InputError):
                self._connect()
                return True
        self._replace(self._with_notes(self._newest))
        return False

    def _follow(self) -> None:
        """Read, and send what could not be sent at once, until the run ends or we leave."""
        heard, silent = time.monotonic(), False
        poll, patience = select.poll(), self._silent_after / 4
        while self._connection.busy or not self._closing.is_set():
            reads = 0 if self._closing.is_set() else select.POLLIN
            writes = select.POLLOUT if self._connection.busy else 0
            poll.register(self._connection.socket, reads | writes)
            before = time.monotonic()
            ready = poll.poll(patience * 1000)
            if time.monotonic() - before > 2 * patience:
                heard = time.monotonic()  # it is this process that stood still
            if ready and ready[0][1] != select.POLLOUT and not self._closing.is_set():
                for message in self._connection.receive():
                    self._take(message)
                heard = time.monotonic()
            self._push()
            if (time.monotonic() - heard > self._silent_after) is not silent:
                silent = not silent
                self._note_silence(silent)
            if self._closing.is_set() and silent:
                return

    def _with_notes(self, run: Snapshot) -> Snapshot:
        if run.phase is Phase.FAILED and self._may_restart:
            run = replace(run, **_RESTARTING)
        if self._alarm:
            run = replace(run, alarm=self._alarm, steps_per_second=None)
        return replace(run, events=(*run.events, *self._notes)) if self._notes else run

    def _note_silence(self, silent: bool) -> None:
        trouble = f"process {self.pid}, which trains, does not respond"
        text = trouble if silent else f"process {self.pid} responds again"
        self._alarm = f"{trouble.capitalize()}: showing its last known state." if silent else ""
        severity = "warning" if silent else "information"
        self._notes = (*self._notes, Event(time.time(), text, severity))[-20:]
        assert self._newest is not None
        self._replace(self._with_notes(self._newest))

    def _show_lost(self, why: str) -> None:
        """The run is out of reach: unless it ended in sight, show it as failed."""
        shown = self._snapshot
        if not self.ended_in_sight:
            shown = replace(shown, phase=Phase.FAILED, failure=why, steps_per_second=None)
        # A screen that no longer follows a run costs nothing, and stays as long as it likes.
        self._replace(replace(shown, wait_ends_at=None))

    def _why_gone(self) -> str:
        deadline = time.monotonic() + _DIES_WITHIN
        while is_running(self.pid) and time.monotonic() < deadline:
            if self._closing.wait(0.02):
                break
        if is_running(self.pid):
            return f"The connection to process {self.pid} has ended; attach again to see the run."
        successor = holder_of(self._folder) or ""
        # The lock of a process that was killed is held until its last thread is gone.
        if successor.startswith(f"process {self.pid} "):
            successor = ""
        # A run that ends by itself removes its socket, and a screen that was stopped meanwhile
        # does not hear how it ended.
        if successor or not (self._folder / SOCKET_NAME).exists():
            others = f", and {successor} trains the voice: attach again" if successor else ""
            log = self._folder / "voicecoach.log"
            return f"Process {self.pid}, which trained, has ended; {log} says how{others}."
        return (
            f"Process {self.pid}, which trained, is gone: it was killed, or the machine ran out of "
            f"memory; `{self._snapshot.command_to_continue}` continues from what was saved."
        )


def ask_status(folder: Path, seconds: float) -> Status | None:
    """Ask the run of a voice folder where it is; None without an answer in time."""
    with contextlib.suppress(OSError, EOFError, InputError), connect(folder, seconds) as connected:
        for answer in _answers(_connection(connected), Hello("status"), seconds):
            return answer if isinstance(answer, Status) else None
    return None


def _connection(connected: socket.socket) -> Connection:
    return Connection(connected, FromServer, "the run", MAX_FROM_SERVER)


def _answers(connection: Connection, hello: Hello, seconds: float) -> Iterator[FromServer]:
    """Say hello, and yield what comes in so many seconds; then raises `TimeoutError`."""
    deadline = time.monotonic() + seconds
    connection.put(hello)
    # A run that has closed the connection may have said why before.
    with contextlib.suppress(BrokenPipeError):
        connection.push()
    while True:
        connection.socket.settimeout(max(0.01, deadline - time.monotonic()))
        yield from connection.receive()


def _reach(folder: Path) -> socket.socket:
    if not folder.is_dir():
        raise InputError(_no_voice(folder))
    try:
        return connect(folder, _ANSWER_WITHIN)
    except PermissionError:
        raise InputError(
            f"The run in {folder} belongs to another user; only they can attach to it."
        ) from None
    except TimeoutError:
        raise InputError(f"The run in {folder} does not answer.") from None
    except OSError:
        raise InputError(_not_trained(folder)) from None


def _not_trained(folder: Path) -> str:
    holder = holder_of(folder)
    if holder is not None:
        return (
            f"{holder.capitalize()} trains the voice in {folder}, but no screen can attach to it; "
            f"see {folder / 'voicecoach.log'}."
        )
    if not any((folder / name).exists() for name in (SETTINGS, LOCK_NAME, SOCKET_NAME)):
        return _no_voice(folder)
    return (
        f"The voice in {folder} is not being trained; `voicecoach train --voice "
        f"{shlex.quote(str(folder))}` continues it, and `voicecoach ps` lists all runs."
    )


def _no_voice(folder: Path) -> str:
    return f"There is no voice in {folder}; check the path, or list all runs: `voicecoach ps`."
