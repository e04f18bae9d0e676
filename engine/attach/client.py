"""A run in another process, as a screen of this one sees it."""

import contextlib
import logging
import selectors
import shlex
import socket
import threading
import time
from collections import deque
from dataclasses import replace
from pathlib import Path

from engine.attach.deltas import apply
from engine.attach.messages import (
    MAX_FROM_SERVER,
    Ask,
    Glance,
    Hello,
    Leave,
    Part,
    Refusal,
    Role,
    read_from_server,
    write,
)
from engine.attach.sockets import SOCKET_NAME, connect, peer
from engine.errors import InputError
from engine.machine.lock import LOCK_NAME, holder_of
from engine.machine.processes import is_running
from engine.run.commands import Command, ScreenDetached
from engine.run.snapshot import Event, Phase, Snapshot
from engine.voice.folder import SETTINGS

_log = logging.getLogger(__name__)

_AT_ONCE = 256 * 1024
_ANSWER_WITHIN = 10.0
"""Seconds that a run may take to answer."""
_SILENT_AFTER = 8.0
"""Seconds without a word after which the person is told: an idle run speaks every two."""
_MAX_PARTS = 10_000
_MAX_UNFINISHED = 64 * 1024 * 1024
"""Bytes of a snapshot that comes in parts: with all plots that a run keeps it has some 10 MB."""
_MAX_WAITING = 1000
_DIES_WITHIN = 2.0
"""Seconds between the end of a connection and that of the process that had it."""


