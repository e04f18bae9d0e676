"""Warnings that a person must have seen: they stand on top until `d` dismisses them."""

from fake_session import event, training
from seeing import look, opened, text_of

from engine.run.snapshot import Phase

CORPUS = event(3, "The corpus is not the one that text2mel was trained on so far.", "warning")
DAMAGED = event(2, "Checkpoint 1,730 of text2mel is damaged: set aside.", "warning")
DIVERGED = event(9, "text2mel diverged at step 871,000.", "error")


async def test_warnings_are_shown_one_by_one_until_dismissed():
    run = training(warnings=(DIVERGED, CORPUS, DAMAGED), budget=0.8)
    async with opened(run) as (app, session, pilot):
        await look(app, pilot)
        assert "diverged at step 871,000.  d dismiss · +3 more" in text_of(app)
        assert "1,730" not in text_of(app)
        await pilot.press("d")
        assert "81 % of the budget of $0.80 is spent.  s raise it · d" in text_of(app)
        await pilot.press("d")
        assert "1,730 of text2mel is damaged: set aside.  d dismiss · +1" in text_of(app)
        # What other news come meanwhile takes no warning away.
        session.change(events=tuple(event(0, f"news {number}") for number in range(40)))
        await look(app, pilot)
        assert "1,730 of text2mel is damaged: set aside.  d dismiss · +1" in text_of(app)
        await pilot.press("d")
        seen = text_of(app)
        assert "The corpus is not the one that text2mel was trained on so far.  d" in seen
        assert "more" not in seen.split("so far.", 1)[1].splitlines()[0]
        await pilot.press("d", "d")
        assert "dismiss" not in text_of(app)
        session.change(warnings=(*run.warnings, event(0, "spend.jsonl is damaged", "warning")))
        await look(app, pilot)
        seen = text_of(app)
    assert "spend.jsonl is damaged  d dismiss" in seen
    assert "1,730" not in seen


async def test_a_long_warning_leaves_room_below_it():
    long = event(0, "the corpus differs: " + "a-very-long-name.wav, " * 40, "warning")
    paused = training(warnings=(long,), phase=Phase.PAUSED)
    async with opened(paused) as (app, _, pilot):
        await look(app, pilot)
        seen = text_of(app)
    assert "…  d dismiss" in seen
    assert "Paused at 871,204; the machine still costs $0.99/h." in seen


async def test_a_read_only_screen_dismisses_its_own_warnings():
    async with opened(training(warnings=(CORPUS,), budget=0.8), reading=True) as (app, _, pilot):
        await look(app, pilot)
        seen = text_of(app)
        assert "81 % of the budget of $0.80 is spent.  d dismiss · +1 more" in seen
        await pilot.press("d", "d")
        assert "dismiss" not in text_of(app)


async def test_d_exists_only_while_there_is_a_warning():
    async with opened(training(warnings=(CORPUS,))) as (app, _, pilot):
        await look(app, pilot)
        assert app.screen.check_action("dismiss_warning", ()) is True
        await pilot.press("d")
        assert app.screen.check_action("dismiss_warning", ()) is False
