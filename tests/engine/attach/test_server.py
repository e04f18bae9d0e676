"""A run behind its socket: whatever is sent to it, and whoever does not read, it goes on."""

import os
import socket
import stat
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs

from engine.attach.client import RemoteSession, ask_status
from engine.attach.connection import GREETING, frame
from engine.attach.messages import MAX_FROM_CLIENT, Hello, Refusal, Status, Update
from engine.attach.registry import known_runs
from engine.attach.screens import Screens
from engine.attach.server import Server
from engine.errors import InputError
from engine.run.commands import Finish, Pause, SaveCheckpoint, ScreenAttached, ScreenDetached
from engine.run.curves import AttentionPlot
from engine.run.publisher import NetworkPublisher
from engine.run.sample import Speaking
from engine.run.snapshot import Phase
from engine.run.stop import StopPoint
from engine.serialization import from_msgpack

HELLO = GREETING + frame(Hello("screen"))
BIG = AttentionPlot(1, "a", np.random.default_rng(1).random((180, 210), np.float32), "")


def test_a_screen_sees_the_whole_and_then_what_changes(run, until):
    session = RemoteSession(run.folder)
    assert session.snapshot() == replace(run.publisher.snapshot, screens=1)
    run.publisher.event("half [way]")
    run.publisher.update(step=871_204, phase=Phase.PAUSED)
    until(lambda: session.snapshot() == run.publisher.snapshot, "the change")
    session.close()
    until(lambda: run.counts == (0, 0), "the screen to be gone")


def test_who_is_woken_shows_a_sample_at_once(run, until, monkeypatch):
    session = RemoteSession(run.folder)
    monkeypatch.setattr("engine.attach.server._INTERVAL", 3600)
    run.publisher.update(step=2)
    until(lambda: session.snapshot().step == 2, "the last look of before")
    run.publisher.on_speaking = run.server.wake
    run.publisher.update(speaking=Speaking(2, "hello", Path("hello.wav")))
    until(lambda: session.snapshot().speaking is not None, "the sample")
    session.close()
    run.end()
    run.server.wake()  # too late, and harmless


def test_commands_arrive_in_order_and_from_all_screens(run, until):
    one, other = RemoteSession(run.folder), RemoteSession(run.folder)
    assert run.asked == [ScreenAttached()]
    run.asked.clear()
    for _ in range(200):
        one.send(Pause())
    one.close()
    until(lambda: len(run.asked) == 200, "all of the first")
    other.send(SaveCheckpoint())
    other.close()
    until(lambda: ScreenDetached() in run.asked, "both to be gone")
    assert run.asked == [Pause()] * 200 + [SaveCheckpoint(), ScreenDetached()]


@pytest.mark.parametrize("phase", [Phase.STOPPED, Phase.FAILED])
def test_every_screen_learns_how_the_run_ended(run, phase):
    sessions = [RemoteSession(run.folder) for _ in range(3)]
    run.publisher.update(failure="the disk is full")
    run.end(phase)
    for session in sessions:
        assert session.join(20)
        assert (session.snapshot().phase, session.snapshot().failure) == (phase, "the disk is full")
    assert not (run.folder / "socket").exists()
    assert known_runs() == []


# The socket.


def test_only_its_owner_can_open_it(run):
    assert stat.S_IMODE((run.folder / "socket").lstat().st_mode) == 0o600


def test_other_users_neither_serve_nor_are_served(run, monkeypatch, client):
    with monkeypatch.context() as patch:
        patch.setattr("engine.attach.server.is_trusted", lambda connection: False)
        assert list(client(run.folder, HELLO).messages()) == []
        assert (run.asked, run.counts) == ([], (0, 0))
    monkeypatch.setattr("engine.attach.sockets.peer", lambda connection: (1, os.geteuid() + 1))
    with pytest.raises(InputError, match="another user"):
        RemoteSession(run.folder)


def test_a_folder_of_any_depth_and_name(make_run, tmp_path):
    deep = tmp_path.joinpath(*["a folder with a näme as long as that"] * 12, "no \udcff text")
    run = make_run(deep)
    session = RemoteSession(deep)
    assert session.snapshot().voice_folder == deep
    assert ask_status(deep, 20).step == 1
    session.close()
    assert run.asked[0] == ScreenAttached()


