"""The engine's front door: commands in, snapshots out."""

from typing import Protocol

from engine.control import Command
from engine.order import TrainOrder
from engine.snapshot import Snapshot


class SessionLike(Protocol):
    """What a screen needs of a run, whether it lives in this process or in another."""

    def snapshot(self) -> Snapshot:
        """Return the newest picture of the run; never waits."""
        ...

    def send(self, command: Command) -> None:
        """Ask for something; it happens at the next step boundary. Never waits."""
        ...


class Session:
    """One run of training in a thread of its own.

    The thread is no daemon: a process that ends waits for the last checkpoint.
    """

    error: BaseException | None
    """What ended the run, when it did not end as asked."""

    def __init__(self, order: TrainOrder) -> None:
        """Check the order and take the voice folder; import nothing heavy.

        Raises:
            InputError: the order cannot be carried out: no such dataset or voice, another
                process trains in the voice folder, and the like.
        """
        raise NotImplementedError

    def start(self) -> None:
        """Start the engine thread; returns at once."""

    def snapshot(self) -> Snapshot:
        """Return the newest picture of the run; never waits."""
        raise NotImplementedError

    def send(self, command: Command) -> None:
        """Ask for something; it happens at the next step boundary. Never waits."""

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the engine thread, at most `timeout` seconds; say whether it has ended."""
        raise NotImplementedError
