"""What the keys ask of the run."""

import pytest
from fake_session import FakeSession, preparing, training
from seeing import SIZES, app_on, log_of, look, text_of

from engine.control import (
    Audition,
    DrawAttention,
    GoOn,
    Pause,
    SaveCheckpoint,
    SetSentence,
    StopAt,
)
from engine.snapshot import Phase
from engine.stop import parse_stop
from tui.exit_reason import ExitReason


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("key", "command", "words"),
    [
        ("a", Audition(), "audition asked for at step 871,204"),
        ("c", SaveCheckpoint(), "checkpoint asked for"),
        ("p", Pause(), "pause asked for"),
        ("n", DrawAttention(), "attention plot asked for"),
    ],
)
async def test_a_key_asks_the_engine_and_says_so_at_once(size, key, command, words):
    session = FakeSession(training())
    app = app_on(session)
    async with app.run_test(size=size) as pilot:
        await pilot.press(key)
        assert session.sent == [command]
        assert words in log_of(app)


async def test_p_pauses_and_goes_on():
    session = FakeSession(training())
    app = app_on(session)
    async with app.run_test(size=(80, 24)) as pilot:
        # The bottom line is drawn a turn after the screen.
        await look(app, pilot)
        await pilot.pause()
        assert "p pause" in text_of(app)
        session.change(phase=Phase.PAUSED)
        await look(app, pilot)
        await pilot.pause()
        assert "Paused at step 871,204." in text_of(app)
        assert "p go on" in text_of(app).splitlines()[-1]
        await pilot.press("p")
        assert session.sent == [GoOn()]


async def test_e_changes_the_sentence_that_auditions_speak():
    session = FakeSession(training())
    app = app_on(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("e")
        assert "Two birds sat on the old wall." in text_of(app)
        await pilot.press("backspace", *"now", "enter")
        assert session.sent == [SetSentence("Two birds sat on the old wallnow")]


async def test_an_empty_sentence_is_refused_in_the_dialog():
    session = FakeSession(training(sentence="a"))
    app = app_on(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("e", "backspace", "enter")
        assert "there is nothing to speak" in text_of(app)
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
async def test_the_stop_dialog_says_what_an_answer_means_and_sends_it(said, meaning):
    session = FakeSession(training(stop=None))
    app = app_on(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("s")
        assert "no stop: it trains until you say so" in text_of(app)
        app.screen.query_one("Input").value = said
        await pilot.pause()
        assert meaning in text_of(app)
        await pilot.press("enter")
        assert session.sent == [StopAt(parse_stop(said))]
        assert f"stop asked for: {said}" in log_of(app)


@pytest.mark.parametrize(
    ("said", "trouble"),
    [
        ("soon", "cannot read 'soon' as a time to stop"),
        ("860k", "the voice stands at 871,204 already"),
        ("$0.10", "$0.65 is spent already"),
    ],
)
async def test_the_stop_dialog_says_in_place_why_an_answer_cannot_be_taken(said, trouble):
    session = FakeSession(training(stop=None))
    app = app_on(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("s")
        app.screen.query_one("Input").value = said
        await pilot.press("enter")
        words = " ".join(text_of(app).replace("│", " ").split())
        assert trouble in words
        assert session.sent == []
        await pilot.press("escape")
        assert app.screen is app.supervision


async def test_the_stop_dialog_opens_with_the_present_stop_and_empties_to_no_stop():
    session = FakeSession(training())
    app = app_on(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("s")
        assert app.screen.query_one("Input").value == "900,000"
        await pilot.press("enter")
        assert session.sent == []
        await pilot.press("s", "backspace", "enter")
        assert session.sent == [StopAt(None)]


async def test_left_and_right_turn_the_attention_plots_back_and_forth():
    app = app_on(FakeSession(training()))
    async with app.run_test(size=(80, 24)) as pilot:
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
        (preparing(), "c", "the network is still being prepared"),
        (preparing(), "s", "the network is still being prepared"),
        (preparing(), "r", "there is no sample yet; a makes one"),
        (training(auditioning=True), "a", "the sample before is still being spoken"),
        (training(attention=()), "left", "there is no other attention plot yet"),
        (training(phase=Phase.AT_STOP), "p", "the stop is reached; s sets a later one"),
        (training(checkpoint_step=871_204), "c", "step 871,204 is saved already"),
        (training(), "o", "only samples of SSRN have a recording beside them"),
    ],
)
async def test_a_key_that_does_nothing_now_says_why(snapshot, key, why):
    session = FakeSession(snapshot)
    app = app_on(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(key)
        assert why in log_of(app)
        assert session.sent == []
        assert app.screen is app.supervision


async def test_after_a_failure_only_leaving_is_left():
    session = FakeSession(training())
    app = app_on(session)
    async with app.run_test(size=(80, 24)) as pilot:
        session.change(phase=Phase.FAILED, failure="out of memory")
        await look(app, pilot)
        await pilot.press("s", "a", "c", "p", "e")
        assert session.sent == []
        assert app.screen is app.supervision
        assert "stop at: the engine has ended; only q is left" in log_of(app)
        await pilot.press("q")
    assert app.return_value is ExitReason.ENDED


async def test_help_lists_every_key_of_the_bottom_line_and_says_which_rest():
    app = app_on(FakeSession(training(samples=())))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("question_mark")
        seen = text_of(app)
        for binding in app.supervision._bindings.key_to_bindings.values():
            tooltip = binding[0].tooltip
            if tooltip and binding[0].action not in ("go_on", "dismiss_warning"):
                assert tooltip in seen
        assert "not now: there is no sample yet" in seen
        await pilot.press("escape", "f1")
        assert "Speak the sentence" in text_of(app)


async def test_the_palette_finds_every_key():
    session = FakeSession(training())
    app = app_on(session)
    async with app.run_test(size=(80, 24)) as pilot:
        names = {command.title for command in app.get_system_commands(app.screen)}
        assert {"Audition", "Stop at", "Checkpoint", "Pause", "Replay", "Quit", "Theme"} <= names
        await pilot.press("ctrl+p", *"checkpoint")
        await app.workers.wait_for_complete()
        await pilot.pause()
        await pilot.press("enter")
        await pilot.press("enter")
        await pilot.pause()
        assert session.sent == [SaveCheckpoint()]
