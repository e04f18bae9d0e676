"""What stands on top of the screen: alarms, mirror, saving, and the cloud's notice."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from fake_session import NOON, preparing, training
from seeing import opened

from engine.machine.cloud.machine import Machine, SpotNotice
from engine.run.snapshot import LostSteps, MirrorState, Phase
from tui.process.headless import line_about
from tui.process.signals import exit_code
from tui.widgets.notice import mirror_words, phase_words, spot_words
from tui.widgets.status import money_line, title_line


async def test_a_step_that_hangs_stands_on_the_screen_until_it_ends():
    async with opened(training(), size=(120, 40)) as run:
        assert "hangs" not in run.text
        await run.change(alarm="step 871,205 hangs in [Learner.step]")
        assert "step 871,205 hangs in [Learner.step]" in run.text
        await run.change(alarm="")
        assert "hangs" not in run.text


def test_a_run_that_diverged_says_so_and_how_to_resume():
    words = phase_words(training(phase=Phase.PAUSED, alarm="it diverged")).plain
    assert words.startswith("it diverged")
    assert "p try again" in words
    assert "p resume" in phase_words(training(phase=Phase.PAUSED)).plain


async def test_a_lowered_rate_and_skipped_steps_are_shown():
    snapshot = training(rate_factor=0.25, skipped=12)
    async with opened(snapshot, size=(120, 40)) as run:
        assert "12 skipped · lr 6.8e-5 (×0.25)" in run.text
    assert "lr 6.8e-5 (×0.25)  12 steps skipped" in line_about(snapshot)
    assert "(×" not in line_about(training())


BEHIND = MirrorState(
    "s3://bucket/alice",
    safe_step=870_000,
    pending=2,
    trouble="cannot read mirror.json at s3://bucket/alice: Could not connect [to] the server",
    since=NOON.timestamp() - 120,
)
UNUSED = MirrorState(
    "s3://evil/[alice]",
    trouble="voice.toml names the mirror s3://evil/[alice]: nothing is copied; give --mirror X",
    unused=True,
)


async def test_the_step_that_is_safe_elsewhere_is_shown():
    async with opened(
        training(mirror=MirrorState("s3://bucket/alice", 871_000)), size=(120, 40)
    ) as run:
        assert "mirror 871,000" in run.text
        assert "behind" not in run.text


async def test_an_unreachable_mirror_is_shown_until_it_is_back():
    async with opened(training(mirror=BEHIND)) as run:
        said = run.words
        assert "Mirror behind since 14:00:" in said
        assert "Could not connect [to] the server" in said
        assert "Safe there: step 870,000." in said
        assert "mirror behind" in said
        await run.change(mirror=MirrorState("s3://bucket/alice", 871_000))
        assert "behind" not in run.text


async def test_a_mirror_that_nobody_named_is_said_to_get_nothing():
    async with opened(training(mirror=UNUSED)) as run:
        said = run.words
        assert "No mirror: voice.toml names the mirror s3://evil/[alice]: nothing is copied" in said
        assert "nothing copied" in said
        assert "behind" not in said
    assert line_about(training(mirror=UNUSED)).endswith("nothing is copied to a mirror")


def test_a_run_without_a_mirror_says_nothing_of_one():
    assert mirror_words(training()).plain == ""
    assert "mirror" not in line_about(training())


def test_the_lines_of_a_run_without_a_screen_have_it_too():
    safe = MirrorState("s3://bucket/alice", 871_000)
    assert line_about(training(mirror=safe)).endswith("step 871,000 safe in the mirror")
    assert "870,000 safe in the mirror, which is behind" in line_about(training(mirror=BEHIND))
    assert "nothing safe in the mirror" in line_about(training(mirror=MirrorState("s3://b/a")))


FULL = "The checkpoint x cannot be written: No space left on device; free some space."


def test_steps_at_risk_are_shown_while_nothing_can_be_saved():
    run = replace(training(), step=871_204, checkpoint_step=870_000)
    assert phase_words(run).plain == ""
    said = phase_words(replace(run, saving_trouble=FULL)).plain
    assert said.startswith("Not saved since step 870,000, 1,204 steps at risk: ")
    assert "free some space" in said
    for phase in (Phase.AT_STOP, Phase.STOPPING, Phase.PAUSED):
        assert FULL in phase_words(replace(run, phase=phase, saving_trouble=FULL)).plain


def test_before_the_first_checkpoint_all_steps_are_at_risk():
    run = replace(training(), step=30, base_step=20, checkpoint_step=None, saving_trouble=FULL)
    assert phase_words(run).plain.startswith("Not saved, 10 steps at risk: ")


def test_lost_steps_are_told_until_they_are_made():
    lost = LostSteps(since=871_000, until=871_412, seconds=118.0, usd=0.03)
    run = replace(training(), step=871_100, lost=lost)
    assert phase_words(run).plain == (
        "Repeating 412 steps lost since checkpoint 871,000 (1m58s, $0.03)."
    )
    assert phase_words(replace(run, step=871_412)).plain == ""
    damaged = replace(lost, damaged=871_200)
    assert phase_words(replace(run, lost=damaged)).plain == (
        "Repeating 412 steps lost since checkpoint 871,000 (1m58s, $0.03): checkpoint "
        "871,200 was damaged."
    )


def test_what_a_failure_says_cannot_command_the_terminal():
    run = replace(training(), saving_trouble="disk \x1b[2J[red]full[/red]")
    said = phase_words(run).plain
    assert "\x1b" not in said
    assert "[red]full[/red]" in said


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
    on = "continues until the last safe second"
    assert on in spot_words(training(spot_notice=AWAY), NOON).plain
    assert on not in spot_words(training(spot_notice=AWAY, phase=Phase.PAUSED), NOON).plain
    assert "Nothing is saved yet" in spot_words(preparing(spot_notice=AWAY), NOON).plain
    assert spot_words(training(), NOON).plain == ""
    assert spot_words(training(spot_notice=AWAY, phase=Phase.STOPPED), NOON).plain == ""


def test_a_warning_has_no_countdown_and_nothing_is_markup():
    warned = training(spot_notice=SpotNotice("[b]soon[/b]\x1b"))
    assert (
        spot_words(warned, NOON).plain
        == "[b]soon[/b]\N{REPLACEMENT CHARACTER}.  Saved: step 871,000."
    )


def test_the_status_names_the_machine_and_price_source():
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
