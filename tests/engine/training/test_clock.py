"""Training time and what it costs, by a clock that the test moves."""

import threading

import pytest

from engine.errors import EngineError
from engine.training import clock as clocks
from engine.training.clock import TrainingClock
from engine.training.ledger_keeper import SpendRecorder
from engine.voice.spend import Ledger


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch) -> Time:
    time = Time()
    monkeypatch.setattr(clocks, "time", time)
    return time


def test_pauses_do_not_count(time):
    clock = TrainingClock()
    time.now += 5
    assert clock.seconds == 0
    clock.start()
    time.now += 3
    clock.start()
    clock.pause()
    time.now += 100
    clock.pause()
    assert clock.seconds == 3
    clock.start()
    time.now += 4
    assert clock.seconds == 7


def test_speed_is_that_of_the_last_seconds(time):
    clock = TrainingClock()
    clock.start()
    assert clock.steps_per_second is None
    clock.mark(1)
    assert clock.steps_per_second is None
    for step in range(2, 102):
        time.now += 1.0
        clock.mark(step)
    assert clock.steps_per_second == pytest.approx(1)
    for step in range(102, 402):
        time.now += 0.1
        clock.mark(step)
    assert clock.steps_per_second == pytest.approx(10)
    # Steps that are made again are as fast.
    for step in range(300, 310):
        time.now += 0.5
        clock.mark(step)
        assert (clock.steps_per_second or 2) == pytest.approx(2)
    clock.pause()
    assert clock.steps_per_second is None


def test_every_second_is_in_the_ledger_once(make_voice, time):
    voice = make_voice(price=3600.0)
    clock = TrainingClock()
    keeper = SpendRecorder(voice, "text2mel", clock, step=10)
    clock.start()
    for step, seconds in ((20, 5.0), (20, 1.0), (30, 7.0)):
        time.now += seconds
        keeper.close_stretch(step)
        keeper.flush()
    clock.pause()
    time.now += 50
    keeper.close_stretch(30)
    keeper.flush()
    kept = voice.ledger
    assert [(s.first_step, s.last_step, s.seconds) for s in kept.stretches] == [
        (10, 20, 5.0),
        (20, 30, 8.0),
    ]
    assert kept.usd == keeper.spent == 13.0
    assert keeper.voice_seconds == 13.0
    # The next run counts on from there.
    again = SpendRecorder(voice, "ssrn", TrainingClock(), step=0)
    assert (again.spent, again.voice_seconds) == (13.0, 13.0)


def test_a_killed_process_hides_a_minute_at_most(make_voice, time):
    clock = TrainingClock()
    keeper = SpendRecorder(make_voice(), "text2mel", clock, step=0)
    clock.start()
    time.now += 59
    assert not keeper.due
    time.now += 1
    assert keeper.due
    keeper.close_stretch(10)
    assert not keeper.due


def test_what_cannot_be_written_is_in_the_next_stretch(make_voice, time):
    voice = make_voice(price=3600.0)
    clock = TrainingClock()
    keeper = SpendRecorder(voice, "text2mel", clock, step=0)
    clock.start()
    time.now += 5
    (voice.folder / "spend.jsonl").mkdir()
    keeper.close_stretch(10)
    with pytest.raises(EngineError):
        keeper.flush()
    (voice.folder / "spend.jsonl").rmdir()
    time.now += 2
    keeper.close_stretch(20)
    assert keeper.spent == 7.0
    keeper.flush()
    (stretch,) = voice.ledger.stretches
    assert (stretch.first_step, stretch.last_step, stretch.seconds) == (0, 20, 7.0)


def test_a_disk_that_hangs_once_it_has_a_line_holds_up_no_stretch(make_voice, time, monkeypatch):
    clock = TrainingClock()
    keeper = SpendRecorder(make_voice(price=3600.0), "text2mel", clock, step=0)
    clock.start()
    time.now += 5
    keeper.close_stretch(10)
    hangs, go_on, closed = threading.Event(), threading.Event(), threading.Event()

    def size(ledger):
        hangs.set()
        assert go_on.wait(60)
        return 0

    def close():
        keeper.close_stretch(20)
        closed.set()

    monkeypatch.setattr(Ledger, "size", property(size))
    threads = [threading.Thread(target=keeper.flush), threading.Thread(target=close)]
    threads[0].start()
    assert hangs.wait(60)
    threads[1].start()
    was_free = closed.wait(20)
    go_on.set()
    for thread in threads:
        thread.join()
    assert was_free


def test_what_waits_for_the_disk_keeps_its_price_and_its_steps(make_voice, time):
    voice = make_voice(price=3600.0)
    clock = TrainingClock()
    keeper = SpendRecorder(voice, "text2mel", clock, step=0)
    clock.start()
    for step in (5, 10):
        time.now += 2
        keeper.close_stretch(step)
    # A sick run goes back.
    keeper.go_back(4)
    time.now += 3
    keeper.close_stretch(8)
    keeper.change_price(7200.0, 8)
    time.now += 1
    keeper.close_stretch(9)
    assert voice.ledger.stretches == []
    keeper.flush()
    assert [(s.first_step, s.last_step, s.seconds, s.price) for s in voice.ledger.stretches] == [
        (0, 10, 4.0, 3600.0), (4, 8, 3.0, 3600.0), (8, 9, 1.0, 7200.0),
    ]  # fmt: skip
    assert voice.ledger.usd == keeper.spent == 9.0


def test_a_process_that_is_killed_while_the_ledger_is_written_counts_once(make_voice, time):
    voice = make_voice(price=3600.0)
    clock = TrainingClock()
    keeper = SpendRecorder(voice, "text2mel", clock, step=0)
    clock.start()
    time.now += 5
    keeper.close_stretch(10)
    time.now += 3
    keeper.note_open(16)
    before = (voice.folder / "spend.open").read_bytes()
    assert SpendRecorder(voice, "text2mel", TrainingClock(), step=10).spent == 8.0
    # The disk takes the stretch at last, and the process is killed before the next note.
    (voice.folder / "spend.jsonl").unlink()
    keeper.flush()
    (voice.folder / "spend.open").write_bytes(before)
    again = SpendRecorder(voice, "text2mel", TrainingClock(), step=10)
    assert again.spent == 8.0
    assert [(s.first_step, s.last_step) for s in voice.ledger.stretches] == [(0, 10), (10, 16)]
    # Taken over once: the note that a dead process left is of no use then.
    (voice.folder / "spend.open").write_bytes(before)
    assert SpendRecorder(voice, "text2mel", TrainingClock(), step=10).spent == 8.0
