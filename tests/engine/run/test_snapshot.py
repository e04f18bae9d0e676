"""What a screen derives from a snapshot: how far, how long, how much."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine.run.snapshot import Phase, Snapshot
from engine.run.stop import StopPoint

SNAPSHOT = Snapshot(
    phase=Phase.TRAINING,
    voice="alice",
    voice_folder=Path("voices/alice"),
    network="text2mel",
    preset="bbc",
    recipe="standard",
    step=875_000,
    base_step=855_000,
    first_step=865_000,
    steps_per_second=10.0,
    run_seconds=1000.0,
    voice_seconds=4600.0,
    spent=1.15,
    first_spent=0.9,
    price=0.9,
)


def at(stop: StopPoint, **changes) -> Snapshot:
    return replace(SNAPSHOT, stop=stop, **changes)


def test_without_a_stop_there_is_no_way_to_it():
    assert SNAPSHOT.progress_to_stop is None
    assert SNAPSHOT.seconds_to_stop is None
    assert SNAPSHOT.spent_at_stop is None


@pytest.mark.parametrize(
    ("stop", "passed"),
    [
        (StopPoint(step=905_000), StopPoint(step=1000)),
        (StopPoint(training_seconds=7600), StopPoint(training_seconds=1)),
        (StopPoint(usd=1.9), StopPoint(usd=0.1)),
    ],
)
def test_the_way_to_a_stop_counts_this_run_alone(stop, passed):
    snapshot = at(stop)
    assert snapshot.progress_to_stop == pytest.approx(0.25)
    assert snapshot.seconds_to_stop == pytest.approx(3000)
    assert snapshot.spent_at_stop == pytest.approx(1.9)
    assert (at(passed).progress_to_stop, at(passed).seconds_to_stop) == (1, 0)
    # Going on after a stop begins a new way.
    begun = at(stop, first_step=875_000, first_run_seconds=1000.0, first_spent=1.15)
    assert begun.progress_to_stop == 0


def test_the_end_is_the_nearer_of_stop_and_budget():
    far = at(StopPoint(step=905_000), budget=1.5)
    assert far.budget_comes_first
    assert far.end_point == StopPoint(usd=1.5)
    assert far.seconds_to_stop == pytest.approx(1400)
    # A budget is the whole voice's, and so is what is measured against it.
    assert far.progress_to_stop == pytest.approx(1.15 / 1.5)
    assert far.spent_at_stop == pytest.approx(1.5)
    near = at(StopPoint(step=905_000), budget=2.0)
    assert near.end_point == near.stop
    assert near.spent_at_stop == pytest.approx(1.9)
    assert replace(SNAPSHOT, budget=2.0).end_point == StopPoint(usd=2.0)
    # Where the time to the stop is not known, it is the stop that is shown.
    assert not replace(far, steps_per_second=None).budget_comes_first
    assert replace(far, spent=1.5, steps_per_second=None).budget_is_used_up
    assert replace(far, spent=1.5, steps_per_second=None).budget_comes_first


def test_nothing_is_projected_before_the_speed_is_known():
    assert at(StopPoint(step=905_000), steps_per_second=None).seconds_to_stop is None
    assert at(StopPoint(usd=9), price=0.0).seconds_to_stop is None
