"""Shows a run to the screens of other processes, and takes their commands.

One thread does it all, and waits for nobody: a few times a second it takes the newest snapshot and
sends each screen what changed since the one that this screen has. A screen that does not read has
one such message waiting and is sent no other; when it reads again, it gets the newest.
"""

import contextlib
import logging
import os
import selectors
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import monotonic

from engine.attach.connection import Connection
from engine.attach.messages import (
    FOR_LISTENERS,
    MAX_FROM_CLIENT,
    Alive,
    FromClient,
    Hello,
    Refusal,
    Role,
    status_of,
)
from engine.attach.registry import Registration
from engine.attach.screens import Screens
from engine.attach.sockets import Listener, is_trusted
from engine.attach.updates import update_between
from engine.choices import NetworkChoice
from engine.errors import InputError
from engine.run.commands import Command, ScreenAttached, ScreenDetached, TerminalStalled
from engine.run.snapshot import Snapshot

_log = logging.getLogger(__name__)

_INTERVAL = 0.25
"""Seconds between two looks at the snapshot."""
_ALIVE_AFTER = 2.0
"""Seconds without a change after which a screen is told that the process is there."""
_STALLED_AFTER = 8.0
"""Seconds in which a process that runs has taken something of what it was sent."""
_TOUCH = 10.0
"""Seconds between two signs of life in the registry."""
_LAST_SECONDS = 2.0
"""Seconds that screens get to read how the run ended."""


