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
import time
from collections.abc import Callable
from pathlib import Path

from engine.attach.connection import Clock, Connection
from engine.attach.messages import Alive, FromClient, Hello, Leave, Status, frame
from engine.attach.registry import Registration
from engine.attach.screens import Screens
from engine.attach.sockets import Listener, is_trusted
from engine.attach.updates import update_between
from engine.errors import InputError
from engine.run.commands import Command, ScreenAttached, ScreenDetached, TerminalStalled
from engine.run.snapshot import Snapshot

_log = logging.getLogger(__name__)

_ACCEPTED_AT_ONCE = 16
_INTERVAL = 0.25
"""Seconds between two looks at the snapshot."""
_ALIVE_AFTER = 2.0
"""Seconds without a change after which a screen is told that the process is there."""
_TOUCH = 10.0
"""Seconds between two signs of life in the registry."""
_LAST_SECONDS = 2.0
"""Seconds that screens get to read how the run ended."""


class Server:
    """The socket of a run, and the thread that serves it."""

    def __init__(
        self,
        folder: Path,
        snapshot: Callable[[], Snapshot],
        send: Callable[[Command], None],
        screens: Screens,
        *,
        clock: Clock = time.monotonic,
    ) -> None:
        """Prepare to serve; nothing is opened yet.

        Args:
            folder: the voice folder, whose lock this process holds.
            snapshot: returns the newest snapshot, without waiting.
            send: takes a command, without waiting.
            screens: counts the screens that come and go.
            clock: counts seconds.
        """
        self._folder = folder
        self._snapshot = snapshot
        self._send = send
        self._screens = screens
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._clients: set[Connection] = set()
        self._listener: Listener | None = None
        self._listening = True
        self._wake, self._woken = socket.socketpair()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="attach", daemon=True)
        self._registration: Registration | None = None
        self._newest = snapshot()
        self._next_look = self._next_touch = clock()
        self._changed = self._phase_began = clock()
        self._update: tuple[Snapshot | None, Snapshot, bytes] | None = None
        """The last update, as screens with the same snapshot share it."""

    def start(self) -> None:
        """Open the socket and begin to serve.

        Raises:
            OSError: the socket cannot be opened in the voice folder.
        """
        self._listener = Listener(self._folder)
        for readable in (self._listener.socket, self._woken):
            readable.setblocking(False)
            self._selector.register(readable, selectors.EVENT_READ)
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
        if self._listener is not None and self._thread.is_alive():
            self._listener.restore(folder)

    def close(self) -> None:
        """Show the screens how the run ended, and remove the socket; takes seconds at most."""
        self._closing.set()
        if self._thread.ident is not None:
            # It may have ended, and closed its end, by itself.
            with contextlib.suppress(OSError):
                self._wake.send(b"!")
            self._thread.join(_LAST_SECONDS + 1)
        else:
            self._selector.close()
        self._wake.close()
        if not self._thread.is_alive():
            self._woken.close()

    # What follows runs in the thread.

    def _run(self) -> None:
        try:
            self._register()
            while not self._closing.is_set():
                try:
                    self._serve_ready()
                except MemoryError:
                    # It may pass, and a run that nobody can attach to any more is worse.
                    self._closing.wait(_INTERVAL)
            self._show_end()
        except Exception:
            _log.exception("screens of other processes are served no more")
        finally:
            self._clean_up()

    def _register(self) -> None:
        first = self._newest
        try:
            self._registration = Registration(self._folder, first.voice, first.network)
        except (OSError, RuntimeError) as error:
            _log.warning("`voicecoach ps` will not list this run: %s", error)

    def _clean_up(self) -> None:
        self._take_successor()
        for client in list(self._clients):
            self._drop(client)
        if self._listener is not None:
            self._listener.close()
        if self._registration is not None:
            self._registration.remove()
        self._selector.close()

    def _serve_ready(self) -> None:
        """Serve whoever is ready; look at the run when it is time."""
        ready = self._selector.select(max(0.0, self._next_look - self._clock()))
        for key, mask in ready:
            if isinstance(key.data, Connection):
                self._serve(key.data, mask)
        # Last, so that those who have gone take nobody's place.
        if any(key.data is None and key.fileobj is not self._woken for key, _ in ready):
            for _ in range(_ACCEPTED_AT_ONCE):
                if not self._accept():
                    break
        if self._clock() >= self._next_look:
            self._look()

    def _look(self) -> None:
        """Take the newest snapshot, and show it to whoever is ready for it."""
        now = self._clock()
        self._next_look = now + _INTERVAL
        before, self._newest = self._newest, self._snapshot()
        if _signs_of_life(before) != _signs_of_life(self._newest):
            self._changed = now
        if before.phase is not self._newest.phase:
            self._phase_began = now
        self._take_successor()
        self._listen(True)
        for client in list(self._clients):
            if client.role == "screen":
                # Before it is sent more: what it was sent last, it has had time to take.
                self._screens.set_reads(client, client.reads(now))
            if client.stays and not client.busy:
                self._show(client)
        if self._registration is not None and now >= self._next_touch:
            self._next_touch = now + _TOUCH
            self._registration.touch()

    # The socket.

    def _take_successor(self) -> None:
        """Listen at the socket that was opened in place of a removed one, if one was."""
        if self._listener is not None and (successor := self._listener.successor) is not None:
            self._listen(False)
            self._listener.close()
            self._listener = successor

    def _listen(self, listening: bool) -> None:
        if self._listener is None or listening is self._listening:
            return
        self._listening = listening
        if listening:
            self._selector.register(self._listener.socket, selectors.EVENT_READ)
        else:
            self._selector.unregister(self._listener.socket)

    def _accept(self) -> bool:
        """Accept one client; return whether there may be another."""
        assert self._listener is not None
        try:
            connected, _ = self._listener.socket.accept()
        except BlockingIOError:
            return False
        except OSError as error:
            _log.warning("a screen cannot attach: %s", error)
            # It still waits there, and this thread must not spin on it.
            self._listen(False)
            return False
        if not is_trusted(connected):
            connected.close()
            return True
        connected.setblocking(False)
        client = Connection(connected, self._clock())
        self._clients.add(client)
        self._selector.register(connected, selectors.EVENT_READ, client)
        # Most have said hello by now, and `ps` is answered and gone.
        self._serve(client, selectors.EVENT_READ)
        return True

    # One client.

    def _serve(self, client: Connection, mask: int) -> None:
        """Take what a client sent and send what waits; drop one that is gone."""
        try:
            if mask & selectors.EVENT_READ:
                self._receive(client)
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

    def _receive(self, client: Connection) -> None:
        if not client.closing:
            for message in client.messages():
                self._process(client, message)

    def _refuse(self, client: Connection, text: str) -> None:
        client.refuse(text, self._clock())
        try:
            self._push(client)
        except OSError:
            self._drop(client)

    def _process(self, client: Connection, message: FromClient) -> None:
        if isinstance(message, Hello):
            self._greet(client, message)
        elif client.role != "screen":
            raise InputError("only a screen that came to steer can send commands")
        elif isinstance(message, Leave):
            client.keep_training = True
        elif isinstance(message.command, ScreenAttached | ScreenDetached):
            raise InputError("a screen comes and goes by its connection alone")
        elif isinstance(message.command, TerminalStalled):
            client.terminal_reads = not message.command.stalled
        else:
            self._send(message.command)

    def _greet(self, client: Connection, hello: Hello) -> None:
        """Answer a hello.

        Raises:
            InputError: it said hello before.
        """
        if client.role is not None:
            raise InputError("hello was said already")
        now = self._clock()
        if hello.role == "status":
            client.role = hello.role
            client.put(self._status(), now)
            client.closing = True
            return
        client.role = hello.role
        if hello.role == "reader":
            self._screens.count_reader(1)
        else:
            self._screens.add(client)
        self._newest = self._snapshot()
        self._show(client)

    def _status(self) -> Status:
        run = self._snapshot()
        return Status(
            voice=run.voice,
            network=run.network,
            phase=run.phase,
            step=run.step,
            steps_per_second=run.steps_per_second,
            stop=run.stop_text,
            spent=run.spent,
            price=run.price,
            checkpoint_step=run.checkpoint_step,
            still_seconds=max(0.0, self._clock() - self._changed),
            phase_seconds=max(0.0, self._clock() - self._phase_began),
            pid=os.getpid(),
            screens=run.screens,
            readers=run.readers,
            wait_ends_at=run.wait_ends_at,
        )

    def _show(self, client: Connection) -> None:
        """Have a screen sent what changed since the snapshot that it has."""
        now = self._clock()
        if client.shown is not self._newest:
            try:
                client.put(self._update_for(client.shown, self._newest), now)
            except Exception as error:
                _log.exception("a snapshot cannot be sent")
                self._refuse(client, f"the run cannot be shown here: {error}")
                return
            client.shown = self._newest
        elif now - client.last_sent >= _ALIVE_AFTER:
            client.put(Alive(), now)
        else:
            return
        self._serve(client, 0)

    def _update_for(self, before: Snapshot | None, after: Snapshot) -> bytes:
        if self._update is None or self._update[0] is not before or self._update[1] is not after:
            self._update = before, after, frame(update_between(before, after))
        return self._update[2]

    def _push(self, client: Connection) -> None:
        client.push()
        if client.closing and not client.busy:
            self._drop(client)
            return
        wanted = selectors.EVENT_WRITE if client.busy else 0
        if not client.closing:
            wanted |= selectors.EVENT_READ
        self._selector.modify(client.socket, wanted, client)

    def _drop(self, client: Connection) -> None:
        if client not in self._clients:
            return
        self._clients.remove(client)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(client.socket)
        client.close()
        if client.role == "screen":
            self._screens.remove(client, keep_training=client.keep_training)
        elif client.role == "reader":
            self._screens.count_reader(-1)

    def _show_end(self) -> None:
        """Send the last snapshot to every screen that reads, in a few seconds."""
        self._selector.unregister(self._woken)
        self._listen(False)
        self._newest = self._snapshot()
        deadline = self._clock() + _LAST_SECONDS
        while self._clock() < deadline:
            for client in list(self._clients):
                if client.stays and not client.busy:
                    self._show(client)
                if client.shown is self._newest and not client.busy:
                    self._drop(client)
            if not any(client.stays for client in self._clients):
                return
            for key, mask in self._selector.select(max(0.0, deadline - self._clock())):
                if isinstance(key.data, Connection):
                    self._serve(key.data, mask)


def _signs_of_life(run: Snapshot) -> tuple[object, ...]:
    """What a run that is alive changes; not all of a snapshot, for a thread may read the GPU."""
    return run.phase, run.step, run.progress, run.seconds_to_start, len(run.events), run.auditions
