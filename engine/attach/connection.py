"""One client of a run, as the run's server has it: never waited for."""

import contextlib
import fcntl
import socket
import struct
import termios
from collections import deque
from collections.abc import Callable, Iterator

from engine.attach.messages import (
    GREETING,
    MAX_FROM_CLIENT,
    FrameReader,
    FromClient,
    FromServer,
    Refusal,
    Role,
    frame,
)
from engine.run.snapshot import Snapshot

Clock = Callable[[], float]
"""Counts seconds."""

# Seconds in which a process that runs has taken something of what it was sent.
_STALLED_AFTER = 8.0
_RECEIVE_BYTES = 64 * 1024


class Connection:
    """A socket that never blocks, and what has still to be sent through it."""

    def __init__(self, connected: socket.socket, opened: float) -> None:
        """Take a connection that was accepted at a moment of the server's clock."""
        self.socket = connected
        self.role: Role | None = None
        """None until it has said hello."""
        self.keep_training = False
        """Whether its person asked, leaving, for training to go on."""
        self.shown: Snapshot | None = None
        """What it has once everything is sent."""
        self.last_sent = opened
        self.closing = False
        """Whether it is closed once everything is sent."""
        self.terminal_reads = True
        """Whether the screen says that its terminal takes output."""
        self._taken = opened
        self._was_full = self._is_taking = False
        self._reader = FrameReader(FromClient, "this screen", MAX_FROM_CLIENT)
        self._queue: deque[bytes] = deque()
        self._sent = 0
        """Bytes of the first in the queue."""
        with contextlib.suppress(OSError):
            connected.send(GREETING)  # into an empty buffer

    @property
    def stays(self) -> bool:
        """Whether it is shown whatever changes."""
        return self.role in ("screen", "reader")

    @property
    def busy(self) -> bool:
        """Whether something has still to be sent."""
        return bool(self._queue)

    def reads(self, now: float) -> bool:
        """Whether the screen shows what it is sent; to be asked a few times a second.

        A process that is stopped, or hangs, takes nothing: what it was sent stays in the socket.
        """
        untaken = fcntl.ioctl(self.socket, termios.TIOCOUTQ, struct.pack("i", 0))
        if self._is_taking or not (self.busy or struct.unpack("i", untaken)[0]):
            self._taken, self._is_taking = now, False
        return self.terminal_reads and now - self._taken <= _STALLED_AFTER

    def put(self, message: FromServer | bytes, now: float) -> None:
        """Have a message, or a frame, sent."""
        self._queue.append(message if isinstance(message, bytes) else frame(message))
        self.last_sent = now

    def push(self) -> None:
        """Send what the other side takes now.

        Raises:
            OSError: the other side is gone.
        """
        while self._queue:
            try:
                self._sent += self.socket.send(memoryview(self._queue[0])[self._sent :])
            except BlockingIOError:
                self._was_full = True
                return
            # A socket that was full takes more only once the other side has taken something.
            self._is_taking, self._was_full = self._is_taking or self._was_full, False
            if self._sent == len(self._queue[0]):
                self._queue.popleft()
                self._sent = 0

    def messages(self) -> Iterator[FromClient]:
        """Yield the messages that have arrived.

        Raises:
            OSError: the other side is gone.
            EOFError: it has closed.
            InputError: it sends what is no message, or has another version.
        """
        try:
            data = self.socket.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return
        if not data:
            raise EOFError
        for received in self._reader.feed(data):
            yield self._reader.read(received)

    def refuse(self, text: str, now: float) -> None:
        """Say why it ends here, after what is half sent, and send nothing else."""
        while len(self._queue) > bool(self._sent):
            self._queue.pop()
        self.put(Refusal(text), now)
        self.closing = True

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()
