"""One client of a run, as the run sees it: bounded, never waited for, obeyed within limits."""

import fcntl
import socket
import struct
import termios
from collections import deque
from collections.abc import Callable, Iterator

from engine.attach.messages import MAX_FROM_CLIENT, Refusal, Role, write
from engine.errors import InputError
from engine.run.snapshot import Snapshot

Clock = Callable[[], float]
"""Counts seconds."""

# Commands that a person with ten fingers, or a script in their place, can mean in a second.
_MAX_A_SECOND = 100
# Seconds in which a process that runs has taken something of what it was sent.
_TAKES_WITHIN = 8.0
_AT_ONCE = 64 * 1024


class Connection:
    """A socket that never blocks, what came of a line, and what has still to go out."""

    def __init__(self, connected: socket.socket, opened: float) -> None:
        """Take a connection that was accepted at a moment of the server's clock."""
        self.socket = connected
        self.opened = opened
        self.role: Role | None = None
        """None until it has said hello."""
        self.keep_training = False
        """Whether whoever is behind it asked, leaving, for training to go on."""
        self.shown: Snapshot | None = None
        """What it has, once all that goes out has gone."""
        self.last_sent = opened
        self.closing = False
        """Whether it is closed once all has gone out."""
        self.terminal_reads = True
        """Whether the screen behind it says that its terminal takes output."""
        self.counted_as_reading = True
        """Whether the audience counts it as a screen that reads."""
        self._taken = opened
        self._was_full = self._is_taking = False
        self._in = bytearray()
        self._out: deque[bytes] = deque()
        self._gone = 0
        self._asked: deque[float] = deque()

    @property
    def stays(self) -> bool:
        """Whether it is shown whatever changes."""
        return self.role in ("screen", "reader")

    @property
    def busy(self) -> bool:
        """Whether something has still to go out."""
        return bool(self._out)

    def reads(self, now: float) -> bool:
        """Whether the screen behind it shows what it is sent; look a few times a second.

        A process that is stopped, or hangs, takes nothing: what it was sent stays in the socket.
        """
        untaken = fcntl.ioctl(self.socket, termios.TIOCOUTQ, struct.pack("i", 0))
        if self._is_taking or not (self.busy or struct.unpack("i", untaken)[0]):
            self._taken, self._is_taking = now, False
        return self.terminal_reads and now - self._taken <= _TAKES_WITHIN

    def overdue(self, now: float, patience: float) -> bool:
        """Whether it has not said hello, or not taken the word that it is refused, in time."""
        since = self.last_sent if self.closing else self.opened
        return (self.closing or self.role is None) and now - since > patience

    def put(self, line: bytes, now: float) -> None:
        """Have a line sent."""
        self._out.append(line)
        self.last_sent = now

    def push(self) -> None:
        """Send what the other side takes now.

        Raises:
            OSError: the other side is gone.
        """
        while self._out:
            try:
                self._gone += self.socket.send(memoryview(self._out[0])[self._gone :])
            except BlockingIOError:
                self._was_full = True
                return
            # A socket that was full takes more only once the other side has taken something.
            self._is_taking, self._was_full = self._is_taking or self._was_full, False
            if self._gone == len(self._out[0]):
                self._out.popleft()
                self._gone = 0

    def lines(self, now: float) -> Iterator[bytes]:
        """Yield the lines that have come whole.

        Raises:
            OSError: the other side is gone.
            EOFError: it has closed.
            InputError: a line is too long, or there are too many.
        """
        try:
            came = self.socket.recv(_AT_ONCE)
        except BlockingIOError:
            return
        if not came:
            raise EOFError
        self._in += came
        *whole, rest = self._in.split(b"\n")
        self._in = rest
        if len(rest) > MAX_FROM_CLIENT or any(len(line) > MAX_FROM_CLIENT for line in whole):
            raise InputError(f"a line is longer than {MAX_FROM_CLIENT:,} bytes")
        for line in whole:
            self._count(now)
            yield bytes(line)

    def _count(self, now: float) -> None:
        self._asked.append(now)
        while self._asked[0] < now - 1:
            self._asked.popleft()
        if len(self._asked) > _MAX_A_SECOND:
            raise InputError(f"more than {_MAX_A_SECOND} lines in a second")

    def refuse(self, text: str, now: float) -> None:
        """Say why it ends here, if the other side still takes it, and send nothing else."""
        if self._gone:
            # The line that is under way is cut off; what follows would not be read.
            self._out.clear()
        else:
            self._out = deque([write(Refusal(text))])
        self.closing = True
        self.last_sent = now

    def close(self) -> None:
        """Let go."""
        self.socket.close()