class _Lines:
    """Cuts what comes from a run into lines."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._searched = 0

    def add(self, came: bytes) -> list[bytes]:
        """Return the lines that are whole by now.

        Raises:
            InputError: a line is longer than any that a run sends.
        """
        self._bytes += came
        lines = []
        while (end := self._bytes.find(b"\n", self._searched)) >= 0:
            lines.append(bytes(self._bytes[:end]))
            del self._bytes[: end + 1]
            self._searched = 0
        self._searched = len(self._bytes)
        if self._searched > MAX_FROM_SERVER:
            raise InputError(f"the run sends a line of more than {MAX_FROM_SERVER:,} bytes")
        return lines


class _Picture:
    """The newest snapshot, made from what a run sends."""

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = None
        self._parts: list[Part] = []
        self._bytes = 0

    def take(self, line: bytes) -> None:
        """Take a line; only the last part of a series changes the picture.

        Raises:
            InputError: it does not fit, or the run refuses to go on.
        """
        message = read_from_server(line)
        if isinstance(message, Refusal):
            raise InputError(message.text)
        if not isinstance(message, Part):
            return
        self._parts.append(message)
        self._bytes += len(line)
        if len(self._parts) > _MAX_PARTS or self._bytes > _MAX_UNFINISHED:
            raise InputError("the run sends a snapshot without end")
        if message.complete:
            self.snapshot = apply(self.snapshot, self._parts)
            self._parts, self._bytes = [], 0


class RemoteSession:
    """The run of a voice folder in another process; the screen's side of the wire.

    A thread keeps the newest snapshot and sends commands: neither `snapshot` nor `send` waits.
    A run whose process is gone shows as failed, with the reason.
    """

    def __init__(
        self, folder: Path, *, reading: bool = False, silent_after: float = _SILENT_AFTER
    ) -> None:
        """Attach to the run; returns once it has been seen.

        Args:
            folder: the voice folder.
            reading: whether to look on only: the run refuses whatever is sent.
            silent_after: seconds without a word after which the person is told.

        Raises:
            InputError: nobody trains the voice, or whoever does cannot be attached to.
        """
        self._folder = folder
        self._role: Role = "reader" if reading else "screen"
        self._silent_after = silent_after
        self._lines = _Lines()
        self._picture = _Picture()
        self._notes: tuple[Event, ...] = ()
        self._alarm = ""
        self._commands: deque[bytes] = deque()
        self._closing = threading.Event()
        self._socket = _reach(folder)
        self.pid = peer(self._socket)[0]
        """The process that trains."""
        try:
            self._snapshot = self._first()
        except BaseException:
            self._socket.close()
            raise
        self._wake, self._woken = socket.socketpair()
        for end in (self._wake, self._woken):
            end.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="wire", daemon=True)
        self._thread.start()

    def snapshot(self) -> Snapshot:
        """Return the newest picture of the run; never waits."""
        return self._snapshot

    def send(self, command: Command) -> None:
        """Ask for something; it happens at the next step boundary. Never waits.

        `ScreenDetached` says how the person leaves: the run hears of it when the connection ends,
        and heeds it where nobody else is there.
        """
        if isinstance(command, ScreenDetached):
            line = write(Leave()) if command.keep_training else b""
        else:
            line = write(Ask(command))
        if line and len(self._commands) < _MAX_WAITING and not self._closing.is_set():
            self._commands.append(line)
            self._call()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the run has ended or the connection has; say whether that is so."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def close(self) -> None:
        """Leave, once what was asked for is sent; the run goes on."""
        self._closing.set()
        self._call()
        self._thread.join(_ANSWER_WITHIN)

    def _call(self) -> None:
        # A full pipe wakes the thread as well; a closed one has no thread any more.
        with contextlib.suppress(OSError):
            self._wake.send(b"!")

    def _first(self) -> Snapshot:
        """Say hello, and wait for the first whole picture."""
        deadline = time.monotonic() + _ANSWER_WITHIN
        try:
            # A run that has closed the connection may have said why before.
            with contextlib.suppress(BrokenPipeError):
                self._socket.sendall(write(Hello(self._role)))
            while self._picture.snapshot is None:
                self._socket.settimeout(max(0.01, deadline - time.monotonic()))
                self._receive()
        except TimeoutError:
            raise InputError(
                f"Process {self.pid} trains the voice in {self._folder}, and does not answer: it "
                f"may be stopped (`kill -CONT {self.pid}` wakes it), or its machine hangs."
            ) from None
        except InputError as error:
            raise InputError(
                f"Process {self.pid} trains the voice in {self._folder}, but cannot be attached "
                f"to: {error}."
            ) from None
        except (OSError, EOFError):
            raise InputError(_nobody(self._folder)) from None
        self._socket.setblocking(False)
        return self._picture.snapshot

    def _receive(self) -> None:
        """Take what there is.

        Raises:
            EOFError: the run has closed the connection.
            OSError: it is gone.
            InputError: what it says is no snapshot.
        """
        came = self._socket.recv(_AT_ONCE)
        if not came:
            raise EOFError
        for line in self._lines.add(came):
            self._picture.take(line)

    # What follows runs in the thread.

    def _run(self) -> None:
        try:
            self._exchange()
        except InputError as error:
            self._lose(f"The connection to the run has ended: {error}.")
        except (OSError, EOFError):
            self._lose("" if self._ended else self._why_gone())
        except Exception as error:
            # A picture that stands still must not look like a run that does.
            _log.exception("this screen can follow the run no more")
            self._lose(
                f"This screen can follow the run no more ({type(error).__name__}: {error}); the "
                f"run goes on: attach again."
            )
        finally:
            for end in (self._socket, self._wake, self._woken):
                end.close()

    def _exchange(self) -> None:
        """Read and write until the run ends or the screen leaves."""
        heard, silent = time.monotonic(), False
        with selectors.DefaultSelector() as selector:
            selector.register(self._woken, selectors.EVENT_READ)
            selector.register(self._socket, selectors.EVENT_READ)
            while not (self._closing.is_set() and not self._commands):
                wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._commands else 0)
                selector.modify(self._socket, wanted)
                patience, before = self._silent_after / 4, time.monotonic()
                ready = selector.select(patience)
                if time.monotonic() - before > 2 * patience:
                    # It is this process that stood still.
                    heard = time.monotonic()
                for key, mask in ready:
                    if key.fileobj is self._woken:
                        self._woken.recv(4096)
                    if key.fileobj is self._socket and mask & selectors.EVENT_READ:
                        self._receive()
                        heard = time.monotonic()
                    if mask & selectors.EVENT_WRITE:
                        self._push()
                if (time.monotonic() - heard > self._silent_after) is not silent:
                    silent = not silent
                    self._note_silence(silent)
                self._publish()
                if self._closing.is_set() and silent:
                    return

    def _push(self) -> None:
        line = self._commands[0]
        try:
            sent = self._socket.send(line)
        except BrokenPipeError:
            # The run has closed the connection; what it said before is still to be read.
            self._commands.clear()
            return
        if sent == len(line):
            self._commands.popleft()
        else:
            self._commands[0] = line[sent:]

    def _publish(self) -> None:
        newest = self._picture.snapshot
        assert newest is not None
        if newest is not self._published:
            self._published = newest
            self._snapshot = self._with_notes(newest)

    _published: Snapshot | None = None

    def _with_notes(self, run: Snapshot) -> Snapshot:
        if self._alarm:
            run = replace(run, alarm=self._alarm, steps_per_second=None)
        return replace(run, events=(*run.events, *self._notes)) if self._notes else run

    def _note_silence(self, silent: bool) -> None:
        gone = f"process {self.pid}, which trains, gives no sign of life"
        text = gone if silent else f"process {self.pid} is back"
        self._alarm = f"{gone.capitalize()}: what is shown is how it stood." if silent else ""
        severity = "warning" if silent else "information"
        self._notes = (*self._notes, Event(time.time(), text, severity))[-20:]
        self._published = None

    @property
    def _ended(self) -> bool:
        """Whether the run ended in sight."""
        newest = self._picture.snapshot
        return newest is not None and newest.phase.ended

    @property
    def ended_in_sight(self) -> bool:
        """Whether the run itself has said that it has ended, and how."""
        return self._ended

    def _lose(self, why: str) -> None:
        """The run is out of reach: unless it ended in sight, show it as failed."""
        newest = self._picture.snapshot
        assert newest is not None
        shown = self._with_notes(newest)
        if not self._ended:
            shown = replace(shown, phase=Phase.FAILED, failure=why, steps_per_second=None)
        # A screen that looks at no run any more costs nothing, and stays as long as it likes.
        self._snapshot = replace(shown, wait_ends_at=None)

    def _why_gone(self) -> str:
        deadline = time.monotonic() + _DIES_WITHIN
        while is_running(self.pid) and time.monotonic() < deadline:
            self._closing.wait(0.02)
            if self._closing.is_set():
                break
        if is_running(self.pid):
            return f"The connection to process {self.pid} has ended; attach again to look at it."
        # A run that ends by itself takes its socket away, and a screen that was stopped meanwhile
        # does not hear how it ended.
        holder = self._successor()
        if holder is not None or not (self._folder / SOCKET_NAME).exists():
            others = "" if holder is None else f", and {holder} trains the voice: attach again"
            log = self._folder / "voicecoach.log"
            return f"Process {self.pid}, which trained, has ended, {log} says how{others}."
        return (
            f"Process {self.pid}, which trained, is gone without a word: it was killed, or the "
            f"machine had no memory left; `{self._snapshot.command_to_continue}` goes on from "
            f"what was saved."
        )

    def _successor(self) -> str | None:
        """Name who trains the voice after the run that was looked at, if somebody does."""
        holder = holder_of(self._folder)
        # The lock of a process that was killed is held until its last thread is gone.
        is_its_own = holder is not None and holder.startswith(f"process {self.pid} ")
        return None if is_its_own else holder


def glance(folder: Path, seconds: float) -> Glance | None:
    """Ask the run of a voice folder where it stands; None without an answer in time."""
    deadline = time.monotonic() + seconds
    lines = _Lines()
    try:
        with connect(folder, seconds) as connection:
            connection.sendall(write(Hello("glance")))
            while True:
                connection.settimeout(max(0.01, deadline - time.monotonic()))
                came = connection.recv(_AT_ONCE)
                if not came:
                    return None
                for line in lines.add(came):
                    answer = read_from_server(line)
                    return answer if isinstance(answer, Glance) else None
    except (OSError, InputError):
        return None


def _reach(folder: Path) -> socket.socket:
    """Connect to the run of a voice folder.

    Raises:
        InputError: there is none, or it is not for us.
    """
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
        raise InputError(_nobody(folder)) from None


def _nobody(folder: Path) -> str:
    holder = holder_of(folder)
    if holder is not None:
        return (
            f"{holder.capitalize()} trains the voice in {folder}, but no screen can attach to it: "
            f"{folder / 'voicecoach.log'} says why."
        )
    if not any((folder / name).exists() for name in (SETTINGS, LOCK_NAME, SOCKET_NAME)):
        return _no_voice(folder)
    return (
        f"Nobody trains the voice in {folder} now; `voicecoach train --voice "
        f"{shlex.quote(str(folder))}` goes on with it, and `voicecoach ps` lists what is trained."
    )


def _no_voice(folder: Path) -> str:
    return f"There is no voice in {folder}; `voicecoach ps` lists what is trained."