@pytest.mark.parametrize("what", ["socket of a dead process", "link"])
def test_what_was_left_in_place_of_the_socket_is_replaced(make_run, tmp_path, what):
    folder, treasure = tmp_path / "alice", tmp_path / "treasure"
    folder.mkdir()
    treasure.write_text("gold")
    if what == "link":
        (folder / "socket").symlink_to(treasure)
    else:
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(folder / "socket"))
        assert ask_status(folder, 20) is None
        with pytest.raises(InputError, match="is not being trained"):
            RemoteSession(folder)
    make_run(folder)
    RemoteSession(folder).close()
    assert treasure.read_text() == "gold"


def test_a_file_in_place_of_the_socket_stays(tmp_path):
    (tmp_path / "socket").write_text("somebody's")
    server = Server(tmp_path, lambda: None, print, Screens(print, print, own=False))
    with pytest.raises(FileExistsError):
        server.start()
    server.close()
    assert (tmp_path / "socket").read_text() == "somebody's"


def test_a_removed_socket_is_opened_again_when_missed_twice(run, until):
    (run.folder / "socket").unlink()
    run.server.restore_socket(run.folder)
    assert not (run.folder / "socket").exists()
    run.server.restore_socket(run.folder)
    until(lambda: ask_status(run.folder, 20), "an answer")
    made = (run.folder / "socket").stat()
    for _ in range(3):
        run.server.restore_socket(run.folder)
    assert os.path.samestat((run.folder / "socket").stat(), made)
    run.end()
    assert not (run.folder / "socket").exists()


# Clients that send something else, or too much, or nothing.


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b'{"v":3,"kind":"Hello","role":"screen"}\n',
        GREETING + frame(Finish()),
        HELLO + frame(Hello("screen")),
        HELLO + frame(ScreenAttached()) + frame(Finish()),
        HELLO + (5).to_bytes(4, "big") + b"hello" + frame(Finish()),
        HELLO + (MAX_FROM_CLIENT + 1).to_bytes(4, "big"),
        GREETING + frame(Hello("status")) + frame(Finish()),
        GREETING + frame(Hello("reader")) + frame(Finish()),
        GREETING + frame(Hello("reader")) + frame(ScreenDetached()),
    ],
    ids=lambda sent: repr(sent[-30:]),
)
def test_a_malformed_message_ends_that_connection_alone(run, until, sent, client):
    raw = client(run.folder, sent)
    *_, last = raw.messages()
    assert isinstance(last, Refusal | Status)
    raw.close()
    until(lambda: run.counts == (0, 0), "the screen to be gone")
    assert not any(isinstance(command, Finish) for command in run.asked)
    session = RemoteSession(run.folder)
    assert session.snapshot().step == 1
    session.close()


def test_a_screen_of_an_earlier_version_gets_a_line_it_reads(run, client):
    raw = client(run.folder, b'{"v":3,"kind":"Hello","role":"screen"}\n')
    assert raw.socket.makefile("rb").readline() == b'{"v":9}\n'
    raw.close()


def test_half_a_message_is_waited_for(run, until, client):
    raw = client(run.folder)
    for byte in HELLO:
        raw.send(bytes([byte]))
    until(lambda: run.counts == (1, 0), "the screen")
    pause = frame(Pause())
    raw.send(pause[:8])
    raw.send(pause[8:])
    until(lambda: Pause() in run.asked, "the command")
    raw.send(pause[:8])
    raw.close()
    until(lambda: run.counts == (0, 0), "the screen to be gone")
    assert run.asked == [ScreenAttached(), Pause(), ScreenDetached()]


