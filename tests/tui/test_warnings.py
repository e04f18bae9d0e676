"""Warnings that a person must have seen: they stand on top until `d` dismisses them."""

import pytest
from fake_session import event, training
from seeing import opened

from engine.run.snapshot import Phase

CORPUS = event(3, "The corpus is not the one that text2mel was trained on so far.", "warning")
DAMAGED = event(2, "Checkpoint 1,730 of text2mel is damaged: set aside.", "warning")
DIVERGED = event(9, "text2mel diverged at step 871,000.", "error")


@pytest.mark.slow
async def test_warnings_are_shown_one_by_one_until_dismissed():
    warnings = (DIVERGED, CORPUS, DAMAGED)
    async with opened(training(warnings=warnings, budget=0.8)) as run:
        assert "diverged at step 871,000.  d dismiss · +3 more" in run.text
        assert "1,730" not in run.text
        await run.press("d")
        assert "81 % of the budget of $0.80 is spent.  s raise it · d" in run.text
        await run.press("d")
        assert "1,730 of text2mel is damaged: set aside.  d dismiss · +1" in run.text
        # What other news come meanwhile takes no warning away.
        await run.change(events=tuple(event(0, f"news {number}") for number in range(40)))
        assert "1,730 of text2mel is damaged: set aside.  d dismiss · +1" in run.text
        await run.press("d")
        seen = run.text
        assert "The corpus is not the one that text2mel was trained on so far.  d" in seen
        assert "more" not in seen.split("so far.", 1)[1].splitlines()[0]
        await run.press("d", "d")
        assert "dismiss" not in run.text
        await run.change(warnings=(*warnings, event(0, "spend.jsonl is damaged", "warning")))
        seen = run.text
    assert "spend.jsonl is damaged  d dismiss" in seen
    assert "1,730" not in seen


async def test_a_long_warning_leaves_room_below_it():
    long = event(0, "the corpus differs: " + "a-very-long-name.wav, " * 40, "warning")
    paused = training(warnings=(long,), phase=Phase.PAUSED)
    async with opened(paused) as run:
        seen = run.text
    assert "…  d dismiss" in seen
    assert "Paused at 871,204; the machine still costs $0.99/h." in seen


@pytest.mark.slow
async def test_a_read_only_screen_dismisses_its_own_warnings():
    async with opened(training(warnings=(CORPUS,), budget=0.8), reading=True) as run:
        assert "81 % of the budget of $0.80 is spent.  d dismiss · +1 more" in run.text
        assert run.app.screen.check_action("dismiss_warning", ()) is True
        await run.press("d", "d")
        assert "dismiss" not in run.text
        assert run.app.screen.check_action("dismiss_warning", ()) is False
