"""A run behind its socket: whatever is sent to it, and whoever does not read, it goes on."""

import contextlib
import json
import os
import socket
import stat
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.attach.client import RemoteSession, glance
from engine.attach.clients import Audience
from engine.attach.deltas import changes
from engine.attach.messages import MAX_FROM_CLIENT, Ask, Hello, Leave, read_from_server, write
from engine.attach.registry import known_runs, runs_folder
from engine.attach.server import MAX_CONNECTIONS, MAX_SCREENS, Server
from engine.attach.sockets import connect
from engine.errors import InputError
from engine.machine.lock import acquire_lock
from engine.run.commands import (
    Finish,
    KeyPressed,
    Pause,
    SaveCheckpoint,
    ScreenAttached,
    ScreenDetached,
    TerminalStalled,
)
from engine.run.publisher import Publisher
from engine.run.snapshot import AttentionPlot, Event, Phase, Snapshot


def until(true, what: str):
    """Return what comes of it as soon as something is so; fail when it does not come to be."""
    pause = threading.Event()
    for _ in range(3000):
        answer = true()
        if answer:
            return answer
        pause.wait(0.01)
    return pytest.fail(f"waited 30 s for {what}")


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch):
    monkeypatch.setattr("engine.attach.server._LOOK", 0.02)


