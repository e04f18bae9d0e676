"""What a notice says on the screen, and what the status says of the machine and its price."""

from datetime import datetime, timedelta

import pytest
from fake_session import NOON, preparing, training

from engine.machine.cloud.machine import Machine, SpotNotice
from engine.run.snapshot import Phase
from tui.process.headless import line_about
from tui.process.signals import exit_code
from tui.widgets.notice import spot_words
from tui.widgets.status import money_line, title_line

AWAY = SpotNotice("AWS terminates this machine", NOON.timestamp() + 107.5, 1000.0)
MACHINE = Machine("aws", "g5.xlarge", "us-east-1b", "us-east-1", spot=True)


def seconds_later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("later", "left"), [(0, "1m47s"), (50, "57s"), (99, " 8s"), (107.5, " 0s"), (500, " 0s")]
)
def test_it_counts_down_to_nothing(later, left):
    words = spot_words(training(spot_notice=AWAY), seconds_later(later)).plain
    assert words.startswith(f"AWS terminates this machine in {left}.")
    assert "Saved: step 871,000." in words


def test_what_becomes_of_the_run_depends_on_what_it_does():
    on = "goes on to the last safe second"
    assert on in spot_words(training(spot_notice=AWAY), NOON).plain
    assert on not in spot_words(training(spot_notice=AWAY, phase=Phase.PAUSED), NOON).plain
    assert "Nothing is saved yet" in spot_words(preparing(spot_notice=AWAY), NOON).plain
    assert spot_words(training(), NOON).plain == ""
    assert spot_words(training(spot_notice=AWAY, phase=Phase.STOPPED), NOON).plain == ""


def test_a_warning_has_no_countdown_and_nothing_is_markup():
    warned = training(spot_notice=SpotNotice("[b]soon[/b]\x1b"))
    assert spot_words(warned, NOON).plain == "[b]soon[/b] .  Saved: step 871,000."


def test_the_status_names_the_machine_and_where_the_price_is_from():
    snapshot = training(machine=MACHINE, price_source="AWS spot us-east-1b, 14:00", price=0.43)
    assert "AWS g5.xlarge us-east-1b spot" in title_line(snapshot, "14:02", 140).left.plain
    assert "$0.43/h, AWS spot us-east-1b, 14:00" in money_line(snapshot, 140).left.plain
    for width in (60, 80):
        assert title_line(snapshot, "14:02", width).left.cell_length <= width
    assert "at $0.43/h, AWS spot us-east-1b, 14:00" in line_about(snapshot)


def test_lines_count_down_as_well():
    far = SpotNotice("GCP preempts this machine", datetime.now().timestamp() + 90.5, 0.0)
    assert line_about(training(spot_notice=far)).startswith("GCP preempts this machine in 1m")


def test_75_is_for_an_interruption_alone():
    assert exit_code(None, interrupted=False) == 0
    assert exit_code(None, interrupted=True) == 75
    assert exit_code(ValueError("odd"), interrupted=True) == 1
