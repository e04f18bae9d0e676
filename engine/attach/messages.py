"""What a run and a screen in another process say to each other: one line of JSON a message."""

from dataclasses import dataclass, fields
from typing import Any, Literal

from engine.attach.codec import decode, dump, encode, load
from engine.choices import NetworkName
from engine.errors import InputError
from engine.run.commands import Command
from engine.run.snapshot import Phase
from engine.run.stop import MAX_STEPS

VERSION = 3
"""Of the wire; both sides refuse any other."""

MAX_FROM_CLIENT = 64 * 1024
"""Bytes of a line that a screen may send."""
MAX_FROM_SERVER = 32 * 1024 * 1024
"""Bytes of a line that a run may send."""

_MAX_SECONDS = 1e12
_MAX_NUMBER = 1e30
_MAX_TIME = 1e11  # in the year 5138; calendars end in 9999

Role = Literal["screen", "reader", "glance"]
"""A screen stays and steers; a reader stays and asks for nothing; a glance is answered once."""


@dataclass(frozen=True, slots=True)
class Hello:
    """The first line of a client."""

    role: Role


@dataclass(frozen=True, slots=True)
class Ask:
    """A screen asks for something."""

    command: Command


@dataclass(frozen=True, slots=True)
class Leave:
    """The last line of a screen whose person wants the run to train on without them.

    One that goes without a word has no wish.
    """


@dataclass(frozen=True, slots=True)
class Welcome:
    """The answer to the `Hello` of a screen or a reader."""

    pid: int
    voicecoach: str
    """The version of the program that trains."""


@dataclass(frozen=True, slots=True)
class Glance:
    """The answer to a glance: where a run stands, in a few numbers."""

    voice: str
    network: NetworkName
    phase: Phase
    step: int
    steps_per_second: float | None
    stop: str
    """As it was asked for; empty without one."""
    spent: float
    """US dollars, the voice's all."""
    price: float
    """US dollars an hour."""
    checkpoint_step: int | None
    still_seconds: float
    """Seconds since anything moved in the run: a step, progress, an event."""
    phase_seconds: float
    """Seconds since its phase began."""
    pid: int
    screens: int
    """Screens that steer it."""
    readers: int
    """Screens that only look at it."""
    wait_ends_at: float | None
    """When a wait ends by itself, in seconds since the epoch; None where none does."""

    def __post_init__(self) -> None:
        """Refuse numbers that no run has, for whoever shows them counts with them.

        Raises:
            ValueError: naming one.
        """
        limits = {
            "step": MAX_STEPS,
            "checkpoint_step": MAX_STEPS,
            "still_seconds": _MAX_SECONDS,
            "phase_seconds": _MAX_SECONDS,
            "wait_ends_at": _MAX_TIME,
        }
        for field in fields(self):
            value = getattr(self, field.name)
            most = limits.get(field.name, _MAX_NUMBER)
            # What is no number is in no range either.
            if isinstance(value, int | float) and not 0 <= value <= most:
                raise ValueError(f"its {field.name} is no number that a run has")


@dataclass(frozen=True, slots=True)
class Alive:
    """Nothing has changed, and the process is there."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the other side closes the connection."""

    text: str


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field's new value; or, of a tuple, what stays of the one before and what is added."""

    said: Any
    kept_from: int | None = None
    """Where the items that stay begin in the tuple before; None where the value is new."""


@dataclass(frozen=True, slots=True)
class Part:
    """Fields of the snapshot that changed; with `complete` the picture is whole again."""

    fields: dict[str, FieldChange]
    complete: bool


_Client = Hello | Ask | Leave
_Server = Welcome | Glance | Alive | Refusal


def write(message: _Client | _Server | Part) -> bytes:
    """Write a message as one line."""
    if isinstance(message, Part):
        changed = {name: _write_change(change) for name, change in message.fields.items()}
        said = {"kind": "Part", "fields": changed, "complete": message.complete}
    else:
        said = encode(message, _Client | _Server)
    return dump({"v": VERSION, **said})


def _write_change(change: FieldChange) -> dict[str, Any]:
    if change.kept_from is None:
        return {"is": change.said}
    return {"from": change.kept_from, "add": change.said}


def read_from_client(line: bytes) -> _Client:
    """Read a line that a client sent.

    Raises:
        InputError: it is no message, of another version, or asks for nothing that there is.
    """
    message: _Client = decode(_body(line), _Client)
    return message


def read_from_server(line: bytes) -> _Server | Part:
    """Read a line that a run sent.

    Raises:
        InputError: it is no message, or of another version.
    """
    said = _body(line)
    if said.get("kind") != "Part":
        message: _Server = decode(said, _Server)
        return message
    changed, complete = said.get("fields"), said.get("complete")
    if set(said) != {"kind", "fields", "complete"} or type(complete) is not bool:
        raise InputError("a part of a snapshot has other fields than it should")
    if not isinstance(changed, dict):
        raise InputError("a part of a snapshot has no fields")
    return Part({name: _read_change(change) for name, change in changed.items()}, complete)


def _read_change(said: object) -> FieldChange:
    if isinstance(said, dict) and set(said) == {"is"}:
        return FieldChange(said["is"])
    if isinstance(said, dict) and set(said) == {"from", "add"}:
        start = said["from"]
        if type(start) is int and start >= 0:
            return FieldChange(said["add"], start)
    raise InputError("a change of a snapshot cannot be read")


def _body(line: bytes) -> dict[str, Any]:
    said = load(line)
    version = said.pop("v", None)
    if version != VERSION or type(version) is not int:
        raise InputError(
            f"the other side speaks version {version!r} of the wire and this one {VERSION}: "
            f"attach with the voicecoach that trains"
            if isinstance(version, int)
            else "a message names no version of the wire"
        )
    return said
