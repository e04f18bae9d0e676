"""What a run and a screen of another process send each other.

Each side begins with a line of JSON that names its version of the protocol; what follows are
frames: four bytes of length, then a message in MessagePack.
"""

from typing import Annotated, Any, Literal

import msgspec

from engine.choices import NetworkName
from engine.errors import InputError
from engine.run.commands import Command
from engine.run.snapshot import Phase
from engine.serialization import from_json, from_msgpack, to_msgpack

VERSION = 4
"""Of the protocol; both sides refuse any other. Version 3 was lines of JSON, each with its `v`."""
GREETING = f'{{"v":{VERSION}}}\n'.encode()
"""The first bytes from either side."""

MAX_FROM_CLIENT = 64 * 1024
"""Bytes of a frame that a screen may send."""
MAX_FROM_SERVER = 256 * 1024 * 1024
"""Bytes of a frame that a run may send: a whole snapshot with all plots has some 5 MB."""

_LENGTH = 4
_MAX_GREETING = 4096

Role = Literal["screen", "reader", "status"]
"""A screen stays and steers; a reader stays and only looks; for `status` there is one answer."""


class Hello(msgspec.Struct, frozen=True, tag=True):
    """The first message of a client."""

    role: Role


class Ask(msgspec.Struct, frozen=True, tag=True):
    """A screen sends a command."""

    command: Command


class Leave(msgspec.Struct, frozen=True, tag=True):
    """The last message of a screen whose person wants the run to train on without them."""


class Status(msgspec.Struct, frozen=True, tag=True):
    """The answer for `voicecoach ps`: where a run is, in a few numbers."""

    voice: str
    network: NetworkName
    phase: Phase
    step: int
    steps_per_second: float | None
    stop: str
    """As it was requested; empty without one."""
    spent: float
    """US dollars, for the whole voice."""
    price: float
    """US dollars an hour."""
    checkpoint_step: int | None
    still_seconds: float
    """Seconds since the last change: a step, progress, an event."""
    phase_seconds: float
    """Seconds since the phase began."""
    pid: int
    screens: int
    """Screens that steer the run."""
    readers: int
    """Screens that only look at it."""
    wait_ends_at: float | None
    """When a wait for the person ends by itself, in seconds since the epoch."""


class Alive(msgspec.Struct, frozen=True, tag=True):
    """Nothing has changed, and the process is there."""


class Refusal(msgspec.Struct, frozen=True, tag=True):
    """Why the run closes the connection."""

    text: Annotated[str, msgspec.Meta(max_length=100_000)]


class Tail(msgspec.Struct, frozen=True):
    """What became of a tuple that grows at its end."""

    kept_from: int
    """Where the items that are kept begin in the tuple before."""
    added: msgspec.Raw


class Update(msgspec.Struct, frozen=True, tag=True):
    """What changed in the snapshot; see `engine.attach.updates`."""

    values: dict[str, msgspec.Raw]
    """Fields with their new values."""
    tails: dict[str, Tail]
    """Tuples that grew: samples, plots, events."""


FromClient = Hello | Ask | Leave
FromServer = Status | Alive | Refusal | Update


def frame(message: FromClient | FromServer) -> bytes:
    """Encode a message as a frame."""
    body = to_msgpack(message)
    return len(body).to_bytes(_LENGTH, "big") + body


class FrameReader:
    """Cuts what arrives into messages."""

    def __init__(self, kind: Any, sender: str, max_bytes: int) -> None:  # noqa: ANN401 (a union)
        """Expect messages of a kind from a sender, each of at most so many bytes."""
        self._kind = kind
        self._sender = sender
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._greeted = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take what arrived; return the frames that are complete, for `read`.

        Raises:
            InputError: the other side has another version, or sends what is no frame.
        """
        self._buffer += data
        if not self._greeted and not self._read_greeting():
            return []
        frames = []
        while len(self._buffer) >= _LENGTH:
            end = _LENGTH + int.from_bytes(self._buffer[:_LENGTH], "big")
            if end - _LENGTH > self._max_bytes:
                raise InputError(f"{self._sender} sends more than {self._max_bytes:,} bytes")
            if len(self._buffer) < end:
                break
            frames.append(bytes(self._buffer[_LENGTH:end]))
            del self._buffer[:end]
        return frames

    def _read_greeting(self) -> bool:
        line, separator, rest = self._buffer.partition(b"\n")
        if not separator:
            if len(line) > _MAX_GREETING:
                raise InputError(f"{self._sender} does not speak voicecoach's protocol")
            return False
        try:
            version = from_json(bytes(line), dict[str, msgspec.Raw], "")["v"]
        except (InputError, KeyError):
            raise InputError(f"{self._sender} does not speak voicecoach's protocol") from None
        if bytes(version) != str(VERSION).encode():
            raise InputError(
                f"{self._sender} uses version {bytes(version)[:20].decode()} of the protocol, not "
                f"{VERSION}: attach with the voicecoach that trains"
            )
        self._greeted = True
        self._buffer = rest
        return True

    def read(self, frame: bytes) -> Any:  # noqa: ANN401 (one of the kind)
        """Read the message in a frame.

        Raises:
            InputError: it is no message.
        """
        return from_msgpack(frame, self._kind, f"a message from {self._sender}")
