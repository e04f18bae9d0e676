"""What stands on top of the screen: alarms, mirror, saving, and the cloud's notice."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from fake_session import NOON, preparing, training
from seeing import opened

from engine.machine.cloud.machine import Machine, SpotNotice
from engine.run.lost_steps import LostSteps
from engine.run.snapshot import MirrorState, Phase
from tui.process.headless import line_about
from tui.process.signals import exit_code
from tui.widgets.notice import mirror_words, phase_words, spot_words
from tui.widgets.status import money_line, title_line

SAFE = MirrorState("s3://bucket/alice", 871_000)
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
FULL = "The checkpoint x cannot be written: No space left on device; free some space."
LOST = LostSteps(since=871_000, until=871_412, seconds=118.0, usd=0.03)
REPEATING = "Repeating 412 steps lost since checkpoint 871,000 (1m58s, $0.03)"
AWAY = SpotNotice("AWS terminates this machine", NOON.timestamp() + 107.5, 1000.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"alarm": "step 871,205 hangs in [Learner.step]"}, "step 871,205 hangs in [Learner.step]"),
        ({"mirror": BEHIND}, "Mirror behind since 14:00: cannot read mirror.json"),
        ({"mirror": BEHIND}, "connect [to] the server. Safe there: step 870,000."),
        ({"mirror": UNUSED}, "No mirror: voice.toml names the mirror s3://evil/[alice]: nothing"),
    ],
)
async def test_what_is_wrong_stands_on_the_screen_until_it_ends(fields, words):
    async with opened(training(**fields)) as run:
        assert words in run.words
        assert ("mirror behind" in run.words) is (fields.get("mirror") is BEHIND)
        await run.change(alarm="", mirror=SAFE)
        assert words not in run.words
        assert "behind" not in run.words
        await run.resize((120, 40))
        await run.change(rate_factor=0.25, skipped=12)
        assert "12 skipped · lr 6.8e-5 (×0.25)" in run.text
        assert "mirror 871,000" in run.text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"rate_factor": 0.25, "skipped": 12}, "lr 6.8e-5 (×0.25)  12 steps skipped"),
        ({"mirror": SAFE}, "step 871,000 in the mirror"),
        ({"mirror": BEHIND}, "870,000 in the mirror, which is behind"),
        ({"mirror": UNUSED}, "nothing is copied to a mirror"),
        ({"mirror": MirrorState("s3://b/a")}, "nothing sent to the mirror yet"),
        (
            {"price_source": "AWS spot us-east-1b, 14:00", "price": 0.43},
            "at $0.43/h, AWS spot us-east-1b, 14:00",
        ),
    ],
)
def test_the_lines_of_a_run_without_a_screen_have_it_too(fields, words):
    assert words in line_about(training(**fields))
    assert words not in line_about(training())
    assert mirror_words(training()).plain == ""


def test_a_run_that_diverged_says_so_and_how_to_resume():
    words = phase_words(training(phase=Phase.PAUSED, alarm="it diverged")).plain
    assert words.startswith("it diverged")
    assert "p try again" in words
    assert "p resume" in phase_words(training(phase=Phase.PAUSED)).plain


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "Not saved since step 870,000, 1,204 steps at risk: "),
        ({"checkpoint_step": None, "step": 30, "base_step": 20}, "Not saved, 10 steps at risk: "),
        ({"phase": Phase.AT_STOP}, "Stopped at 871,204, not saved"),
        ({"phase": Phase.STOPPING}, "Saving step 871,204"),
        ({"phase": Phase.PAUSED}, "Paused at 871,204"),
    ],
)
def test_steps_at_risk_are_shown_while_nothing_can_be_saved(fields, words):
    run = training(checkpoint_step=870_000, saving_trouble=FULL)
    said = phase_words(replace(run, **fields)).plain
    assert said.startswith(words)
    assert said.endswith(FULL)
    assert FULL not in phase_words(replace(run, **fields, saving_trouble="")).plain


@pytest.mark.parametrize(
    ("step", "damaged", "words"),
    [
        (871_100, None, f"{REPEATING}."),
        (871_100, 871_200, f"{REPEATING}: checkpoint 871,200 was damaged."),
        (871_412, None, ""),
    ],
)
def test_lost_steps_are_told_until_they_are_made(step, damaged, words):
    run = training(step=step, lost=replace(LOST, damaged=damaged))
    assert phase_words(run).plain == words


def test_what_a_failure_says_cannot_command_the_terminal():
    said = phase_words(training(saving_trouble="disk \x1b[2J[red]full[/red]")).plain
    assert "\x1b" not in said
    assert "[red]full[/red]" in said


@pytest.mark.parametrize(
    ("later", "left"), [(0, "1m47s"), (50, "57s"), (99, " 8s"), (107.5, " 0s"), (500, " 0s")]
)
def test_a_notice_of_the_cloud_counts_down_to_nothing(later, left):
    words = spot_words(training(spot_notice=AWAY), NOON + timedelta(seconds=later)).plain
    assert words.startswith(f"AWS terminates this machine in {left}.")
    assert "Saved: step 871,000." in words


def test_what_becomes_of_the_run_depends_on_what_it_does():
    on = "continues until the last safe second"
    assert on in spot_words(training(spot_notice=AWAY), NOON).plain
    assert on not in spot_words(training(spot_notice=AWAY, phase=Phase.PAUSED), NOON).plain
    assert "Nothing is saved yet" in spot_words(preparing(spot_notice=AWAY), NOON).plain
    assert spot_words(training(spot_notice=AWAY, phase=Phase.STOPPED), NOON).plain == ""
    warned = spot_words(training(spot_notice=SpotNotice("[b]soon[/b]\x1b")), NOON).plain
    assert warned == "[b]soon[/b]\N{REPLACEMENT CHARACTER}.  Saved: step 871,000."
    far = SpotNotice("GCP preempts this machine", datetime.now().timestamp() + 90.5, 0.0)
    assert line_about(training(spot_notice=far)).startswith("GCP preempts this machine in 1m")


def test_the_status_names_the_machine_and_price_source():
    machine = Machine("aws", "g5.xlarge", "us-east-1b", "us-east-1", spot=True)
    snapshot = training(machine=machine, price_source="AWS spot us-east-1b, 14:00", price=0.43)
    assert "AWS g5.xlarge us-east-1b spot" in title_line(snapshot, "14:02", 140).plain
    assert "$0.43/h, AWS spot us-east-1b, 14:00" in money_line(snapshot, None, 140).plain
    for width in (60, 80):
        assert title_line(snapshot, "14:02", width).cell_length <= width


def test_75_is_for_an_interruption_alone():
    assert exit_code(None, interrupted=False) == 0
    assert exit_code(None, interrupted=True) == 75
    assert exit_code(ValueError("odd"), interrupted=True) == 1
