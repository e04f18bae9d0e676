"""What the keys ask of the run."""

import pytest
from fake_session import preparing, training
from seeing import lines_of, log_of, look, opened, text_of

from engine.run.commands import (
    Audition,
    Continue,
    Pause,
    PlotAttention,
    SaveCheckpoint,
    SetBudget,
    SetSentence,
    StopAt,
)
from engine.run.snapshot import Phase
from engine.run.stop import parse_stop
from tui.process.endings import ExitReason


@pytest.mark.parametrize(
    ("key", "command", "words"),
    [
        ("a", Audition(), "audition requested at step 871,204"),
        ("c", SaveCheckpoint(), "checkpoint requested"),
        ("p", Pause(), "pause requested"),
        ("n", PlotAttention(), "attention plot requested"),
    ],
)
async def test_a_key_sends_a_command_and_confirms_it(key, command, words):
    async with opened(training()) as (app, session, pilot):
        await pilot.press(key)
        assert session.sent == [command]
        assert words in log_of(app)


async def test_p_pauses_and_goes_on():
    async with opened(training()) as (app, session, pilot):
        # The bottom line is drawn a turn after the screen.
        await look(app, pilot)
        await pilot.pause()
        assert "p pause" in text_of(app)
        session.change(phase=Phase.PAUSED)
        await look(app, pilot)
        await pilot.pause()
        assert "Paused at 871,204;" in text_of(app)
        assert "p resume" in text_of(app).splitlines()[-1]
        await pilot.press("p")
        assert session.sent == [Continue()]


async def test_e_changes_the_sentence_that_auditions_speak():
    async with opened(training()) as (app, session, pilot):
        await pilot.press("e")
        assert "Two birds sat on the old wall." in text_of(app)
        await pilot.press("backspace", *"now", "enter")
        assert session.sent == [SetSentence("Two birds sat on the old wallnow")]


async def test_an_empty_sentence_is_refused_in_the_dialog():
    async with opened(training(sentence="a")) as (app, session, pilot):
        await pilot.press("e", "backspace", "enter")
        assert "empty: write a sentence" in text_of(app)
        await pilot.press("escape")
        assert session.sent == []


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ("900k", "step 900,000 · 14:04 (in 2m16s) · $0.69 spent"),
        ("+20k", "step 891,204 · 14:03 (in 1m34s) · $0.68 spent"),
        ("2h", "about step 2,397,604 · 16:02 (in 2h00m) · $2.63 spent"),
        ("$10", "about step 8,079,204 · 23:28 (in 9h26m) · $10.00 spent"),
    ],
)
async def test_the_stop_dialog_shows_what_an_answer_means(said, meaning):
    async with opened(training(stop=None)) as (app, session, pilot):
        await pilot.press("s")
        assert "no change; none trains until you stop it" in text_of(app)
        app.screen.query_one("Input").value = said
        await pilot.pause()
        assert meaning in text_of(app)
        await pilot.press("enter")
        assert session.sent == [StopAt(parse_stop(said))]


@pytest.mark.parametrize(
    ("said", "trouble"),
    [
        ("soon", "cannot read 'soon' as a stop"),
        ("860k", "already at step 871,204"),
        ("$0.10", "already spent $0.65"),
    ],
)
async def test_the_stop_dialog_refuses_what_cannot_be(said, trouble):
    async with opened(training(stop=None)) as (app, session, pilot):
        await pilot.press("s")
        app.screen.query_one("Input").value = said
        await pilot.press("enter")
        words = " ".join(text_of(app).replace("│", " ").split())
        assert trouble in words
        assert session.sent == []
        await pilot.press("escape")
        assert app.screen is app.run_screen