class _Client(Connection):
    """A connection to a run, and what the run knows of who is there."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        super().__init__(connected, FromClient, "this screen", MAX_FROM_CLIENT)
        self.role: Role | None = None
        """None until it has said hello."""
        self.keep_training = False
        """Whether its person asked, leaving, for training to go on."""
        self.shown: Snapshot | None = None
        """What it has once everything is sent."""
        self.closing = False
        """Whether it is closed once everything is sent."""
        self.terminal_takes_output = True
        """Whether the screen says so."""
        self.last_sent = self._last_taken = monotonic()
        self._last_untaken = 0

    @property
    def stays(self) -> bool:
        """Whether it is shown whatever changes."""
        return self.role in ("screen", "reader", "listener")

    def takes_output(self) -> bool:
        """Whether the screen shows what it is sent; to be asked a few times a second.

        A process that is stopped, or hangs, takes nothing: what it was sent stays in the socket.
        """
        untaken, now = self.untaken, monotonic()
        if untaken == 0 or untaken < self._last_untaken:
            self._last_taken = now
        self._last_untaken = untaken
        return self.terminal_takes_output and now - self._last_taken <= _STALLED_AFTER


class Server:
    """The socket of a run, and the thread that serves it."""

    def __init__(
        self,
        folder: Path,
        snapshot: Callable[[], Snapshot],
        send: Callable[[Command], None],
        screens: Screens,
    ) -> None:
        """Prepare to serve; nothing is opened in the folder yet.

        Args:
            folder: the voice folder, whose lock this process holds.
            snapshot: returns the newest snapshot, without waiting.
            send: takes a command, without waiting.
            screens: counts the screens that come and go.
        """
        self._folder = folder
        self._snapshot = snapshot
        self._send = send
        self._screens = screens
        self._selector = selectors.DefaultSelector()
        self._clients: set[_Client] = set()
        self._listener: Listener | None = None
        self._missed = False
        self._successor: Listener | None = None
        """Opened in place of a removed socket, for the thread to take."""
        self._closing = threading.Event()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        # Held by those who wake the thread, for the number to be no other file's by then.
        self._waking = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="attach", daemon=True)
        self._registration: Registration | None = None
        self._found_at = folder
        self._newest = snapshot()
        self._next_look = self._next_touch = 0.0
        self._changed = self._phase_began = monotonic()

    def start(self) -> None:
        """Open the socket and begin to serve.

        Raises:
            OSError: the socket cannot be opened in the voice folder.
        """
        self._listener = Listener(self._folder)
        self._selector.register(self._listener.socket, selectors.EVENT_READ)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._thread.start()

    def restore_socket(self, folder: Path) -> None:
        """Open the socket anew where two calls in a row find its file removed.

        For the thread that watches the folder, which a disk that hangs may hold up; not to be
        called while the folder is being deleted, nor once the server is being closed.

        Args:
            folder: where the voice folder is now.

        Raises:
            OSError: the socket cannot be found, or not be opened.
        """
        if self._listener is None or self._successor is not None or not self._thread.is_alive():
            return
        missed, self._missed = self._missed, not self._listener.is_there()
        if missed and self._missed:
            self._successor = Listener(folder)

    def wake(self) -> None:
        """Have the newest snapshot shown now, not with the next look; any thread may call it."""
        with self._waking:
            if not self._closed:
                os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        """Show the screens how the run ended, and remove the socket; takes seconds at most."""
        self._closing.set()
        if self._thread.ident is not None:
            self.wake()
            self._thread.join(_LAST_SECONDS + 1)
        if not self._thread.is_alive():
            with self._waking:
                self._closed = True
                self._selector.close()
                os.close(self._wake)

    # What follows runs in the thread.

    def _run(self) -> None:
        try:
            self._register()
            while not self._closing.is_set():
                try:
                    self._serve_ready(self._next_look)
                    if monotonic() >= self._next_look:
                        self._look()
                except MemoryError:
                    # It may pass; a run that nobody can attach to would be worse.
                    self._closing.wait(_INTERVAL)
            self._show_end()
        except Exception:
            _log.exception("screens can no longer attach")
        finally:
            self._clean_up()

    def _register(self) -> None:
        first = self._snapshot()
        try:
            # To be typed in any folder.
            self._found_at = first.voice_folder.resolve()
            self._registration = Registration(self._folder, first.voice, *self._resume(first))
        except (OSError, RuntimeError) as error:
            _log.warning("`voicecoach ps` will not list this run: %s", error)

    def _resume(self, snapshot: Snapshot) -> tuple[NetworkChoice, str]:
        """What is trained, and the shell command that continues it."""
        command = replace(snapshot, voice_folder=self._found_at).command_to_continue
        return snapshot.network if snapshot.other is None else "both", command

    def _clean_up(self) -> None:
        for client in list(self._clients):
            self._drop(client)
        for listener in (self._listener, self._successor):
            if listener is not None:
                listener.close()
        if self._registration is not None:
            self._registration.remove()

    def _serve_ready(self, until: float) -> None:
        """Wait for whoever is ready, and serve them."""
        for key, _ in self._selector.select(max(0.0, until - monotonic())):
            if isinstance(key.data, _Client):
                self._serve(key.data, self._receive)
            elif key.fileobj == self._wake:
                os.eventfd_read(self._wake)
                self._next_look = 0.0
            elif self._listener is not None and key.fileobj is self._listener.socket:
                self._accept(self._listener)

    def _look(self) -> None:
        """Take the newest snapshot, and show it to whoever is ready for it."""
        now = monotonic()
        self._next_look = now + _INTERVAL
        before, self._newest = self._newest, self._snapshot()
        if _signs_of_life(before) != _signs_of_life(self._newest):
            self._changed = now
        if before.busiest.phase is not self._newest.busiest.phase:
            self._phase_began = now
        self._take_successor()
        for client in list(self._clients):
            # Before it is sent more: what it was sent last, it has had time to take.
            self._screens.set_takes_output(client, client.takes_output())
            if client.stays and not client.busy:
                self._serve(client, self._show)
        if self._registration is None:
            return
        self._registration.set_resume(*self._resume(self._newest))
        if now >= self._next_touch:
            self._next_touch = now + _TOUCH
            self._registration.touch()

    def _take_successor(self) -> None:
        """Listen at the socket that was opened in place of a removed one, if one was."""
        if self._listener is not None and self._successor is not None:
            self._selector.unregister(self._listener.socket)
            self._listener.close()
            self._listener, self._successor = self._successor, None
            self._selector.register(self._listener.socket, selectors.EVENT_READ)

    def _accept(self, listener: Listener) -> None:
        try:
            connected, _ = listener.socket.accept()
        except BlockingIOError:
            return
        except OSError as error:
            _log.warning("a screen cannot attach: %s", error)
            # It still waits there, and this thread must not spin on it.
            self._closing.wait(_INTERVAL)
            return
        if not is_trusted(connected):
            connected.close()
            return
        client = _Client(connected)
        self._clients.add(client)
        self._selector.register(connected, selectors.EVENT_READ, client)
        # Most have said hello by now, and `ps` is answered and gone.
        self._serve(client, self._receive)

    # One client.

    def _serve(self, client: _Client, work: Callable[[_Client], None]) -> None:
        """Do something for a client and send what waits; drop one that is gone."""
        try:
            work(client)
            self._push(client)
        except InputError as error:
            _log.warning("a screen is refused: %s", error)
            self._refuse(client, str(error))
        except (OSError, EOFError):
            # It may have gone while it was written to: hear what it sent before.
            with contextlib.suppress(OSError, EOFError, InputError):
                self._receive(client)
            self._drop(client)
        except Exception as error:
            _log.exception("a screen cannot be served")
            self._refuse(client, f"the run cannot serve this screen: {type(error).__name__}")

    def _receive(self, client: _Client) -> None:
        if not client.closing:
            for message in client.receive():
                self._process(client, message)

    def _refuse(self, client: _Client, text: str) -> None:
        client.put(Refusal(text))
        client.closing = True
        try:
            self._push(client)
        except OSError:
            self._drop(client)

    def _process(self, client: _Client, message: FromClient) -> None:
        if isinstance(message, Hello):
            self._greet(client, message.role)
        elif client.role == "listener" and isinstance(message, FOR_LISTENERS):
            self._send(message)
        elif client.role != "screen":
            raise InputError("only a screen that came to steer can send commands")
        elif isinstance(message, ScreenAttached):
            raise InputError("a screen comes by its connection alone")
        elif isinstance(message, ScreenDetached):
            client.keep_training = message.keep_training
        elif isinstance(message, TerminalStalled):
            client.terminal_takes_output = not message.stalled
        else:
            self._send(message)

    def _greet(self, client: _Client, role: Role) -> None:
        if client.role is not None:
            raise InputError("hello was said already")
        client.role = role
        if role == "status":
            now, run = monotonic(), self._snapshot()
            client.put(status_of(run, now - self._changed, now - self._phase_began))
            client.closing = True
            return
        if role != "listener":
            self._screens.add(client, reader=role == "reader")
        self._newest = self._snapshot()
        self._show(client)

    def _show(self, client: _Client) -> None:
        """Have a screen sent what changed since the snapshot that it has."""
        now = monotonic()
        if client.shown is not self._newest:
            client.put(update_between(client.shown, self._newest))
            client.shown = self._newest
        elif now - client.last_sent >= _ALIVE_AFTER:
            client.put(Alive())
        else:
            return
        client.last_sent = now

    def _push(self, client: _Client) -> None:
        client.push()
        if client.closing and not client.busy:
            self._drop(client)
            return
        wanted = selectors.EVENT_WRITE if client.busy else 0
        if not client.closing:
            wanted |= selectors.EVENT_READ
        self._selector.modify(client.socket, wanted, client)

    def _drop(self, client: _Client) -> None:
        if client in self._clients:
            self._clients.remove(client)
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(client.socket)
            client.socket.close()
            self._screens.remove(client, keep_training=client.keep_training)

    def _show_end(self) -> None:
        """Send the last snapshot to every screen that reads, in a few seconds."""
        for key in list(self._selector.get_map().values()):
            if key.data is None:  # the listener, and what woke this thread
                self._selector.unregister(key.fileobj)
        self._newest = self._snapshot()
        deadline = monotonic() + _LAST_SECONDS
        while monotonic() < deadline:
            for client in list(self._clients):
                if client.stays and not client.busy:
                    self._serve(client, self._show)
                if client.shown is self._newest and not client.busy:
                    self._drop(client)
            if not any(client.stays for client in self._clients):
                return
            self._serve_ready(deadline)


def _signs_of_life(run: Snapshot) -> tuple[object, ...]:
    """What a run that is alive changes; not all of a snapshot, for a thread may read the GPU."""
    events, started = len(run.events), run.seconds_to_start
    return events, started, [(one.phase, one.step, one.progress, one.auditions) for one in run.both]
