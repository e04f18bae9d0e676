"""A screen of another process: what it shows when the run dies, hangs or sends nonsense."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec import Raw
from paths import ROOT

from engine.attach.client import RemoteSession, ask_status
from engine.attach.connection import GREETING, Connection, frame
from engine.attach.messages import MAX_FROM_SERVER, Refusal, Update
from engine.attach.sockets import Listener
from engine.attach.updates import update_between
from engine.errors import InputError
from engine.machine.lock import acquire_lock
from engine.run.commands import Pause
from engine.run.snapshot import Phase, Snapshot
from engine.serialization import to_msgpack

# A run in a process of its own, that a test can kill.
RUN = """
import sys, threading, time
from pathlib import Path
from engine.run.publisher import Publisher
from engine.machine.lock import acquire_lock
from engine.run.snapshot import Phase, Snapshot
from engine.attach.screens import Screens
from engine.attach.server import Server
folder = Path(sys.argv[1])
acquire_lock(folder)
publisher = Publisher(Snapshot(Phase.TRAINING, "a", folder, "ssrn", "small", "standard", step=7))
Server(folder, lambda: publisher.snapshot, print, Screens(print, print, own=False)).start()
print("serving", flush=True)
while True:
    publisher.update(step=publisher.snapshot.step + 1)
    time.sleep(0.01)
"""


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


@pytest.mark.slow
@pytest.mark.process
def test_a_killed_run_shows_as_failed_with_the_reason(process, tmp_path):
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
    with pytest.raises(InputError, match="is not being trained"):
        RemoteSession(tmp_path)


@pytest.mark.slow
@pytest.mark.process
def test_a_run_whose_end_was_missed_is_not_called_killed(process, tmp_path):
    session = RemoteSession(tmp_path)
    # A run that ends by itself takes its socket away.
    (tmp_path / "socket").unlink()
    process.kill()
    assert session.join(30)
    failure = session.snapshot().failure
    assert f"has ended; {tmp_path / 'voicecoach.log'} says how" in failure


@pytest.mark.slow
@pytest.mark.process
def test_the_run_after_a_lost_one_is_named(process, tmp_path, monkeypatch):
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


def test_a_session_goes_over_to_the_next_process(make_run, until):
    starter, first = SimpleNamespace(running=True), make_run()
    session = RemoteSession(first.folder, starter=starter)
    first.end(Phase.FAILED)
    until(lambda: "process of this training was lost" in session.snapshot().alarm, "the alarm")
    assert not session.snapshot().phase.ended
    second = make_run()
    second.publisher.update(step=5)
    until(lambda: session.snapshot().step == 5, "the next process")
    assert (session.snapshot().phase, session.snapshot().alarm) == (Phase.TRAINING, "")
    starter.running = False
    second.end(Phase.FAILED)
    assert session.join(30)
    assert session.snapshot().phase is Phase.FAILED


@pytest.mark.slow
@pytest.mark.process
def test_silence_is_reported_and_so_is_its_end(process, tmp_path, until):
    # Longer than a run that goes on lets a screen wait for its next step.
    session = RemoteSession(tmp_path, silent_after=0.6)
    until(lambda: session.snapshot().step > 10, "the run")
    process.send_signal(signal.SIGSTOP)
    # It stands on the screen as long as it holds, whatever else happens.
    until(lambda: f"Process {process.pid}" in session.snapshot().alarm, "the word of it")
    assert any("does not respond" in text for text in texts(session))
    assert session.snapshot().phase is Phase.TRAINING
    process.send_signal(signal.SIGCONT)
    until(lambda: session.snapshot().alarm == "", "its return")
    assert any("responds again" in text for text in texts(session))
    # What it was told stays in its place while more happens.
    before = session.snapshot()
    until(lambda: session.snapshot().step > before.step, "a step")
    assert session.snapshot().events[0] is before.events[0]
    assert session.snapshot().events[1] is before.events[1]
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


@pytest.mark.slow
@pytest.mark.process
def test_a_screen_that_was_stopped_does_not_blame_the_run(process, tmp_path, until):
    screen = subprocess.Popen(
        [sys.executable, "-c", SCREEN, tmp_path],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert screen.stdout.readline() == "looking\n"
    screen.send_signal(signal.SIGSTOP)
    before = ask_status(tmp_path, 20).step
    until(lambda: ask_status(tmp_path, 20).step > before + 60, "the run to go on alone")
    screen.send_signal(signal.SIGCONT)
    told, _ = screen.communicate("go on\n", timeout=60)
    assert "does not respond" not in told


@pytest.fixture
def answer(tmp_path):
    """Answer the first client with bytes of the test's choice; with others after `go_on`."""
    threads, listeners, go_on = [], [], threading.Event()

    def make(sent: bytes, later: bytes | None = None) -> threading.Event:
        listener = Listener(tmp_path)
        listener.socket.setblocking(True)
        listeners.append(listener)

        def serve() -> None:
            connected, _ = listener.socket.accept()
            # A client that has heard enough may be gone.
            with connected, contextlib.suppress(OSError):
                connected.recv(4096)
                connected.sendall(sent)
                if later is not None:
                    go_on.wait(30)
                    connected.sendall(later)

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return go_on

    yield make
    go_on.set()
    for thread in threads:
        thread.join()
    for listener in listeners:
        listener.close()