def test_a_screen_that_does_not_read_has_one_update_waiting(run, until, client):
    run.publisher.update(attention=(BIG,) * 40)
    raw = client(run.folder, HELLO)
    until(lambda: run.counts == (1, 0), "the client")
    session = RemoteSession(run.folder)
    for step in range(2, 6):
        run.publisher.add_plot(BIG)
        run.publisher.update(step=step)
        until(lambda step=step: session.snapshot().step == step, "a screen that reads")
    # Once it reads, the next thing it sees is where the run is then.
    steps: list[int] = []
    for message in raw.messages():
        if isinstance(message, Update) and "step" in message.values:
            steps.append(from_msgpack(bytes(message.values["step"]), int, "step"))
        if steps[-1:] == [5]:
            break
    assert steps == [1, 5]
    raw.close()
    session.close()


# Status, for `voicecoach ps`.


def test_status_says_where_the_run_is(run):
    run.publisher.update(phase=Phase.PAUSED, stop_text="900k")
    status = ask_status(run.folder, 20)
    assert structs.replace(status, still_seconds=0, phase_seconds=0) == Status(
        "alice", "text2mel", Phase.PAUSED, 1, 3.0, "900k", 0.25, 0.5, None, 0, 0, os.getpid(),
        0, 0, None,
    )  # fmt: skip
    assert run.asked == []


def test_the_list_of_runs_has_the_command_that_keeps_the_stop(run, until):
    def offers(words: str):
        command = f"--voice {run.folder}{words}"
        until(lambda: any(one.resume.endswith(command) for one in known_runs()), command)

    offers("")
    run.publisher.update(stop_text="+150")  # before the first step
    offers(" --stop-at +150")
    run.publisher.update(stop=StopPoint(step=12_000), stop_text="12k")  # stored
    offers("")
    run.publisher.update(stop=None, stop_text="", demo=True)
    offers(" --stop-at none")


def test_status_is_of_the_network_that_still_trains(run, monkeypatch, until):
    real = time.monotonic
    monkeypatch.setattr("engine.attach.server.monotonic", lambda: real() + 100)
    run.publisher.update(phase=Phase.AT_STOP, steps_per_second=None, wait_ends_at=9.0)
    ssrn = {"network": "ssrn", "phase": Phase.TRAINING, "steps_per_second": 2.0}
    run.publisher.show_other(replace(run.publisher.snapshot, **ssrn, wait_ends_at=None))
    until(lambda: any(one.network == "both" for one in known_runs()), "the list of runs")
    [resume] = [one.resume for one in known_runs()]
    assert resume.endswith("--network both")
    NetworkPublisher(run.publisher, "ssrn").update(step=8)
    until(lambda: ask_status(run.folder, 20).still_seconds < 50, "SSRN's step")
    said = ask_status(run.folder, 20)
    assert (said.phase, said.steps_per_second, said.wait_ends_at) == (Phase.TRAINING, 2.0, None)
    assert (said.step, said.ssrn_step) == (1, 8)


def test_steps_and_events_count_as_changes(run, monkeypatch, until):
    shift = 100.0
    real = time.monotonic
    monkeypatch.setattr("engine.attach.server.monotonic", lambda: real() + shift)

    def seconds() -> tuple[float, float]:
        status = ask_status(run.folder, 20)
        return status.still_seconds, status.phase_seconds

    run.publisher.update(gpu_absent="there is none")
    assert min(seconds()) > 90
    run.publisher.event("saved")
    until(lambda: seconds()[0] < 50 < seconds()[1], "the event")
    run.publisher.update(phase=Phase.AT_STOP)
    until(lambda: max(seconds()) < 50, "the phase")


def test_runs_and_screens_that_have_ended_hold_no_files(make_run, tmp_path):
    def open_files_after(number: int) -> int:
        run = make_run(tmp_path / str(number))
        RemoteSession(run.folder).close()
        run.end()
        with pytest.raises(InputError):
            RemoteSession(run.folder)
        Server(run.folder, lambda: run.publisher.snapshot, print, run.screens).close()
        return len(list(Path("/proc/self/fd").iterdir()))

    before = open_files_after(0)
    assert max(open_files_after(number) for number in range(1, 6)) <= before


def test_a_restored_socket_is_removed_by_a_run_that_ends_at_once(run):
    (run.folder / "socket").unlink()
    for _ in range(2):
        run.server.restore_socket(run.folder)
    run.end()
    assert not (run.folder / "socket").exists()
