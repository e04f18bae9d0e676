"""What a run and a screen of another process send each other; `Connection` frames it."""

import os
from typing import Annotated, Any, Literal

import msgspec

from engine.choices import NetworkName
from engine.run.commands import Audition, Command, MarkHeard
from engine.run.snapshot import Phase, Snapshot

VERSION = 9
"""Of the protocol; both sides refuse any other."""

MAX_FROM_CLIENT = 64 * 1024
"""Bytes of a message that a screen may send."""
MAX_FROM_SERVER = 256 * 1024 * 1024
"""Bytes of a message that a run may send: a whole snapshot with all plots has some 5 MB."""

Role = Literal["screen", "reader", "listener", "status"]
"""A screen stays and steers; a reader stays and only looks, and a listener may also have samples
made; for `status` there is one answer."""
FOR_LISTENERS = (Audition, MarkHeard)
"""What a listener may send: nothing that changes the run."""


class Hello(msgspec.Struct, frozen=True, tag=True):
    """The first message of a client; from a screen, commands follow.

    `ScreenDetached` says how the person leaves. It counts once the connection ends.
    """

    role: Role


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
    ssrn_step: int | None = None
    """SSRN's step, where both networks are trained and `step` is Text2Mel's."""


def status_of(run: Snapshot, still_seconds: float, phase_seconds: float) -> Status:
    """Return the status of a run in this process."""
    given: dict[str, Any] = {name: getattr(run, name, None) for name in Status.__struct_fields__}
    for name in ("phase", "steps_per_second", "wait_ends_at"):
        given[name] = getattr(run.busiest, name)
    given |= {"stop": run.stop_text, "ssrn_step": run.other and run.other.step}
    given |= {"still_seconds": still_seconds, "phase_seconds": phase_seconds, "pid": os.getpid()}
    return Status(**given)


class Alive(msgspec.Struct, frozen=True, tag=True):
    """Nothing has changed, and the process is there."""


class Refusal(msgspec.Struct, frozen=True, tag=True):
    """Why the run closes the connection."""

    text: Annotated[str, msgspec.Meta(max_length=100_000)]


class Growth(msgspec.Struct, frozen=True):
    """What became of a tuple that grows at its end, and may lose its oldest items."""

    dropped: int
    """Items that are gone from its beginning."""
    added: msgspec.Raw


class Update(msgspec.Struct, tag=True):
    """What changed in the snapshot; see `engine.attach.updates`."""

    values: dict[str, msgspec.Raw]
    """Fields with their new values."""
    growths: dict[str, Growth]
    """Tuples that grew: samples, plots, events."""
    other: "Update | None" = None
    """The same for `Snapshot.other`."""


FromClient = Hello | Command
FromServer = Status | Alive | Refusal | Update
