"""What `s` asks, and what its answers mean."""

import pytest
from check_reports import BROKEN
from fake_session import preparing, training
from seeing import opened

from engine.run.snapshot import Phase
from engine.run.stop import SetBudget, StopAt, parse_stop


@pytest.mark.slow
async def test_an_answer_is_explained_before_it_is_taken():
    async with opened(training(stop=None)) as run:
        await run.press("s")
        assert "none, budget 40 (US$ for the voice in all), budget none" in run.words
        assert "no change; none trains until you stop it" in run.text
        for said, meaning in (
            ("900k", "step 900,000 · 14:04 (in 2m16s) · $0.69 spent"),
            ("2h", "about step 2,397,604 · 16:02 (in 2h00m) · $2.63 spent"),
            ("19:00", "19:00 (in 4h58m) · about step 4,661,764 · $5.57 spent"),
            ("9:30", "Sun 09:30 (in 19h28m) · about step"),
            ("$10", "about step 8,079,204 · 23:28 (in 9h26m) · $10.00 spent"),
            ("+20k", "step 891,204 · 14:03 (in 1m34s) · $0.68 spent"),
        ):
            run.answer = said
            await run.pause()
            assert meaning in run.text
        await run.press("enter")
        assert run.sent == [StopAt(parse_stop("+20k"))]


@pytest.mark.slow
async def test_the_explanation_follows_the_run():
    async with opened(training(budget=0.9)) as run:
        await run.press("s", *"+20k")
        assert "step 891,204" in run.text
        await run.change(step=872_000)
        assert "step 892,000" in run.text
        await run.press(*["backspace"] * 4, *"880k")
        await run.change(step=880_001)
        assert "already at step 880,001" in run.words
        await run.press(*["backspace"] * 4, *"90M")
        assert "the budget of $0.90 comes first" in run.words


@pytest.mark.slow
async def test_what_cannot_be_is_refused_in_the_dialog():
    async with opened(training(stop=None, budget=0.8)) as run:
        await run.press("s")
        for said, trouble in (
            ("24:00", "'24:00' is not a time of day (00:00 to 23:59)"),
            ("soon", "cannot read 'soon' as a stop"),
            ("860k", "already at step 871,204"),
            ("$0.10", "already spent $0.65"),
            ("budget 0.5", "$0.65 is already spent"),
            ("budget 0", "'0' is not a budget; write US dollars for the whole voice, more than 0"),
        ):
            run.answer = said
            await run.press("enter")
            assert trouble in run.words
        await run.press("escape")
        assert run.at_home
        assert run.sent == []


@pytest.mark.slow
async def test_it_opens_with_the_stop_and_none_removes_it():
    async with opened(training()) as run:
        await run.press("s")
        assert run.answer == "900,000"
        await run.press("enter")
        assert run.at_home
        await run.press("s", "backspace", "enter")
        # A key too many takes no stop away.
        assert "none trains without a stop; esc keeps 900,000" in run.text
        assert run.sent == []
        await run.press(*"none")
        assert "no stop: trains until you stop it" in run.text
        await run.press("enter")
    assert run.sent == [StopAt(None)]


@pytest.mark.slow
async def test_at_the_budget_it_asks_for_a_larger_one():
    at_budget = {"phase": Phase.AT_STOP, "budget": 0.65, "checkpoint_step": 871_204}
    async with opened(training(**at_budget)) as run:
        assert "at the budget" in run.lines[0]
        await run.press("s")
        assert run.answer == "budget $"
        assert "$0.65 is spent: enter a new total" in run.text
        await run.press("enter", *"none")
        assert "no budget" in run.text
        await run.press(*["backspace"] * 4, *"40")
        assert "budget $40.00: about step" in run.text
        await run.press("enter")
        assert run.at_home
    assert run.sent == [SetBudget(40.0)]


@pytest.mark.slow
async def test_while_preparing_letters_go_to_the_dialog_and_a_stop_is_taken():
    async with opened(preparing(step=10_000, stop_text="2h")) as run:
        await run.press("s")
        assert run.answer == "2h"
        await run.press(*"+2e")
        assert "cannot read '+2e' as a stop" in run.words
        # A check that wants an answer waits for the end of the dialog.
        await run.change(phase=Phase.CHECKED, check=BROKEN, seconds_to_start=47)
        await run.press("backspace", "k")
        assert "step 12,000 · takes effect at the first step" in run.words
        await run.press("enter")
        assert run.sent == [StopAt(parse_stop("+2k"))]
        assert "the new stop takes effect at the first step" in run.log
        await run.look()
        assert run.checks
