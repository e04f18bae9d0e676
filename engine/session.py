"""The engine's front door: commands in, snapshots out."""

from typing import Protocol

from engine.control import Command
from engine.snapshot import Snapshot


class SessionLike(Protocol):
    """What a screen needs of a run, whether it lives in this process or in another."""

    def snapshot(self) -> Snapshot:
        """Return the newest picture of the run; never waits."""
        ...

    def send(self, command: Command) -> None:
        """Ask for something; it happens at the next step boundary. Never waits."""
        ...
