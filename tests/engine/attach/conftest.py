"""A run that stands still until the test moves it, behind a real socket."""

import contextlib
from pathlib import Path

import pytest
from waiting import wait_until

from engine.attach.connection import Connection
from engine.attach.messages import MAX_FROM_SERVER, FromServer, Refusal
from engine.attach.screens import Screens
from engine.attach.server import Server
from engine.attach.sockets import connect
from engine.machine.lock import acquire_lock
from engine.run.publisher import Publisher
from engine.run.snapshot import Event, Phase, Snapshot


@pytest.fixture
def until():
    return wait_until


class FakeRun:
    def __init__(self, folder: Path, *, own: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.lock = acquire_lock(folder)
        self.publisher = Publisher(
            Snapshot(
                Phase.TRAINING, "alice", folder, "text2mel", "small", "standard",
                step=1, price=0.5, spent=0.25, steps_per_second=3.0,
                events=(Event(1.0, "began"),), screens=int(own),
            )
        )  # fmt: skip
        self.asked: list[object] = []
        self.screens = Screens(
            self.asked.append,
            lambda screens, readers: self.publisher.update(screens=screens, readers=readers),
            own=own,
        )
        self.server = Server(
            folder, lambda: self.publisher.snapshot, self.asked.append, self.screens
        )
        self.server.start()

    @property
    def counts(self) -> tuple[int, int]:
        """Screens and readers."""
        return self.publisher.snapshot.screens, self.publisher.snapshot.readers

    def end(self, phase: Phase = Phase.STOPPED) -> None:
        if self.lock is not None:
            self.publisher.update(phase=phase)
            self.server.close()
            self.lock.release()
            self.lock = None


@pytest.fixture
def make_run(tmp_path, monkeypatch):
    monkeypatch.setattr("engine.attach.server._INTERVAL", 0.02)
    made = []

    def make(folder: Path = tmp_path / "alice", **options) -> FakeRun:
        made.append(FakeRun(folder, **options))
        return made[-1]

    yield make
    for run in made:
        run.end()


@pytest.fixture
def run(make_run):
    return make_run()


class Client:
    """Sends what it likes."""

    def __init__(self, folder: Path, sent: bytes = b"") -> None:
        self.socket = connect(folder, 20)
        self._connection = Connection(self.socket, FromServer, "the run", MAX_FROM_SERVER)
        self.send(sent)

    def send(self, sent: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.socket.sendall(sent)

    def messages(self):
        """What comes until the run closes the connection."""
        with contextlib.suppress(ConnectionResetError, EOFError):
            while True:
                yield from self._connection.receive()

    def refusal(self) -> str:
        return next(one.text for one in self.messages() if isinstance(one, Refusal))

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def client():
    """Connect to the run of a folder and send some bytes."""
    made = []

    def make(folder: Path, sent: bytes = b"") -> Client:
        made.append(Client(folder, sent))
        return made[-1]

    yield make
    for one in made:
        one.close()