SNAPSHOT = Snapshot(Phase.TRAINING, "a", Path("/v"), "ssrn", "small", "standard", step=9)
SEEN = GREETING + frame(update_between(None, SNAPSHOT))
NONSENSE = (8).to_bytes(4, "big") + b"nonsense"


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        (b"", "is not being trained"),
        (GREETING, "is not being trained"),
        (b"220 mail.example ESMTP\r\n", "does not speak voicecoach's protocol"),
        (GREETING + frame(Refusal("32 screens are attached")), "32 screens"),
        (b'{"v":3,"kind":"Refusal","text":"?"}\n', "version 3 of the protocol, not 9"),
        (GREETING + frame(Update({"phase": Raw(to_msgpack("dancing"))}, {})), "dancing"),
        (GREETING + frame(Update({"stamp": Raw(to_msgpack(1))}, {})), "stamp"),
        (GREETING + NONSENSE, "message from the run"),
        (GREETING + (MAX_FROM_SERVER + 1).to_bytes(4, "big"), "bytes"),
    ],
    ids=lambda value: repr(value[:40]),
)
def test_nonsense_is_reported_in_a_sentence(answer, tmp_path, sent, sentence):
    answer(sent)
    with pytest.raises(InputError, match=sentence) as caught:
        RemoteSession(tmp_path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("later", "failure"),
    [(NONSENSE, "message from the run"), (frame(Refusal("no more")), "no more")],
)
@pytest.mark.parametrize("hung_up", [False, True])
def test_a_run_that_refuses_or_fails_later_shows_as_failed(
    answer, tmp_path, monkeypatch, later, failure, hung_up
):
    def push_too_late(connection):
        raise BrokenPipeError

    go_on = answer(SEEN, later)
    session = RemoteSession(tmp_path)
    if hung_up:
        monkeypatch.setattr(Connection, "push", push_too_late)
        session.send(Pause())
    go_on.set()
    assert session.join(30)
    last = session.snapshot()
    assert (last.phase, last.step) == (Phase.FAILED, 9)
    assert failure in last.failure


def test_a_screen_that_fails_itself_does_not_look_alive(answer, tmp_path, monkeypatch):
    def fail(before, update):
        raise ZeroDivisionError("nobody thought of it")

    go_on = answer(SEEN, SEEN[len(GREETING) :])
    session = RemoteSession(tmp_path)
    monkeypatch.setattr("engine.attach.client.apply", fail)
    go_on.set()
    assert session.join(30)
    assert (session.snapshot().phase, session.snapshot().step) == (Phase.FAILED, 9)
    assert "attach again" in session.snapshot().failure


def test_a_lost_connection_is_not_a_death(answer, tmp_path, monkeypatch):
    monkeypatch.setattr("engine.attach.client._DIES_WITHIN", 0.0)
    answer(SEEN)
    session = RemoteSession(tmp_path)
    assert session.join(30)
    assert f"connection to process {os.getpid()} has ended" in session.snapshot().failure


def test_a_run_that_does_not_answer_is_not_waited_for(answer, tmp_path, monkeypatch):
    monkeypatch.setattr("engine.attach.client._ANSWER_WITHIN", 0.1)
    answer(b"", later=b"")
    with pytest.raises(InputError, match=f"Process {os.getpid()} trains.*does not answer"):
        RemoteSession(tmp_path)
    assert ask_status(tmp_path, 0.05) is None


@pytest.mark.parametrize("sent", [b"", b"?\n", GREETING, GREETING + frame(Refusal("no"))])
def test_without_an_answer_there_is_no_status(answer, tmp_path, sent):
    answer(sent)
    assert ask_status(tmp_path, 20) is None


def test_a_folder_without_a_run_is_reported(tmp_path):
    def refusal(folder=tmp_path) -> str:
        with pytest.raises(InputError) as caught:
            RemoteSession(folder)
        return str(caught.value)

    assert "There is no voice" in refusal(tmp_path / "nothing")
    assert "There is no voice" in refusal()
    (tmp_path / "voice.toml").touch()
    assert "is not being trained" in refusal()
    (tmp_path / "socket").write_text("no socket")
    assert "is not being trained" in refusal()
    (tmp_path / "socket").unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(tmp_path / "socket"))
        assert "is not being trained" in refusal()
