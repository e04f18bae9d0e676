"""A screen's side of the wire: what it shows when the run dies, hangs or talks nonsense."""

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from engine.attach.client import RemoteSession, glance
from engine.attach.deltas import changes
from engine.attach.messages import MAX_FROM_SERVER, Part, Refusal, Welcome, write
from engine.attach.sockets import listen
from engine.errors import InputError
from engine.machine.lock import acquire_lock
from engine.run.commands import Pause
from engine.run.snapshot import Phase, Snapshot

ROOT = Path(__file__).resolve().parents[3]

# A run in a process of its own, that a test can kill.
RUN = """
import sys, threading, time
from pathlib import Path
from engine.run.publisher import Publisher
from engine.machine.lock import acquire_lock
from engine.run.snapshot import Phase, Snapshot
from engine.attach.clients import Audience
from engine.attach.server import Server
folder = Path(sys.argv[1])
acquire_lock(folder)
publisher = Publisher(Snapshot(Phase.TRAINING, "a", folder, "ssrn", "small", "standard", step=7))
Server(folder, lambda: publisher.snapshot, print, Audience(print, print, at_home=False)).start()
print("serving", flush=True)
while True:
    publisher.update(step=publisher.snapshot.step + 1)
    time.sleep(0.01)
"""


def until(true, what: str):
    pause = threading.Event()
    for _ in range(3000):
        if true():
            return
        pause.wait(0.01)
    pytest.fail(f"waited 30 s for {what}")


