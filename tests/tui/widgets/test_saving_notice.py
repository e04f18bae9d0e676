"""What the line on top says while checkpoints cannot be written, and of steps made again."""

from dataclasses import replace

from fake_session import training

from engine.run.snapshot import LostSteps, Phase
from tui.widgets.notice import phase_words

FULL = "The checkpoint x cannot be written: No space left on device; free some space."


def test_while_nothing_can_be_saved_it_says_why_and_what_is_at_risk():
    run = replace(training(), step=871_204, checkpoint_step=870_000)
    assert phase_words(run).plain == ""
    said = phase_words(replace(run, saving_trouble=FULL)).plain
    assert said.startswith("Not saved since step 870,000, 1,204 steps at risk: ")
    assert "free some space" in said
    for phase in (Phase.AT_STOP, Phase.STOPPING, Phase.PAUSED):
        assert FULL in phase_words(replace(run, phase=phase, saving_trouble=FULL)).plain


def test_before_the_first_checkpoint_all_since_the_base_is_at_risk():
    run = replace(training(), step=30, base_step=20, checkpoint_step=None, saving_trouble=FULL)
    assert phase_words(run).plain.startswith("Not saved, 10 steps at risk: ")


def test_lost_steps_are_told_until_they_are_made():
    lost = LostSteps(since=871_000, until=871_412, seconds=118.0, usd=0.03)
    run = replace(training(), step=871_100, lost=lost)
    assert phase_words(run).plain == (
        "Making 412 steps again that were lost since checkpoint 871,000 (1m58s, $0.03)."
    )
    assert phase_words(replace(run, step=871_412)).plain == ""
    damaged = replace(lost, damaged=871_200)
    assert phase_words(replace(run, lost=damaged)).plain == (
        "Making 412 steps again that were lost since checkpoint 871,000 (1m58s, $0.03): checkpoint "
        "871,200 was damaged."
    )


def test_what_a_failure_says_cannot_command_the_terminal():
    run = replace(training(), saving_trouble="disk \x1b[2J[red]full[/red]")
    said = phase_words(run).plain
    assert "\x1b" not in said
    assert "[red]full[/red]" in said
