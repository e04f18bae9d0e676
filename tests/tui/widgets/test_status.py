"""A run that makes no steps."""

from datetime import datetime, timedelta

from fake_session import training

from engine.run.snapshot import Phase
from tui.process.headless import line_about
from tui.widgets.status import StallTimer, money_line

START = datetime(2026, 3, 14, 14, 2)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_a_run_without_steps_is_told_in_coarse_strides():
    timer = StallTimer()
    heard = [timer.update(training(), after(s)) for s in (0, 10, 16, 19, 21, 59, 61, 130)]
    assert heard == [None, None, 15, 15, 20, 55, 60, 120]


def test_a_step_or_a_pause_begins_anew():
    timer = StallTimer()
    timer.update(training(), after(0))
    assert timer.update(training(), after(30)) == 30
    assert timer.update(training(step=871_205), after(31)) is None
    assert timer.update(training(step=871_205, phase=Phase.PAUSED), after(99)) is None
    assert timer.update(training(step=871_205), after(100)) is None
    # Slow steps are not taken for silence.
    slow = training(step=871_206, steps_per_second=0.1)
    heard = [timer.update(slow, after(seconds)) for seconds in (200, 350, 450)]
    assert heard == [None, None, 240]


def test_a_warm_up_stands_in_place_of_the_speed():
    warm = training(warm_up="recording CUDA graph 3")
    for line in (money_line(warm, None, 140).plain, line_about(warm)):
        assert "recording CUDA graph 3" in line
        assert "steps/s" not in line