class FakeRun:
    """A run that stands still until the test moves it, behind a real socket."""

    def __init__(self, folder: Path, *, at_home: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.lock = acquire_lock(folder)
        self.publisher = Publisher(
            Snapshot(
                Phase.TRAINING, "alice", folder, "text2mel", "small", "standard",
                step=1, price=0.5, spent=0.25, steps_per_second=3.0,
                events=(Event(1.0, "began"),), screens=int(at_home),
            )
        )  # fmt: skip
        self.asked: list[object] = []
        self.audience = Audience(
            self.asked.append,
            lambda number, readers: self.publisher.update(screens=number, readers=readers),
            at_home=at_home,
        )
        self.server = Server(
            folder, lambda: self.publisher.snapshot, self.asked.append, self.audience
        )
        self.server.start()

    @property
    def screens(self) -> int:
        return self.publisher.snapshot.screens

    def end(self, phase: Phase = Phase.STOPPED) -> None:
        if self.lock is not None:
            self.publisher.update(phase=phase)
            self.server.close()
            self.lock.release()
            self.lock = None


@pytest.fixture
def make_run(tmp_path):
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


class Raw:
    """A client that sends what it likes."""

    def __init__(self, folder: Path) -> None:
        self.socket = connect(folder, 20)
        self.read = self.socket.makefile("rb")

    def send(self, *lines: bytes) -> None:
        self.socket.sendall(b"".join(lines))

    def next(self):
        return read_from_server(self.read.readline())

    def kinds_to_the_end(self) -> list[str]:
        """What comes until the run closes the connection."""
        return [json.loads(line)["kind"] for line in self._lines()]

    def refusal(self) -> str:
        said = [json.loads(line) for line in self._lines()]
        return next(message["text"] for message in said if message["kind"] == "Refusal")

    def _lines(self):
        with contextlib.suppress(ConnectionResetError):
            yield from self.read

    def close(self) -> None:
        self.read.close()
        self.socket.close()


def test_a_screen_sees_the_whole_and_then_what_changes(run):
    session = RemoteSession(run.folder)
    assert session.snapshot() == replace(run.publisher.snapshot, screens=1)
    run.publisher.event("half [way]")
    run.publisher.update(step=871_204, phase=Phase.PAUSED)
    until(lambda: session.snapshot() == run.publisher.snapshot, "the change")
    session.close()
    until(lambda: run.screens == 0, "the screen to be gone")


def test_commands_arrive_in_order_and_from_all_screens(run):
    one, other = RemoteSession(run.folder), RemoteSession(run.folder)
    assert run.asked == [ScreenAttached()]
    run.asked.clear()
    for _ in range(20):
        one.send(Pause())
    one.close()
    until(lambda: len(run.asked) == 20, "all of the first")
    other.send(SaveCheckpoint())
    other.close()
    until(lambda: ScreenDetached() in run.asked, "both to be gone")
    assert run.asked == [Pause()] * 20 + [SaveCheckpoint(), ScreenDetached()]


def test_the_last_screen_to_go_leaves_the_run_unattended(make_run, tmp_path):
    run = make_run(tmp_path / "home", at_home=True)
    one, other = RemoteSession(run.folder), RemoteSession(run.folder)
    until(lambda: other.snapshot().screens == 3, "the count")
    run.audience.leave_home()
    one.close()
    until(lambda: run.screens == 1, "one to be left")
    assert run.asked == []
    other.close()
    until(lambda: run.screens == 0, "nobody to be left")
    assert run.asked == [ScreenDetached()]
    RemoteSession(run.folder).close()
    until(lambda: len(run.asked) == 3, "one that came and went")
    assert run.asked == [ScreenDetached(), ScreenAttached(), ScreenDetached()]


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


def test_only_its_owner_can_open_it(run):
    assert stat.S_IMODE((run.folder / "socket").lstat().st_mode) == 0o600
    [entry] = until(lambda: list(runs_folder().iterdir()), "the registry")
    assert stat.S_IMODE(entry.stat().st_mode) == 0o600
    assert stat.S_IMODE(runs_folder().stat().st_mode) == 0o700


def test_a_socket_of_another_user_is_not_spoken_to(run, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    monkeypatch.setattr("engine.attach.sockets.peer", lambda connection: (1, 4712))
    with pytest.raises(InputError, match="another user"):
        RemoteSession(run.folder)


def test_a_folder_of_any_depth_and_name(make_run, tmp_path):
    deep = tmp_path.joinpath(*["a folder with a näme as long as that"] * 12)
    run = make_run(deep)
    session = RemoteSession(deep)
    assert session.snapshot().voice_folder == deep
    assert glance(deep, 20).step == 1
    session.close()
    assert run.asked[0] == ScreenAttached()


def test_what_a_dead_process_left_is_replaced(make_run, tmp_path):
    folder = tmp_path / "alice"
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(folder / "socket"))
    assert glance(folder, 20) is None
    with pytest.raises(InputError, match="Nobody trains the voice"):
        RemoteSession(folder)
    make_run(folder)
    RemoteSession(folder).close()


def test_a_removed_socket_is_opened_again_when_missed_twice(run):
    (run.folder / "socket").unlink()
    run.server.restore_socket(run.folder)
    assert not (run.folder / "socket").exists()
    run.server.restore_socket(run.folder)
    until(lambda: glance(run.folder, 20), "an answer")
    made = (run.folder / "socket").stat()
    for _ in range(3):
        run.server.restore_socket(run.folder)
    assert os.path.samestat((run.folder / "socket").stat(), made)
    run.end()
    assert not (run.folder / "socket").exists()


def test_a_link_in_place_of_the_socket_leads_nowhere(make_run, tmp_path):
    folder, treasure = tmp_path / "alice", tmp_path / "treasure"
    folder.mkdir()
    treasure.write_text("gold")
    (folder / "socket").symlink_to(treasure)
    make_run(folder)
    assert treasure.read_text() == "gold"
    assert glance(folder, 20) is not None


def test_a_file_in_place_of_the_socket_stays(tmp_path):
    (tmp_path / "socket").write_text("somebody's")
    server = Server(tmp_path, lambda: None, print, Audience(print, print, at_home=False))
    with pytest.raises(FileExistsError):
        server.start()
    server.close()
    assert (tmp_path / "socket").read_text() == "somebody's"


HELLO = write(Hello("screen"))
NOT_OBEYED = [
    b"\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b'{"v": 3, "kind": "Finish"}\n',
    write(Ask(Finish())),
    HELLO + HELLO,
    HELLO + b'{"v": 9, "kind": "Ask", "command": {"kind": "Finish"}}\n',
    HELLO + b'{"v": 3, "kind": "Ask", "command": {"kind": "Finish", "x": 1}}\n',
    HELLO + write(Ask(ScreenDetached())) + write(Ask(Finish())),
    HELLO + b"[" * 60_000 + b"\n",
    HELLO + b"{" * (MAX_FROM_CLIENT + 1),
    HELLO + b'{"v": 3, "kind": "' + b"a" * MAX_FROM_CLIENT + b'"}\n',
    HELLO + write(Ask(Pause())) * 101 + write(Ask(Finish())),
    write(Hello("glance")) + write(Ask(Finish())),
]  # fmt: skip


@pytest.mark.parametrize("sent", NOT_OBEYED, ids=lambda sent: repr(sent[-50:]))
def test_what_is_not_understood_ends_the_connection_and_nothing_else(run, sent):
    raw = Raw(run.folder)
    with contextlib.suppress(BrokenPipeError):
        raw.send(sent)
    assert raw.kinds_to_the_end()[-1] in ("Refusal", "Glance")
    raw.close()
    until(lambda: run.screens == 0, "the screen to be gone")
    assert not any(isinstance(command, Finish) for command in run.asked)
    session = RemoteSession(run.folder)
    assert session.snapshot().step == 1
    session.close()


def test_a_refusal_says_why(run):
    raw = Raw(run.folder)
    raw.send(b'{"v": 9, "kind": "Hello", "role": "screen"}\n')
    assert "version 9" in raw.refusal()
    raw.close()


def test_half_a_line_is_waited_for(run):
    raw = Raw(run.folder)
    for byte in HELLO:
        raw.send(bytes([byte]))
    assert raw.next().pid == os.getpid()
    line = write(Ask(Pause()))
    raw.send(line[:20])
    raw.send(line[20:])
    until(lambda: Pause() in run.asked, "the command")
    raw.send(line[:20])
    raw.close()
    until(lambda: run.screens == 0, "the screen to be gone")
    assert run.asked == [ScreenAttached(), Pause(), ScreenDetached()]


def test_silent_connections_keep_nobody_out(run):
    session = RemoteSession(run.folder)
    silent = []
    for number in range(1000):
        silent.append(connect(run.folder, 20))
        assert len(run.server._clients) <= MAX_CONNECTIONS
        if number % 100 == 99:
            assert glance(run.folder, 20).screens == 1
    run.publisher.update(step=5)
    until(lambda: session.snapshot().step == 5, "the one that was there to be served")
    newcomer = RemoteSession(run.folder)
    newcomer.close()
    session.close()
    for connection in silent:
        connection.close()


@pytest.mark.parametrize("reading", [False, True])
def test_a_screen_too_many_is_told_so(run, reading):
    screens = [Raw(run.folder) for _ in range(MAX_SCREENS)]
    for number, screen in enumerate(screens):
        screen.send(write(Hello("screen" if number % 2 else "reader")))
    until(lambda: run.publisher.snapshot.readers + run.screens == MAX_SCREENS, "all of them")
    for _ in range(50):
        with pytest.raises(InputError, match="32 screens are attached to it; close one"):
            RemoteSession(run.folder, reading=reading)
        told = glance(run.folder, 20)
        assert (told.screens, told.readers) == (16, 16)
    screens.pop().close()
    until(lambda: run.screens == 15, "one to be gone")
    RemoteSession(run.folder, reading=reading).close()
    for screen in screens:
        screen.close()


@pytest.mark.parametrize("role", ["screen", "reader", "glance"])
def test_another_user_is_told_so_after_hello(run, monkeypatch, role):
    monkeypatch.setattr("engine.attach.server.is_trusted", lambda connection: False)
    raw = Raw(run.folder)
    until(lambda: run.server._clients, "the run to wait for a hello")
    raw.send(write(Hello(role)))
    assert raw.refusal() == "this run belongs to another user"
    raw.close()
    assert run.asked == []
    assert (run.screens, run.publisher.snapshot.readers) == (0, 0)


def test_a_screen_that_does_not_read_costs_one_picture_and_then_sees_the_newest(run):
    big = AttentionPlot(1, "a", np.random.default_rng(1).random((180, 210), np.float32), "")
    run.publisher.update(attention=(big,) * 40)
    raw = Raw(run.folder)
    raw.send(HELLO)
    [client] = until(lambda: list(run.server._clients), "the client")
    until(lambda: client.busy, "the pipe to be full")
    reader = RemoteSession(run.folder)
    waiting = None
    for step in range(2, 6):
        run.publisher.add_plot(big)
        run.publisher.update(step=step)
        until(lambda step=step: reader.snapshot().step == step, "a screen that reads")
        now = sum(map(len, client._out))
        waiting = waiting or now
        assert now <= waiting
    # Once it reads, the next thing it sees is where the run stands then.
    steps = []
    while not steps or steps[-1] != 5:
        message = raw.next()
        change = getattr(message, "fields", {}).get("step")
        if change is not None:
            steps.append(change.said)
    assert steps == [1, 5]
    raw.close()
    reader.close()


def test_a_field_that_cannot_be_sent_ends_the_connection_and_is_told(run):
    run.publisher.update(attention=(AttentionPlot(1, "a", np.zeros((2048, 1024), np.float32), ""),))
    with pytest.raises(InputError, match="too large"):
        RemoteSession(run.folder)
    run.publisher.update(attention=())
    RemoteSession(run.folder).close()


def test_a_glance_tells_where_the_run_stands(run):
    run.publisher.update(phase=Phase.PAUSED, stop_text="900k")
    told = glance(run.folder, 20)
    assert (told.voice, told.network, told.phase, told.step) == (
        "alice", "text2mel", Phase.PAUSED, 1,
    )  # fmt: skip
    assert (told.spent, told.price, told.steps_per_second, told.stop) == (0.25, 0.5, 3.0, "900k")
    assert (told.pid, told.screens, told.readers) == (os.getpid(), 0, 0)
    assert 0 <= told.still_seconds < 60
    assert run.asked == []


def test_what_moves_are_steps_and_events_and_not_whatever_changes(tmp_path):
    now = 100.0
    publisher = Publisher(Snapshot(Phase.TRAINING, "a", tmp_path, "ssrn", "small", "standard"))
    audience = Audience(print, lambda number, readers: None, at_home=False)
    server = Server(tmp_path, lambda: publisher.snapshot, print, audience, clock=lambda: now)
    now = 150.0
    publisher.update(gpu_absent="there is none")
    server._look()
    assert (server._glance().still_seconds, server._glance().phase_seconds) == (50, 50)
    publisher.event("saved")
    server._look()
    assert (server._glance().still_seconds, server._glance().phase_seconds) == (0, 50)
    publisher.update(phase=Phase.AT_STOP)
    server._look()
    assert server._glance().phase_seconds == 0


def test_who_says_nothing_is_not_kept(tmp_path):
    now = 100.0
    publisher = Publisher(Snapshot(Phase.TRAINING, "a", tmp_path, "ssrn", "small", "standard"))
    audience = Audience(print, lambda number, readers: None, at_home=False)
    server = Server(tmp_path, lambda: publisher.snapshot, print, audience, clock=lambda: now)
    server.start()
    raw = Raw(tmp_path)
    until(lambda: server._clients, "the client")
    now = 105.5
    assert raw.kinds_to_the_end() == []
    server.close()
    raw.close()


def test_many_that_have_gone_take_no_place(tmp_path):
    publisher = Publisher(Snapshot(Phase.TRAINING, "a", tmp_path, "ssrn", "small", "standard"))
    audience = Audience(print, lambda number, readers: None, at_home=False)
    server = Server(tmp_path, lambda: publisher.snapshot, print, audience)
    # Some stay and more knock and go while the thread that serves them gets no turn.
    held = threading.Event()
    server._register = lambda: held.wait(30)
    server.start()
    staying = [connect(tmp_path, 20) for _ in range(16)]
    for _ in range(24):
        connect(tmp_path, 20).close()
    raw = connect(tmp_path, 20)
    raw.sendall(HELLO)
    held.set()
    assert read_from_server(raw.makefile("rb").readline()).pid == os.getpid()
    for connection in (raw, *staying):
        connection.close()
    server.close()


def test_a_reader_sees_all_and_is_nobody_to_wait_for(run):
    reader = RemoteSession(run.folder, reading=True)
    until(lambda: run.publisher.snapshot.readers == 1, "the reader")
    assert run.screens == 0
    run.publisher.update(step=7)
    until(lambda: reader.snapshot().step == 7, "the change")
    screen = RemoteSession(run.folder)
    screen.close()
    until(lambda: run.screens == 0, "the screen to be gone")
    # The reader is still there, and the run is told that nobody is.
    assert run.asked == [ScreenAttached(), ScreenDetached()]
    assert glance(run.folder, 20).readers == 1
    run.end()
    assert reader.join(20)
    assert reader.snapshot().phase is Phase.STOPPED


@pytest.mark.parametrize("line", [write(Ask(Finish())), write(Ask(Pause())), write(Leave())])
def test_a_reader_that_asks_is_refused_and_not_obeyed(run, line):
    raw = Raw(run.folder)
    raw.send(write(Hello("reader")) + line)
    assert "only a screen that came to steer" in raw.refusal()
    raw.close()
    until(lambda: run.publisher.snapshot.readers == 0, "the reader to be gone")
    assert run.asked == []


def test_a_reader_that_asks_all_the_same_loses_sight_of_the_run_alone(run):
    reader = RemoteSession(run.folder, reading=True)
    reader.send(Finish())
    assert reader.join(20)
    assert "only a screen that came to steer" in reader.snapshot().failure
    assert run.asked == []


def test_screens_count_while_any_of_their_terminals_takes_output(make_run, tmp_path):
    run = make_run(tmp_path / "home", at_home=True)
    one, other = RemoteSession(run.folder), RemoteSession(run.folder)
    reader = RemoteSession(run.folder, reading=True)
    until(lambda: run.screens == 3, "both")
    one.send(TerminalStalled(stalled=True))
    one.send(KeyPressed())
    until(lambda: KeyPressed() in run.asked, "the key")
    run.audience.home_reads(reads=False)
    assert run.asked == [KeyPressed()]
    # The last of them leaves, and whoever only looks on is nobody to wait for.
    other.close()
    until(lambda: len(run.asked) == 2, "nobody to read")
    one.send(TerminalStalled(stalled=False))
    until(lambda: len(run.asked) == 3, "one to read again")
    one.close()
    until(lambda: len(run.asked) == 4, "nobody to read again")
    RemoteSession(run.folder).close()
    until(lambda: len(run.asked) == 6, "one that came and went")
    unread, read = TerminalStalled(stalled=True), TerminalStalled(stalled=False)
    assert run.asked == [KeyPressed(), unread, read, unread, read, unread]
    run.audience.leave_home()
    run.audience.home_reads(reads=True)
    assert run.asked[6:] == [ScreenDetached()]
    reader.close()


@pytest.mark.parametrize("full", [False, True], ids=["a little", "a full socket"])
def test_a_screen_that_takes_nothing_does_not_count(run, monkeypatch, full):
    monkeypatch.setattr("engine.attach.connection._TAKES_WITHIN", 0.5)
    if full:
        big = AttentionPlot(1, "a", np.random.default_rng(1).random((180, 210), np.float32), "")
        run.publisher.update(attention=(big,) * 40)
    raw = Raw(run.folder)
    raw.send(HELLO)
    until(lambda: run.asked[-1:] == [TerminalStalled(stalled=True)], "the run to notice")
    assert run.screens == 1
    taken = threading.Thread(target=raw.kinds_to_the_end)
    taken.start()
    until(lambda: run.asked[-1] == TerminalStalled(stalled=False), "the run to notice again")
    run.end()
    taken.join()
    raw.close()


def test_who_leaves_last_says_whether_training_goes_on(make_run, tmp_path):
    run = make_run(tmp_path / "home", at_home=True)
    one, other = RemoteSession(run.folder), RemoteSession(run.folder)
    until(lambda: run.screens == 3, "both")
    # All three at the same moment, and none knows of the others.
    run.audience.leave_home(keep_training=True)
    for session in (one, other):
        session.send(ScreenDetached(keep_training=True))
        session.close()
    until(lambda: run.screens == 0, "nobody to be left")
    assert run.asked == [ScreenDetached(keep_training=True)]


def test_the_last_word_of_a_screen_that_goes_while_it_is_written_to_is_heard(run, monkeypatch):
    raw = Raw(run.folder)
    raw.send(write(Hello("screen")))
    until(lambda: run.screens == 1, "the screen")

    def leave_meanwhile(before, after):
        if before is not None and not raw.socket._closed:
            raw.send(write(Leave()))
            raw.close()
        return changes(before, after)

    monkeypatch.setattr("engine.attach.server.changes", leave_meanwhile)
    run.publisher.update(step=2)
    until(lambda: run.screens == 0, "the screen to be gone")
    assert run.asked == [ScreenAttached(), ScreenDetached(keep_training=True)]


def test_the_wish_of_one_who_left_before_the_last_is_forgotten(run):
    one, other = RemoteSession(run.folder), RemoteSession(run.folder)
    one.send(ScreenDetached(keep_training=True))
    one.close()
    until(lambda: run.screens == 1, "one to be gone")
    other.close()
    until(lambda: run.screens == 0, "nobody to be left")
    assert run.asked == [ScreenAttached(), ScreenDetached(keep_training=False)]


def test_a_terminal_that_hangs_up_behind_a_person_who_left_changes_nothing(run):
    run.end()
    asked = []
    audience = Audience(asked.append, lambda number, readers: None, at_home=True)
    audience.leave_home(keep_training=True)
    audience.leave_home()
    assert asked == [ScreenDetached(keep_training=True)]


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_runs_and_screens_that_have_ended_hold_no_files(tmp_path):
    def once(number):
        run = FakeRun(tmp_path / str(number))
        screen = RemoteSession(run.folder)
        screen.close()
        run.end()
        with pytest.raises(InputError):
            RemoteSession(run.folder)
        Server(run.folder, lambda: run.publisher.snapshot, print, run.audience).close()

    once(0)
    before = open_files()
    for number in range(1, 6):
        once(number)
    assert open_files() <= before
