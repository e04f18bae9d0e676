"""Shows a run to the screens of other processes, and takes their commands.

One thread does it all, and waits for nobody: it looks at the newest snapshot a few times a
second and sends each screen what changed since the one that this screen has. A screen that does
not read costs one such message and is sent no other; when it reads again, it gets the newest.
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

from engine.attach.clients import Audience
from engine.attach.connection import Clock, Connection
from engine.attach.deltas import changes
from engine.attach.messages import (
    Alive,
    Glance,
    Hello,
    Leave,
    Welcome,
    read_from_client,
    write,
)
from engine.attach.registry import Registration
from engine.attach.sockets import SocketFile, is_trusted, listen
from engine.errors import InputError
from engine.run.commands import Command, ScreenAttached, ScreenDetached, TerminalStalled
from engine.run.snapshot import Snapshot

_log = logging.getLogger(__name__)

MAX_SCREENS = 32
"""Screens and readers at the same time; each of them costs a share of every snapshot."""
MAX_CONNECTIONS = 4 * MAX_SCREENS
"""Open connections, with those that have not said hello yet and those that `ps` makes."""

_ACCEPTED_AT_ONCE = 16
_LOOK = 0.25
"""Seconds between two looks at the snapshot."""
_ALIVE_AFTER = 2.0
"""Seconds of silence after which a screen is told that the process is there."""
_HELLO_WITHIN = 5.0
"""Seconds that a client may take to say what it is."""
_TOUCH = 10.0
"""Seconds between two signs of life in the registry."""
_LAST_WORDS = 2.0
"""Seconds that screens get to read how the run ended."""


class Server:
    """The socket of a run, and the thread that serves it."""

    def __init__(
        self,
        folder: Path,
        snapshot: Callable[[], Snapshot],
        send: Callable[[Command], None],
        audience: Audience,
        *,
        clock: Clock = time.monotonic,
    ) -> None:
        """Prepare to serve; nothing is opened yet.

        Args:
            folder: the voice folder, whose lock this process holds.
            snapshot: returns the newest snapshot, without waiting.
            send: takes a command, without waiting.
            audience: is told of screens that come and go.
            clock: counts seconds.
        """
        self._folder = folder
        self._snapshot = snapshot
        self._send = send
        self._audience = audience
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._clients: set[Connection] = set()
        self._listener: socket.socket | None = None
        self._socket_file: SocketFile | None = None
        self._socket_missed = False
        # What another thread has opened in place of a removed socket, for this one to take.
        self._reopened: tuple[socket.socket, SocketFile] | None = None
        self._wake, self._woken = socket.socketpair()
        self._closing = threading.Event()
        self._deaf = False
        self._thread = threading.Thread(target=self._run, name="wire", daemon=True)
        self._registration: Registration | None = None
        self._newest = snapshot()
        self._next_look = self._next_touch = clock()
        self._moved = self._phase_began = clock()
        self._parts: tuple[Snapshot | None, Snapshot, list[bytes]] | None = None

    def start(self) -> None:
        """Open the socket and begin to serve.

        Raises:
            OSError: the socket cannot be opened in the voice folder.
        """
        self._listener, self._socket_file = listen(self._folder)
        for readable in (self._listener, self._woken):
            readable.setblocking(False)
            self._selector.register(readable, selectors.EVENT_READ)
        self._thread.start()

    def restore_socket(self, folder: Path) -> None:
        """Open the socket anew where two calls in a row find its file removed.

        For the thread that watches the folder, which a disk that hangs may hold up; not to be
        called while the folder is being deleted, nor once the server is being closed. A server
        that could not be started stays as it is.

        Args:
            folder: where the voice folder is now.

        Raises:
            OSError: the socket cannot be looked at, or not be opened.
        """
        if self._reopened is not None or not self._thread.is_alive():
            return
        # Read only now: the server's thread closes the one that it replaces.
        file = self._socket_file
        assert file is not None
        missed, self._socket_missed = self._socket_missed, not file.is_there()
        if missed and self._socket_missed:
            self._reopened = listen(folder)
            self._socket_missed = False

    def close(self) -> None:
        """Tell the screens the last of the run, and remove the socket; takes at most moments."""
        self._closing.set()
        if self._thread.ident is not None:
            # It may have ended, and closed its end, by itself.
            with contextlib.suppress(OSError):
                self._wake.send(b"!")
            self._thread.join(_LAST_WORDS + 1)
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
                    self._turn()
                except MemoryError:
                    # It may pass, and a run that nobody can attach to any more is worse.
                    self._closing.wait(_LOOK)
            self._say_the_last()
        except Exception:
            _log.exception("screens of other processes are served no more")
        finally:
            self._let_go()

    def _register(self) -> None:
        first = self._newest
        try:
            self._registration = Registration(self._folder, first.voice, first.network)
        except (OSError, RuntimeError) as error:
            _log.warning("`voicecoach ps` will not list this run: %s", error)

    def _take_reopened(self) -> None:
        """Listen at the socket that was opened in place of a removed one, if one was."""
        if self._reopened is None or self._listener is None or self._socket_file is None:
            return
        self._stop_listening()
        self._listener.close()
        with contextlib.suppress(OSError):
            self._socket_file.remove()
        self._listener, self._socket_file = self._reopened
        self._reopened = None

    def _let_go(self) -> None:
        self._take_reopened()
        for client in list(self._clients):
            self._drop(client)
        if self._listener is not None:
            self._listener.close()
        if self._socket_file is not None:
            # A voice that could not be made has lost its folder already.
            with contextlib.suppress(OSError):
                self._socket_file.remove()
        if self._registration is not None:
            self._registration.remove()
        self._selector.close()

    def _turn(self) -> None:
        """Serve whoever is ready; look at the run when it is time."""
        patience = max(0.0, self._next_look - self._clock())
        ready = self._selector.select(patience)
        for key, mask in ready:
            if isinstance(key.data, Connection):
                self._serve(key.data, mask)
        # Last, so that whoever has gone takes nobody's place.
        if any(key.fileobj is self._listener for key, _ in ready):
            for _ in range(_ACCEPTED_AT_ONCE):
                if not self._accept():
                    break
        if self._clock() >= self._next_look:
            self._look()

    def _look(self) -> None:
        now = self._clock()
        self._next_look = now + _LOOK
        before, self._newest = self._newest, self._snapshot()
        if _signs(before) != _signs(self._newest):
            self._moved = now
        if before.phase is not self._newest.phase:
            self._phase_began = now
        self._take_reopened()
        self._listen_again()
        for client in list(self._clients):
            if client.overdue(now, _HELLO_WITHIN):
                self._drop(client)
                continue
            if client.role == "screen":
                # Before it is sent more: what it was sent last, it has had time to take.
                self._count(client, now)
            if client.stays and not client.busy:
                self._show(client)
        if self._registration is not None and now >= self._next_touch:
            self._next_touch = now + _TOUCH
            self._registration.touch()

    def _count(self, client: Connection, now: float) -> None:
        """Tell the audience where a screen stops reading, or reads again."""
        reads = client.reads(now)
        if reads is not client.counted_as_reading:
            client.counted_as_reading = reads
            self._audience.other_reads(reads)

    def _accept(self) -> bool:
        """Take one who knocks; say whether to look for another."""
        assert self._listener is not None
        try:
            connected, _ = self._listener.accept()
        except BlockingIOError:
            return False
        except OSError as error:
            _log.warning("a screen cannot attach: %s", error)
            # Whoever knocks still stands there, and this thread must not spin on it.
            self._stop_listening()
            return False
        connected.setblocking(False)
        if len(self._clients) >= MAX_CONNECTIONS:
            self._drop_the_longest_silent()
        client = Connection(connected, self._clock())
        self._clients.add(client)
        self._selector.register(connected, selectors.EVENT_READ, client)
        # Most have said hello by now, and one that only asks is answered and gone.
        self._serve(client, selectors.EVENT_READ)
        return True

    def _drop_the_longest_silent(self) -> None:
        """Make room: whoever connects and says nothing must not keep `ps` from an answer."""
        passing = [one for one in self._clients if one.role is None or one.closing]
        self._drop(min(passing, key=lambda one: one.opened))

    def _stop_listening(self) -> None:
        if not self._deaf and self._listener is not None:
            self._deaf = True
            self._selector.unregister(self._listener)

    def _listen_again(self) -> None:
        if self._deaf and self._listener is not None:
            self._deaf = False
            self._selector.register(self._listener, selectors.EVENT_READ)

    def _serve(self, client: Connection, mask: int) -> None:
        """Take what came from a client and send what waits; let go of one that is gone."""
        try:
            if mask & selectors.EVENT_READ and not client.closing:
                for line in client.lines(self._clock()):
                    self._obey(client, line)
            self._push(client)
        except InputError as error:
            _log.warning("a client of the wire is refused: %s", error)
            self._refuse(client, str(error))
        except (OSError, EOFError):
            self._hear_out(client)
            self._drop(client)
        except Exception as error:
            _log.exception("a client of the wire cannot be served")
            self._refuse(client, f"the run cannot serve this screen: {type(error).__name__}")

    def _hear_out(self, client: Connection) -> None:
        """Take what somebody said before they went, who may have gone while they were written to.

        What fits no more is passed over, as nobody is there to be told.
        """
        if client.closing:
            return
        try:
            with contextlib.suppress(OSError, EOFError, InputError):
                for line in client.lines(self._clock()):
                    self._obey(client, line)
        except Exception:
            _log.exception("what a client said last cannot be heard")

    def _refuse(self, client: Connection, text: str) -> None:
        client.refuse(text, self._clock())
        try:
            self._push(client)
        except OSError:
            self._drop(client)

    def _obey(self, client: Connection, line: bytes) -> None:
        message = read_from_client(line)
        if client.role is None:
            if not isinstance(message, Hello):
                raise InputError("the first message has to say hello")
            self._greet(client, message)
        elif isinstance(message, Hello):
            raise InputError("hello was said already")
        elif client.role != "screen":
            raise InputError("only a screen that came to steer can ask for something")
        elif isinstance(message, Leave):
            client.keep_training = True
        elif isinstance(message.command, ScreenAttached | ScreenDetached):
            raise InputError("a screen comes and goes by its connection alone")
        elif isinstance(message.command, TerminalStalled):
            client.terminal_reads = not message.command.stalled
        else:
            self._send(message.command)

    def _greet(self, client: Connection, hello: Hello) -> None:
        """Answer a hello; only now, so that the refusal of one who still sends is not lost.

        Raises:
            InputError: the client is not ours, or there are screens enough.
        """
        if not is_trusted(client.socket):
            raise InputError("this run belongs to another user")
        staying = sum(one.stays and not one.closing for one in self._clients)
        if hello.role != "glance" and staying >= MAX_SCREENS:
            raise InputError(f"{MAX_SCREENS} screens are attached to it; close one of them first")
        now = self._clock()
        client.role = hello.role
        if hello.role == "glance":
            client.put(write(self._glance()), now)
            client.closing = True
            return
        if hello.role == "reader":
            self._audience.come_to_read()
        else:
            self._audience.come()
        client.put(write(Welcome(os.getpid(), _version())), now)
        self._newest = self._snapshot()
        self._show(client)

    def _glance(self) -> Glance:
        run = self._snapshot()
        return Glance(
            voice=run.voice,
            network=run.network,
            phase=run.phase,
            step=run.step,
            steps_per_second=run.steps_per_second,
            stop=run.stop_text,
            spent=run.spent,
            price=run.price,
            checkpoint_step=run.checkpoint_step,
            still_seconds=max(0.0, self._clock() - self._moved),
            phase_seconds=max(0.0, self._clock() - self._phase_began),
            pid=os.getpid(),
            screens=run.screens,
            readers=run.readers,
            wait_ends_at=run.wait_ends_at,
        )

    def _show(self, client: Connection) -> None:
        """Have a screen sent what changed since it was shown something last."""
        now = self._clock()
        if client.shown is not self._newest:
            try:
                lines = self._lines(client.shown, self._newest)
            except Exception as error:
                _log.exception("a snapshot cannot be sent")
                self._refuse(client, f"the run cannot be shown here: {error}")
                return
            for line in lines:
                client.put(line, now)
            client.shown = self._newest
        elif now - client.last_sent >= _ALIVE_AFTER:
            client.put(write(Alive()), now)
        else:
            return
        self._serve(client, 0)

    def _lines(self, before: Snapshot | None, after: Snapshot) -> list[bytes]:
        """The messages from one snapshot to another; screens at the same one share them."""
        if self._parts is None or self._parts[0] is not before or self._parts[1] is not after:
            self._parts = before, after, [write(part) for part in changes(before, after)]
        return self._parts[2]

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
            self._audience.leave(
                keep_training=client.keep_training, reads=client.counted_as_reading
            )
        elif client.role == "reader":
            self._audience.leave_reading()

    def _say_the_last(self) -> None:
        """Send the last snapshot to every screen that reads, within a moment."""
        self._selector.unregister(self._woken)
        self._stop_listening()
        self._newest = self._snapshot()
        deadline = self._clock() + _LAST_WORDS
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


def _signs(run: Snapshot) -> tuple[object, ...]:
    """What shows that a run lives; not all that changes does, for a thread may read the GPU."""
    return run.phase, run.step, run.progress, run.seconds_to_start, len(run.events), run.auditions


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("voicecoach")
    except PackageNotFoundError:
        return "unknown"
