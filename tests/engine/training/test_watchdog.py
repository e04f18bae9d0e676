"""An engine that does not move is reported, with the place where it hangs."""

from threading import Event

import pytest
from clocks import FakeClock

from engine.run.publisher import Publisher
from engine.run.snapshot import Phase, Progress, Snapshot
from engine.training import watchdog
from engine.training.learner import Learner
from engine.training.watchdog import Watchdog


@pytest.fixture
def watched(monkeypatch, tmp_path):
    """Make a watchdog that is called by hand, by a clock that the test moves."""
    clock = FakeClock()
    monkeypatch.setattr(watchdog, "time", clock)
    return lambda **options: Watched(clock, tmp_path, **options)


class Watched:
    def __init__(self, clock, folder, *, shares_processor=True, steps_per_second=10.0):
        self.clock = clock
        self.publisher = Publisher(
            Snapshot(Phase.TRAINING, "v", folder, "text2mel", "small", "standard")
        )
        self.publisher.update(steps_per_second=steps_per_second)
        self.log = folder / "voicecoach.log"
        self.dog = Watchdog(self.publisher, self.log)
        self.dog.shares_processor = shares_processor
        self.dog.check()

    def wait(self, seconds):
        for _ in range(seconds):
            self.clock.now += 1
            self.dog.check()

    @property
    def alarm(self):
        return self.publisher.snapshot.alarm


def test_a_hanging_step_is_reported_once_and_cleared_at_its_end(watched):
    one = watched()
    with one.dog.step():
        one.wait(30)
        assert one.alarm == ""
        one.wait(3)
        assert "step 1 has not ended for 31 s" in one.alarm
        one.wait(100)
    one.wait(1)
    assert one.alarm == ""
    texts = [event.text for event in one.publisher.snapshot.events]
    assert len(texts) == 2
    assert [(one.kind, one.text) for one in one.publisher.snapshot.notices] == [("hangs", texts[0])]
    assert texts[1] == "the run is making progress again"
    log = one.log.read_text()
    assert "test_watchdog.py" in log
    assert "wait" in log


@pytest.mark.parametrize(("speed", "limit"), [(10.0, 30), (1 / 6, 120), (None, 300)])
def test_what_far_too_long_is_follows_what_steps_take(watched, speed, limit):
    one = watched(steps_per_second=speed)
    with one.dog.step():
        one.wait(limit)
        assert one.alarm == ""
        one.wait(2)
        assert one.alarm


def test_an_engine_that_hangs_between_steps_is_told(watched):
    one = watched()
    # A run that waits is as fast as it was.
    one.publisher.update(phase=Phase.PAUSED, steps_per_second=None)
    one.wait(32)
    assert "the run has made no progress for 31 s: it hangs in " in one.alarm
    one.publisher.beat()
    one.wait(1)
    assert one.alarm == ""


@pytest.mark.parametrize("moves", ["beats", "prepares"])
def test_an_engine_that_moves_hangs_nowhere(watched, moves):
    one = watched()
    for done in range(20):
        one.wait(20)
        if moves == "beats":
            one.publisher.beat()
        else:
            one.publisher.update(progress=Progress("computing features", done, 20))
    assert one.alarm == ""


def test_shown_waits_and_suspended_processes_hang_nowhere(watched):
    one = watched()
    one.wait(10)
    one.clock.now += 3600
    one.wait(10)
    one.publisher.update(phase=Phase.STOPPING, end_waits_for="mirror")
    one.wait(1000)
    assert one.alarm == ""


@pytest.mark.parametrize("shares_processor", [True, False])
def test_an_audition_on_the_same_processor_is_waited_for(watched, shares_processor):
    one = watched(shares_processor=shares_processor)
    one.publisher.update(auditioning=True)
    with one.dog.step():
        one.wait(100)
        assert bool(one.alarm) is not shares_processor
        one.publisher.update(auditioning=False)
        one.wait(100)
        assert one.alarm


@pytest.mark.slow
def test_a_run_says_where_it_hangs_and_goes_on(make_voice, training, monkeypatch):
    go_on = Event()
    make_step = Learner.step

    def hang(learner, batch, step):
        if step == 6:
            assert go_on.wait(60)
        return make_step(learner, batch, step)

    monkeypatch.setattr(Learner, "step", hang)
    for name, value in (("MIN_SECONDS", 2.0), ("_POLL_SECONDS", 0.01)):
        monkeypatch.setattr(f"engine.training.watchdog.{name}", value)
    voice = make_voice()
    session = training.start(voice, "8")
    snapshot = training.until(session, lambda s: "step 6" in s.alarm)
    assert "step 6 has not ended" in snapshot.alarm
    assert "Trainer._make_step (trainer.py, line" in snapshot.alarm
    go_on.set()
    snapshot = training.end(session)
    assert (snapshot.step, snapshot.alarm) == (8, "")
    assert "Thread" in voice.log.read_text()