async def test_the_stop_dialog_opens_with_the_stop_and_none_removes_it():
    async with opened(training()) as (app, session, pilot):
        await pilot.press("s")
        assert app.screen.query_one("Input").value == "900,000"
        await pilot.press("enter")
        assert app.screen is app.run_screen
        await pilot.press("s", "backspace", "enter")
        # A key too many takes no stop away.
        assert "none trains without a stop; esc keeps 900,000" in text_of(app)
        assert session.sent == []
        await pilot.press(*"none")
        assert "no stop: trains until you stop it" in text_of(app)
        await pilot.press("enter")
    assert session.sent == [StopAt(None)]


async def test_at_the_budget_s_asks_for_a_larger_one():
    at_budget = {"phase": Phase.AT_STOP, "budget": 0.65, "checkpoint_step": 871_204}
    async with opened(training(**at_budget)) as (app, session, pilot):
        await look(app, pilot)
        assert "at the budget" in lines_of(app)[0]
        await pilot.press("s")
        assert app.screen.query_one("Input").value == "budget $"
        assert "$0.65 is spent: enter a new total" in text_of(app)
        await pilot.press("enter", *"40", "enter")
        assert app.screen is app.run_screen
    assert session.sent == [SetBudget(40.0)]


async def test_left_and_right_turn_the_attention_plots_back_and_forth():
    async with opened(training()) as (app, _, pilot):
        await pilot.press("left")
        await pilot.pause()
        assert "attention · 865k" in text_of(app)
        assert "2 of 3" in text_of(app)
        await pilot.press("left", "left", "left")
        await pilot.pause()
        assert "attention · 855k" in text_of(app)
        await pilot.press("right", "right", "right")
        await pilot.pause()
        assert "attention · 871k" in text_of(app)


@pytest.mark.parametrize(
    ("snapshot", "key", "why"),
    [
        (preparing(), "c", "training is still being prepared"),
        (preparing(), "s", "training is still being prepared"),
        (preparing(), "r", "there is no sample yet; a makes one"),
        (training(auditioning=True), "a", "the previous sample is still being spoken"),
        (training(attention=()), "left", "there is only one attention plot"),
        (training(phase=Phase.AT_STOP), "p", "the run is at its stop; s sets a later one"),
        (training(checkpoint_step=871_204), "c", "step 871,204 is already saved"),
        (training(), "o", "only SSRN samples have an original recording"),
    ],
)
async def test_a_key_that_does_nothing_now_says_why(snapshot, key, why):
    async with opened(snapshot) as (app, session, pilot):
        await pilot.press(key)
        assert why in log_of(app)
        assert session.sent == []
        assert app.screen is app.run_screen


async def test_after_a_failure_only_leaving_is_left():
    async with opened(training()) as (app, session, pilot):
        session.change(phase=Phase.FAILED, failure="out of memory")
        await look(app, pilot)
        await pilot.press("s", "a", "c", "p", "e")
        assert session.sent == []
        assert app.screen is app.run_screen
        assert "stop at: the engine has ended; only q works" in log_of(app)
        await pilot.press("q")
    assert app.return_value is ExitReason.ENDED


async def test_help_lists_every_key_and_why_some_are_disabled():
    async with opened(training(samples=()), size=(120, 40)) as (app, _, pilot):
        await pilot.press("question_mark")
        seen = text_of(app)
        for binding in app.run_screen._bindings.key_to_bindings.values():
            tooltip = binding[0].tooltip
            if tooltip and binding[0].action not in ("go_on", "dismiss_warning"):
                assert tooltip in seen
        assert "not now: there is no sample yet" in seen
        await pilot.press("escape", "f1")
        assert "Speak the sentence" in text_of(app)


async def test_the_palette_finds_every_key():
    async with opened(training()) as (app, session, pilot):
        names = {command.title for command in app.get_system_commands(app.screen)}
        assert {"Audition", "Stop at", "Checkpoint", "Pause", "Replay", "Quit", "Theme"} <= names
        await pilot.press("ctrl+p", *"checkpoint")
        await app.workers.wait_for_complete()
        await pilot.pause()
        await pilot.press("enter")
        await pilot.press("enter")
        await pilot.pause()
        assert session.sent == [SaveCheckpoint()]
