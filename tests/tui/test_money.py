"""What a person reads of their money: the budget, idle time, and what the end says."""

from dataclasses import replace

import pytest
from fake_session import training
from seeing import opened

from engine.run.snapshot import Phase
from tui.process.endings import describe_end, describe_rent
from tui.process.headless import line_about


@pytest.mark.slow
async def test_a_short_budget_is_shown_until_dismissed_or_raised():
    async with opened(training(budget=0.8, spent=0.63)) as run:
        assert "of the budget of" not in run.text
        await run.change(spent=0.65)
        assert "81 % of the budget of $0.80 is spent.  s raise it · d dismiss" in run.text
        await run.press("d")
        assert "of the budget of" not in run.text
        await run.change(spent=0.7)
        assert "of the budget of" not in run.text
        # Another budget is another warning, and one that is used up is told all the same.
        await run.change(budget=0.85)
        assert "82 % of the budget of $0.85" in run.text
        await run.change(budget=10.0)
        assert "of the budget of" not in run.text
        await run.change(budget=0.8, spent=0.81, phase=Phase.AT_STOP)
        seen = run.text
    assert "The budget of $0.80 is used up: $0.81 spent.  s raise it" in seen
    assert "The machine still costs $0.99/h" in seen


@pytest.mark.slow
async def test_the_nearer_of_stop_and_budget_is_what_is_projected():
    async with opened(training(budget=30.0)) as run:
        assert "stop at 900,000 · 14:04" in run.text
        assert "spent $0.65 of $30.00 · $0.69 at the stop · $0.99/h" in run.text
        await run.change(budget=0.66)
        seen = run.text
    assert "budget $0.66 · 14:02 (36s)" in seen
    assert "spent $0.65 of $0.66 · $0.66 at the budget" in seen
    assert "  stop at 900,000 · " in line_about(training(budget=30.0))
    for stop in ({}, {"stop": None, "stop_text": ""}):
        assert "  budget $0.66 · " in line_about(training(budget=0.66, **stop))


def test_the_command_to_continue_keeps_the_stop(tmp_path):
    (tmp_path / "text2mel").mkdir()
    stop = tmp_path / "text2mel" / "stop.json"
    ended = training(phase=Phase.STOPPED, voice_folder=tmp_path)
    for content, words in (
        (
            '{"text": "+20k", "step": 900000}',
            "to continue to its stop at 900,000: voicecoach train",
        ),
        ('{"text": "$10", "usd": 10}', "to continue to its stop at $10.00 spent: voicecoach"),
        ("{}", "to continue: voicecoach train"),
        ("damaged", "to continue: voicecoach train"),
    ):
        stop.write_text(content)
        assert words in describe_end(ended)
    # Of two networks, the one that is there has no stop any more.
    (tmp_path / "ssrn").mkdir()
    (tmp_path / "ssrn" / "stop.json").write_text('{"text": "+20k", "step": 900000}')
    ssrn = replace(ended, network="ssrn", checkpoint_step=899_000)
    stop.write_text('{"text": "+1k", "step": 871000}')
    both = replace(ended, step=871_000, checkpoint_step=871_000, other=ssrn)
    assert "to continue to its stop at 900,000 (SSRN): voicecoach" in describe_end(both)
    # Before the first step nothing is kept yet: the command itself is to say it.
    unset = replace(ended, stop=None, stop_text="$10", checkpoint_step=871_000)
    assert describe_end(unset).endswith(f"--voice {tmp_path} --stop-at '$10'")
    assert describe_end(replace(ended, gpus="auto")).endswith(f"--voice {tmp_path} --gpus auto")


def test_the_last_line_says_what_the_machine_costs():
    ended = training(phase=Phase.STOPPED, budget=30.0)
    assert describe_rent(ended) == (
        "spent $0.65; the machine still costs $0.99/h until you stop it"
    )
    assert "($0.12 idle)" in describe_rent(replace(ended, idle_usd=0.12))
    assert describe_rent(replace(ended, price=0.0)) == ""
    assert describe_rent(replace(ended, interrupted=True)) == ""
    assert "budget" not in describe_end(ended)
    used = describe_end(replace(ended, spent=30.01))
    assert used.startswith("the budget of $30.00 is used up ($30.01 spent); saved at step 871,000")
    assert "--budget" in used
