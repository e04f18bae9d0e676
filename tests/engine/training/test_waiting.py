"""How long a run waits for a person: at its stop, at its budget, and after it diverged."""

import pytest

from engine.run.commands import Continue, Finish, KeyPressed, SaveCheckpoint, TerminalStalled
from engine.run.publisher import Publisher
from engine.run.snapshot import Phase, Snapshot
from engine.training import clock as clocks
from engine.training import standing as standings
from engine.training.clock import TrainingClock
from engine.training.standing import Standing


class Time:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now + 1_700_000_000

    def wait(self, standing: Standing, seconds: int) -> str:
        """Let time pass while the trainer looks once a second; return why the wait ended."""
        for _ in range(seconds):
            self.now += 1
            why = standing.why_wait_ends()
            if why:
                return why
        return ""


@pytest.fixture
def time(monkeypatch) -> Time:
    time = Time()
    monkeypatch.setattr(clocks, "time", time)
    monkeypatch.setattr(standings, "time", time)
    return time


@pytest.fixture
def no_patience(monkeypatch) -> None:
    """Let a wait with a limit end at the first look."""
    monkeypatch.setattr(standings, "MAX_WAIT_SECONDS", 0.0)


def standing_of(tmp_path, **options) -> tuple[Standing, Publisher]:
    publisher = Publisher(
        Snapshot(Phase.TRAINING, "alice", tmp_path, "text2mel", "small", "standard")
    )
    return Standing(3, publisher, TrainingClock(), attended=True, **options), publisher


def at_stop(snapshot: Snapshot) -> bool:
    return snapshot.phase is Phase.AT_STOP


def test_a_wait_ends_five_minutes_after_the_last_key(tmp_path, time):
    standing, publisher = standing_of(tmp_path)
    standing.note_key()  # before the wait: it counts from its beginning
    standing.wait(Phase.AT_STOP)
    assert publisher.snapshot.wait_ends_at == time.time() + 300
    assert time.wait(standing, 290) == ""
    events = publisher.snapshot.events
    standing.note_key()
    assert publisher.snapshot.wait_ends_at == time.time() + 300
    assert publisher.snapshot.events == events
    assert time.wait(standing, 299) == ""
    assert time.wait(standing, 1) == "nobody pressed a key for 5 minutes"
    standing.go_on()
    assert publisher.snapshot.wait_ends_at is None
    assert time.wait(standing, 999) == ""


def test_a_stopped_process_finds_its_wait_where_it_was(tmp_path, time):
    standing, publisher = standing_of(tmp_path)
    standing.wait(Phase.AT_STOP)
    assert time.wait(standing, 200) == ""
    time.now += 3600
    assert standing.why_wait_ends() == ""
    assert publisher.snapshot.wait_ends_at == time.time() + 100
    assert time.wait(standing, 99) == ""
    assert time.wait(standing, 1) != ""


def test_a_wait_that_becomes_another_is_no_longer(tmp_path, time):
    standing, _ = standing_of(tmp_path)
    standing.wait(Phase.PAUSED)
    assert time.wait(standing, 200) == ""
    standing.wait(Phase.AT_STOP)
    assert time.wait(standing, 100) != ""


@pytest.mark.parametrize("how", ["asked", "hold"])
def test_a_pause_and_a_hold_have_no_limit(tmp_path, time, how):
    standing, publisher = standing_of(tmp_path, hold=how == "hold")
    standing.wait(Phase.PAUSED, asked=how == "asked")
    standing.screens_read = how == "asked"
    assert time.wait(standing, 9999) == ""
    assert publisher.snapshot.wait_ends_at is None
    assert publisher.snapshot.events == ()


def test_a_pause_that_no_terminal_shows_has_one(tmp_path, time):
    standing, _ = standing_of(tmp_path)
    standing.wait(Phase.PAUSED, asked=True)
    standing.screens_read = False
    assert time.wait(standing, 290) == ""
    standing.screens_read = True
    assert time.wait(standing, 1) == ""
    standing.screens_read = False
    assert time.wait(standing, 300) == ""
    assert "no terminal has taken the screen's output for 5 minutes" in time.wait(standing, 1)


@pytest.mark.usefixtures("no_patience")
def test_a_run_at_its_stop_ends_without_a_key(make_voice, training):
    snapshot = training.end(training.start(make_voice(), "+3", attended=True))
    assert (snapshot.phase, snapshot.step, snapshot.saved) == (Phase.STOPPED, 3, True)
    assert snapshot.ended_because == "nobody pressed a key for 0 minutes"
    told = training.texts(snapshot)
    said = next(text for text in told if "without a key; --hold waits without limit" in text)
    assert told.index(said) < told.index("nobody pressed a key for 0 minutes: the run ends")


def test_a_key_moves_the_end_of_the_wait(make_voice, training):
    session = training.start(make_voice(), "+2", attended=True)
    first = training.until(session, lambda s: at_stop(s) and s.wait_ends_at is not None)
    session.send(KeyPressed())
    moved = training.until(session, lambda s: s.wait_ends_at > first.wait_ends_at)
    assert at_stop(moved)
    session.send(Finish())
    snapshot = training.end(session)
    assert (snapshot.ended_because, snapshot.wait_ends_at) == ("", None)


@pytest.mark.parametrize("when", ["before", "at the stop"])
def test_a_screen_that_nobody_reads_is_not_waited_for(make_voice, training, when):
    before = [TerminalStalled(stalled=True)] if when == "before" else []
    session = training.start(make_voice(), "+3", *before, attended=True)
    if not before:
        training.until(session, lambda s: s.wait_ends_at is not None)
        session.send(TerminalStalled(stalled=True))
    snapshot = training.end(session)
    assert (snapshot.phase, snapshot.step, snapshot.saved) == (Phase.STOPPED, 3, True)
    assert snapshot.ended_because == "no terminal takes the screen's output"


def test_a_screen_that_is_read_again_is_waited_for(make_voice, training):
    screens = TerminalStalled(stalled=True), TerminalStalled(stalled=False)
    session = training.start(make_voice(), "+3", *screens, attended=True)
    training.until(session, lambda s: s.wait_ends_at is not None)
    session.send(Finish())
    assert training.end(session).ended_because == ""


@pytest.mark.usefixtures("no_patience")
def test_hold_waits_for_keys_and_readers_without_limit(make_voice, training):
    unread = TerminalStalled(stalled=True)
    session = training.start(make_voice(), "+3", unread, attended=True, hold=True)
    training.until(session, at_stop)
    # By the time that it is carried out, the trainer has looked whether the wait is over.
    session.send(SaveCheckpoint())
    snapshot = training.until(session, lambda s: "saved already" in s.events[-1].text)
    assert (snapshot.phase, snapshot.wait_ends_at) == (Phase.AT_STOP, None)
    session.send(Finish())
    assert training.end(session).ended_because == ""


def test_going_on_at_the_stop_ends_the_limit(make_voice, training):
    session = training.start(make_voice(), "+2", attended=True)
    training.until(session, lambda s: s.wait_ends_at is not None)
    session.send(Continue())
    assert training.until(session, lambda s: s.step > 3).wait_ends_at is None
    session.send(Finish())
    training.end(session)