@pytest.fixture
def process(tmp_path):
    run = subprocess.Popen(
        [sys.executable, "-c", RUN, tmp_path], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert run.stdout.readline() == "serving\n"
    yield run
    run.kill()
    run.wait()
    run.stdout.close()


def texts(session):
    return [event.text for event in session.snapshot().events]


def test_a_run_that_was_killed_shows_as_failed_with_the_reason(process, tmp_path):
    session = RemoteSession(tmp_path)
    assert session.pid == process.pid
    process.kill()
    assert session.join(30)
    last = session.snapshot()
    assert (last.phase, last.steps_per_second) == (Phase.FAILED, None)
    assert last.step >= 7
    assert f"Process {process.pid}" in last.failure
    assert f"voicecoach train --voice {tmp_path} --network ssrn" in last.failure
    process.wait()
    with pytest.raises(InputError, match="Nobody trains the voice"):
        RemoteSession(tmp_path)


def test_a_run_whose_end_was_not_heard_is_not_said_to_be_killed(process, tmp_path):
    session = RemoteSession(tmp_path)
    # A run that ends by itself takes its socket away.
    (tmp_path / "socket").unlink()
    process.kill()
    assert session.join(30)
    assert "has ended" in session.snapshot().failure
    assert f"{tmp_path / 'voicecoach.log'} says how" in session.snapshot().failure
    assert "killed" not in session.snapshot().failure


def test_a_run_that_followed_one_that_was_lost_is_named(process, tmp_path, monkeypatch):
    followed = threading.Event()
    monkeypatch.setattr("engine.attach.client._DIES_WITHIN", 30.0)
    monkeypatch.setattr("engine.attach.client.is_running", lambda pid: not followed.is_set())
    session = RemoteSession(tmp_path)
    process.kill()
    process.wait()
    lock = acquire_lock(tmp_path)
    followed.set()
    assert session.join(30)
    assert f"process {os.getpid()} since" in session.snapshot().failure
    assert "attach again" in session.snapshot().failure
    lock.release()


def test_a_run_that_stands_still_is_told_and_so_is_its_return(process, tmp_path):
    # Longer than a run that goes on lets a screen wait for its next step.
    session = RemoteSession(tmp_path, silent_after=1.0)
    until(lambda: session.snapshot().step > 10, "the run")
    process.send_signal(signal.SIGSTOP)
    # It stands on the screen as long as it holds, whatever else happens.
    until(lambda: f"Process {process.pid}" in session.snapshot().alarm, "the word of it")
    assert any("no sign of life" in text for text in texts(session))
    assert session.snapshot().phase is Phase.TRAINING
    process.send_signal(signal.SIGCONT)
    until(lambda: session.snapshot().alarm == "", "its return")
    assert any("is back" in text for text in texts(session))
    # What it was told stays in its place while more happens.
    before = session.snapshot()
    until(lambda: session.snapshot().step > before.step, "a step")
    assert [id(event) for event in session.snapshot().events][:2] == [
        id(event) for event in before.events
    ][:2]
    session.close()


# A screen in a process of its own, that a test can stop.
SCREEN = """
import sys
from pathlib import Path
from engine.attach.client import RemoteSession
session = RemoteSession(Path(sys.argv[1]), silent_after=0.4)
print("looking", flush=True)
sys.stdin.readline()
step = session.snapshot().step
while session.snapshot().step <= step + 20:
    session.join(0.02)
print([event.text for event in session.snapshot().events], flush=True)
"""


def test_a_screen_that_stood_still_itself_does_not_blame_the_run(process, tmp_path):
    screen = subprocess.Popen(
        [sys.executable, "-c", SCREEN, tmp_path],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert screen.stdout.readline() == "looking\n"
    screen.send_signal(signal.SIGSTOP)
    before = glance(tmp_path, 20).step
    until(lambda: glance(tmp_path, 20).step > before + 150, "the run to go on alone")
    screen.send_signal(signal.SIGCONT)
    told, _ = screen.communicate("go on\n", timeout=60)
    assert "no sign of life" not in told


class FakeServer:
    """Answers the first client with bytes of the test's choice."""

    def __init__(
        self, folder: Path, answer: bytes, *, hold: bool = False, later: bytes = b""
    ) -> None:
        self._listener, _ = listen(folder)
        self._listener.setblocking(True)
        self._answer = answer
        self._hold = hold
        self._later = later
        self.release = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connected, _ = self._listener.accept()
        with connected:
            connected.recv(4096)
            try:
                connected.sendall(self._answer)
            except OSError:
                return  # the client has heard enough
            if self._hold:
                self.release.wait(30)
                if self._later:
                    connected.sendall(self._later)

    def end(self) -> None:
        self.release.set()
        self._thread.join()
        self._listener.close()


@pytest.fixture
def answer(tmp_path):
    servers = []

    def make(said: bytes, **options) -> FakeServer:
        servers.append(FakeServer(tmp_path, said, **options))
        return servers[-1]

    yield make
    for server in servers:
        server.end()


WELCOME = write(Welcome(1, "0.1"))
SEEN = b"".join(
    write(part)
    for part in changes(
        None, Snapshot(Phase.TRAINING, "a", Path("/v"), "ssrn", "small", "standard", step=9)
    )
)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (b"", "Nobody trains"),
        (WELCOME, "Nobody trains"),
        (b"220 mail.example ESMTP\r\n", "no JSON"),
        (write(Refusal("32 screens look at this run already")), "32 screens"),
        (WELCOME + SEEN.replace(b'"v":3', b'"v":9', 1), "version 9"),
        (WELCOME + SEEN.replace(b'"TRAINING"', b'"DANCING"'), "DANCING"),
        (WELCOME + SEEN.replace(b'"step":', b'"stamp":'), "stamp"),
        (WELCOME + b'{"v":3,' + b'"x":' * 20_000 + b"\n", "deeply|no JSON"),
        (b"a" * (MAX_FROM_SERVER + 1), "bytes"),
    ],
    ids=lambda value: repr(value[:30]),
)
def test_nonsense_is_told_in_a_sentence(answer, tmp_path, said, sentence):
    answer(said)
    with pytest.raises(InputError, match=sentence) as caught:
        RemoteSession(tmp_path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_run_that_talks_nonsense_later_shows_as_failed(answer, tmp_path):
    server = answer(WELCOME + SEEN, hold=True, later=b"nonsense\n")
    session = RemoteSession(tmp_path)
    server.release.set()
    assert session.join(30)
    assert session.snapshot().phase is Phase.FAILED
    assert session.snapshot().step == 9
    assert "no JSON" in session.snapshot().failure


def test_a_refusal_is_heard_although_the_run_hung_up(answer, tmp_path, monkeypatch):
    server = answer(WELCOME + SEEN, hold=True, later=write(Refusal("too many lines")))
    push = RemoteSession._push

    def push_after_the_end(session):
        server.end()
        push(session)

    session = RemoteSession(tmp_path)
    monkeypatch.setattr(RemoteSession, "_push", push_after_the_end)
    session.send(Pause())
    assert session.join(30)
    assert "too many lines" in session.snapshot().failure


def test_a_screen_that_fails_itself_does_not_show_a_picture_that_looks_alive(
    answer, tmp_path, monkeypatch
):
    server = answer(WELCOME + SEEN, hold=True, later=SEEN)
    session = RemoteSession(tmp_path)

    def fail(_picture, _line):
        raise ZeroDivisionError("nobody thought of it")

    monkeypatch.setattr("engine.attach.client._Picture.take", fail)
    server.release.set()
    assert session.join(30)
    snapshot = session.snapshot()
    assert (snapshot.phase, snapshot.step) == (Phase.FAILED, 9)
    assert "attach again" in snapshot.failure


def test_a_snapshot_without_end_is_not_kept(answer, tmp_path, monkeypatch):
    monkeypatch.setattr("engine.attach.client._MAX_UNFINISHED", 3 * len(SEEN))
    part = write(Part({}, complete=False))
    answer(WELCOME + part * (4 * len(SEEN) // len(part)))
    with pytest.raises(InputError, match="without end"):
        RemoteSession(tmp_path)


def test_a_connection_that_ends_is_told_apart_from_a_death(answer, tmp_path, monkeypatch):
    monkeypatch.setattr("engine.attach.client._DIES_WITHIN", 0.0)
    answer(WELCOME + SEEN)
    session = RemoteSession(tmp_path)
    assert session.join(30)
    assert f"connection to process {os.getpid()} has ended" in session.snapshot().failure


def test_a_run_that_does_not_answer_is_told(answer, tmp_path, monkeypatch):
    monkeypatch.setattr("engine.attach.client._ANSWER_WITHIN", 0.1)
    answer(b"", hold=True)
    with pytest.raises(InputError, match=f"Process {os.getpid()} trains.*does not answer"):
        RemoteSession(tmp_path)


@pytest.mark.parametrize("said", [b"", b"?\n", WELCOME, write(Refusal("no"))])
def test_a_glance_that_is_not_answered_is_none(answer, tmp_path, said):
    answer(said)
    assert glance(tmp_path, 20) is None


def test_a_glance_waits_no_longer_than_it_is_told(answer, tmp_path):
    answer(b"", hold=True)
    assert glance(tmp_path, 0.05) is None


def test_where_nobody_trains_it_says_so(tmp_path):
    with pytest.raises(InputError, match="There is no voice"):
        RemoteSession(tmp_path / "nothing")
    with pytest.raises(InputError, match="There is no voice"):
        RemoteSession(tmp_path)
    (tmp_path / "voice.toml").touch()
    with pytest.raises(InputError, match="Nobody trains"):
        RemoteSession(tmp_path)
    (tmp_path / "socket").write_text("no socket")
    with pytest.raises(InputError, match="Nobody trains"):
        RemoteSession(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        (tmp_path / "socket").unlink()
        other.bind(str(tmp_path / "socket"))
        with pytest.raises(InputError, match="Nobody trains"):
            RemoteSession(tmp_path)
