"""The time and the money of a run, by a clock that the test moves."""

import pytest
from clocks import FakeClock

from engine.training import cost as costs
from engine.training.cost import CostMeter
from engine.voice.spend import SpendEntry, SpendLog


@pytest.fixture
def meter(tmp_path, clock) -> CostMeter:
    """A meter that has cost a dollar before, at a dollar a second."""
    past = SpendLog(tmp_path / "spend.jsonl")
    past.add(SpendEntry("a", "b", "ssrn", 0, 5, 1.0, 3600.0))
    return CostMeter("text2mel", 10, 3600.0, past)


def let_pass(clock: FakeClock, meter: CostMeter, seconds: int) -> None:
    """Let time pass while somebody reads the clock every second."""
    for _ in range(seconds):
        clock.now += 1
        _ = meter.run_seconds


def test_only_time_between_start_and_pause_is_training(clock, meter):
    let_pass(clock, meter, 5)
    assert meter.run_training_seconds == 0
    meter.start_training()
    let_pass(clock, meter, 3)
    meter.start_training()
    meter.pause_training()
    let_pass(clock, meter, 100)
    meter.pause_training()
    assert meter.run_training_seconds == 3
    meter.start_training()
    let_pass(clock, meter, 4)
    assert (meter.run_training_seconds, meter.run_seconds) == (7, 112)
    # With the runs before.
    assert (meter.training_seconds, meter.run_idle_seconds) == (8, 105)
    assert (meter.spent, meter.idle_usd, meter.spent_before) == (113, 105, 1)


def test_speed_is_that_of_the_last_seconds(clock, meter):
    meter.start_training()
    assert meter.steps_per_second is None
    meter.mark_step(1)
    assert meter.steps_per_second is None
    for step in range(2, 102):
        clock.now += 1.0
        meter.mark_step(step)
    assert meter.steps_per_second == pytest.approx(1)
    for step in range(102, 402):
        clock.now += 0.1
        meter.mark_step(step)
    assert meter.steps_per_second == pytest.approx(10)
    # Steps that are made again are as fast.
    for step in range(300, 310):
        clock.now += 0.5
        meter.mark_step(step)
        assert (meter.steps_per_second or 2) == pytest.approx(2)
    meter.pause_training()
    assert meter.steps_per_second is None


def test_every_second_is_in_one_entry(clock, meter):
    meter.start_training()
    entries = []
    for step, seconds in ((20, 5), (20, 1), (30, 7)):
        let_pass(clock, meter, seconds)
        entries += meter.close(step)
    meter.pause_training()
    let_pass(clock, meter, 4)
    entries += meter.close(30)
    assert [(e.kind, e.first_step, e.last_step, e.seconds) for e in entries] == [
        ("training", 10, 20, 5),
        ("training", 20, 30, 8),
        ("idle", 30, 30, 4),
    ]
    assert meter.spent == 1 + sum(entry.usd for entry in entries) == 18


def test_steps_that_are_made_again_begin_the_next_entry(clock, meter):
    meter.start_training()
    let_pass(clock, meter, 2)
    meter.close(20)
    meter.roll_back(12)
    let_pass(clock, meter, 3)
    [entry] = meter.close(15)
    assert (entry.first_step, entry.last_step, entry.seconds) == (12, 15, 3)


def test_an_entry_is_due_every_minute(clock, meter):
    meter.start_training()
    let_pass(clock, meter, 59)
    assert not meter.entry_due
    let_pass(clock, meter, 1)
    assert meter.entry_due
    meter.close(11)
    assert not meter.entry_due


def test_time_while_suspended_is_idle(clock, meter):
    meter.start_training()
    let_pass(clock, meter, 5)
    clock.now += 300
    let_pass(clock, meter, 5)
    assert meter.clock.suspended == 301
    assert (meter.run_training_seconds, meter.run_seconds) == (9, 310)
    assert (meter.spent, meter.idle_usd) == (311, 301)


def test_after_the_end_nothing_is_counted(clock, meter):
    meter.start_training()
    let_pass(clock, meter, 5)
    meter.end()
    entries = meter.close(11, last=True)
    let_pass(clock, meter, 5)
    assert [entry.seconds for entry in entries] == [5]
    assert (meter.spent, meter.run_seconds) == (6, 5)


def test_the_time_of_day_changes_no_amount(clock, meter, monkeypatch):
    days = iter(f"20{year}-01-01T00:00:00+00:00" for year in range(99, 10, -1))
    monkeypatch.setattr(costs, "timestamp", lambda: next(days))
    meter.start_training()
    entries = []
    for step in (15, 19):
        let_pass(clock, meter, 4)
        entries += meter.close(step)
    assert [entry.usd for entry in entries] == [4, 4]
    assert entries[1].end < entries[1].start


def test_a_step_that_lags_behind_opens_no_period_backwards(clock, meter):
    meter.start_training()
    let_pass(clock, meter, 9)
    [entry] = meter.close(23)
    let_pass(clock, meter, 9)
    [later] = meter.close(20, last=True)
    assert (entry.first_step, entry.last_step) == (10, 23)
    assert (later.first_step, later.last_step) == (23, 23)


def test_two_networks_share_the_seconds_of_one_machine(clock, meter):
    ssrn = meter.for_network("ssrn", 4)
    meter.start_training()
    let_pass(clock, meter, 3)
    ssrn.start_training()
    let_pass(clock, meter, 4)
    meter.pause_training()
    let_pass(clock, meter, 5)
    ssrn.pause_training()
    let_pass(clock, meter, 2)
    entries = [*meter.close(20), *ssrn.close(9)]
    assert [(e.network, e.kind, e.first_step, e.last_step, e.seconds) for e in entries] == [
        ("text2mel", "idle", 20, 20, 2),
        ("text2mel", "training", 10, 20, 5),
        ("ssrn", "training", 4, 9, 7),
    ]
    assert meter.spent == ssrn.spent == 1 + sum(entry.usd for entry in entries) == 15
