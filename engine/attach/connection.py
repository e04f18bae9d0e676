"""The socket between a run and a screen of another process: the same on either side.

Each side begins with a line of JSON that names its version of the protocol; what follows are
frames: four bytes of length, then a message in MessagePack.
"""

import fcntl
import socket
import struct
import termios
from collections.abc import Iterator
from typing import Any

import msgspec

from engine.attach.messages import VERSION
from engine.errors import InputError
from engine.serialization import from_json, from_msgpack, to_msgpack

GREETING = f'{{"v":{VERSION}}}\n'.encode()
"""The first bytes from either side."""

_LENGTH = 4
_MAX_GREETING = 4096
_RECEIVE_BYTES = 256 * 1024


def frame(message: msgspec.Struct) -> bytes:
    """Encode a message as a frame."""
    body = to_msgpack(message)
    return len(body).to_bytes(_LENGTH, "big") + body


class Connection:
    """Messages through a connected socket, which waits as long as its timeout says."""

    def __init__(
        self,
        connected: socket.socket,
        kind: Any,  # noqa: ANN401 (a union)
        sender: str,
        max_bytes: int,
    ) -> None:
        """Expect messages of a kind from a sender, each of at most so many bytes."""
        self.socket = connected
        self._kind = kind
        self._sender = sender
        self._max_bytes = max_bytes
        self._greeted = False
        self._incoming = bytearray()
        self._outgoing = bytearray(GREETING)

    @property
    def busy(self) -> bool:
        """Whether something has still to be sent."""
        return bool(self._outgoing)

    @property
    def untaken(self) -> int:
        """How much the process on the other side has not taken yet, in bytes."""
        in_socket = fcntl.ioctl(self.socket, termios.TIOCOUTQ, bytes(4))
        return len(self._outgoing) + int(struct.unpack("i", in_socket)[0])

    def put(self, message: msgspec.Struct) -> None:
        """Have a message sent by `push`."""
        self._outgoing += frame(message)

    def push(self) -> None:
        """Send what the socket takes.

        Raises:
            OSError: the other side is gone.
        """
        try:
            while self._outgoing:
                del self._outgoing[: self.socket.send(self._outgoing)]
        except BlockingIOError:
            return

    def discard(self) -> None:
        """Forget what has still to be sent."""
        self._outgoing.clear()

    def receive(self) -> Iterator[Any]:
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
        self._incoming += data
        self._greeted = self._greeted or self._read_greeting()
        while self._greeted and (body := self._next_frame()) is not None:
            yield from_msgpack(body, self._kind, f"a message from {self._sender}")

    def _next_frame(self) -> bytes | None:
        if len(self._incoming) < _LENGTH:
            return None
        end = _LENGTH + int.from_bytes(self._incoming[:_LENGTH], "big")
        if end - _LENGTH > self._max_bytes:
            raise InputError(f"{self._sender} sends more than {self._max_bytes:,} bytes")
        if len(self._incoming) < end:
            return None
        body = bytes(self._incoming[_LENGTH:end])
        del self._incoming[:end]
        return body

    def _read_greeting(self) -> bool:
        """Take the line off the beginning; return whether it was all there."""
        line, separator, rest = self._incoming.partition(b"\n")
        if not separator and len(line) <= _MAX_GREETING:
            return False
        try:
            version = bytes(from_json(bytes(line), dict[str, msgspec.Raw], "")["v"])
        except (InputError, KeyError):
            raise InputError(f"{self._sender} does not speak voicecoach's protocol") from None
        if version != str(VERSION).encode():
            raise InputError(
                f"{self._sender} uses version {version[:20].decode()} of the protocol, not "
                f"{VERSION}: attach with the voicecoach that trains"
            )
        self._incoming = rest
        return True
