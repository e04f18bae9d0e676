"""How long a run waits for a person: at its stop, at its budget, and after it diverged."""

import pytest
from clocks import FakeClock

from engine.run.commands import Continue, Finish, KeyPressed, SaveCheckpoint, TerminalStalled
from engine.run.options import TrainOptions
from engine.run.publisher import Publisher
from engine.run.snapshot import Phase, Snapshot
from engine.training import command_handler
from engine.training import cost as costs
from engine.training.command_handler import RunState
from engine.training.cost import CostMeter
from engine.voice.spend import SpendLog


class Time(FakeClock):
    def time(self) -> float:
        return self.now + 1_700_000_000

    def wait(self, state: RunState, seconds: int) -> str:
        """Let time pass, checked once a second; return why the wait ended."""
        for _ in range(seconds):
            self.now += 1
            why = state.why_wait_ends()
            if why:
                return why
        return ""


@pytest.fixture
def time(monkeypatch) -> Time:
    time = Time()
    monkeypatch.setattr(costs, "time", time)
    monkeypatch.setattr(command_handler, "time", time)
    return time


@pytest.fixture
def no_patience(monkeypatch) -> None:
    """Let a wait with a limit end at once."""
    monkeypatch.setattr(command_handler, "MAX_WAIT_SECONDS", 0.0)


def state_of(tmp_path, **options) -> tuple[RunState, Publisher]:
    publisher = Publisher(
        Snapshot(Phase.TRAINING, "alice", tmp_path, "text2mel", "small", "standard")
    )
    given = TrainOptions(tmp_path, attended=True, **options)
    cost = CostMeter("text2mel", 3, 0.0, SpendLog(tmp_path / "spend.jsonl"))
    return RunState(3, given, publisher, cost), publisher


def at_stop(snapshot: Snapshot) -> bool:
    return snapshot.phase is Phase.AT_STOP


def test_a_wait_ends_five_minutes_after_the_last_key(tmp_path, time):
    state, publisher = state_of(tmp_path)
    state.key_pressed()  # before the wait: no limit runs yet
    state.pause(Phase.AT_STOP)
    assert publisher.snapshot.wait_ends_at == time.time() + 300
    assert time.wait(state, 290) == ""
    events = publisher.snapshot.events
    state.key_pressed()
    assert publisher.snapshot.wait_ends_at == time.time() + 300
    assert publisher.snapshot.events == events
    assert time.wait(state, 299) == ""
    assert time.wait(state, 1) == "nobody pressed a key for 5 minutes"
    state.resume()
    assert publisher.snapshot.wait_ends_at is None
    assert time.wait(state, 999) == ""


def test_time_of_a_suspended_process_does_not_count(tmp_path, time):
    state, publisher = state_of(tmp_path)
    state.pause(Phase.AT_STOP)
    assert time.wait(state, 200) == ""
    time.now += 3600
    assert state.why_wait_ends() == ""
    assert publisher.snapshot.wait_ends_at == time.time() + 100
    assert time.wait(state, 99) == ""
    assert time.wait(state, 1) != ""


def test_a_pause_that_becomes_another_lasts_no_longer(tmp_path, time):
    state, _ = state_of(tmp_path)
    state.pause(Phase.PAUSED)
    assert time.wait(state, 200) == ""
    state.pause(Phase.AT_STOP)
    assert time.wait(state, 100) != ""


@pytest.mark.parametrize("how", ["by person", "hold"])
def test_a_pause_by_a_person_and_a_hold_have_no_limit(tmp_path, time, how):
    state, publisher = state_of(tmp_path, hold=how == "hold")
    state.pause(Phase.PAUSED, by_person=how == "by person")
    state.terminal_stalled = how == "hold"
    assert time.wait(state, 9999) == ""
    assert publisher.snapshot.wait_ends_at is None
    assert publisher.snapshot.events == ()


def test_a_pause_that_no_terminal_shows_has_a_limit(tmp_path, time):
    state, _ = state_of(tmp_path)
    state.pause(Phase.PAUSED, by_person=True)
    state.terminal_stalled = True
    assert time.wait(state, 290) == ""
    state.terminal_stalled = False
    assert time.wait(state, 1) == ""
    state.terminal_stalled = True
    assert time.wait(state, 300) == ""
    assert "no terminal has taken the screen's output for 5 minutes" in time.wait(state, 1)


@pytest.mark.slow
def test_a_key_moves_the_end_of_the_wait(make_voice, training):
    session = training.start(make_voice(), "+2", attended=True)
    first = training.until(session, lambda s: s.wait_ends_at is not None)
    session.send(KeyPressed())
    moved = training.until(session, lambda s: s.wait_ends_at > first.wait_ends_at)
    assert at_stop(moved)
    session.send(Continue())
    assert training.until(session, lambda s: s.step > 3).wait_ends_at is None
    session.send(Finish())
    snapshot = training.end(session)
    assert (snapshot.ended_because, snapshot.wait_ends_at) == ("", None)


@pytest.mark.slow
@pytest.mark.usefixtures("no_patience")
def test_a_run_at_its_stop_ends_without_a_key(make_voice, training):
    snapshot = training.end(training.start(make_voice(), "+3", attended=True))
    assert (snapshot.phase, snapshot.step, snapshot.saved) == (Phase.STOPPED, 3, True)
    assert snapshot.ended_because == "nobody pressed a key for 0 minutes"
    events = training.texts(snapshot)
    notice = next(text for text in events if "without a key; --hold waits without limit" in text)
    assert events.index(notice) < events.index("nobody pressed a key for 0 minutes: the run ends")


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "at the stop"])
def test_a_stalled_terminal_is_not_waited_for(make_voice, training, when):
    before = [TerminalStalled(stalled=True)] if when == "before" else []
    session = training.start(make_voice(), "+3", *before, attended=True)
    if not before:
        training.until(session, lambda s: s.wait_ends_at is not None)
        session.send(TerminalStalled(stalled=True))
    snapshot = training.end(session)
    assert (snapshot.phase, snapshot.step, snapshot.saved) == (Phase.STOPPED, 3, True)
    assert snapshot.ended_because == "no terminal takes the screen's output"


@pytest.mark.slow
@pytest.mark.usefixtures("no_patience")
def test_hold_waits_for_keys_and_terminals_without_limit(make_voice, training):
    stalled = TerminalStalled(stalled=True)
    session = training.start(make_voice(), "+3", stalled, attended=True, hold=True)
    training.until(session, at_stop)
    # Once it is carried out, the end of the wait has been checked.
    session.send(SaveCheckpoint())
    snapshot = training.until(session, lambda s: "already saved" in s.events[-1].text)
    assert (snapshot.phase, snapshot.wait_ends_at) == (Phase.AT_STOP, None)
    session.send(Finish())
    assert training.end(session).ended_because == ""
