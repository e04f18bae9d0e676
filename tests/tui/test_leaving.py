"""How the screen closes, and what becomes of the run."""

import pytest
from fake_session import FakeSession, preparing, training
from seeing import app_on, look, opened, text_of
from textual import events

from engine.run.commands import Finish, SaveCheckpoint, SetSentence, StopAt
from engine.run.snapshot import Phase
from engine.run.stop import parse_stop
from tui.process.endings import ExitReason


async def until(pilot, true) -> None:
    """Return as soon as something is so; fail when it does not come to be."""
    for _ in range(3000):
        if true():
            return
        await pilot.pause(0.01)
    pytest.fail("waited in vain")


@pytest.mark.parametrize("keys", [("q", "s"), ("q", "enter"), ("ctrl+c", "s"), ("ctrl+q", "s")])
async def test_stop_and_save_finishes_the_run_and_closes(keys):
    async with opened(training()) as (app, session, pilot):
        await pilot.press(*keys)
    assert session.sent == [Finish()]
    assert app.return_value is ExitReason.QUIT


async def test_keep_training_closes_the_screen_alone():
    async with opened(training()) as (app, session, pilot):
        await pilot.press("q", "k")
    assert session.sent == []
    assert app.return_value is ExitReason.KEEP_TRAINING


async def test_quitting_says_what_a_full_disk_loses():
    why = "The checkpoint needs 8 MB, but 4 MB are free; free 4 MB there."
    async with opened(training(saving_trouble=why, checkpoint_step=870_896)) as (
        app,
        _session,
        pilot,
    ):
        await pilot.press("q")
        said = str(app.screen.query_one("Static").content)
        assert "308 steps cannot be saved: The checkpoint needs 8 MB" in said
        assert "free 4 MB there; otherwise lost" in said


@pytest.mark.parametrize("attached", [False, True])
async def test_leaving_a_pause_alone_says_that_it_ends(attached):
    async with opened(training(phase=Phase.PAUSED, screens=1), attached=attached) as (
        app,
        session,
        pilot,
    ):
        await pilot.press("q")
        assert "end the pause and keep training" in text_of(app)
        await pilot.press("k")
    # Whoever leaves last is known where the screens are counted, and not here.
    assert session.sent == []
    assert app.return_value is ExitReason.KEEP_TRAINING


async def test_escape_stays():
    async with opened(training()) as (app, session, pilot):
        await pilot.press("q")
        assert "The run is training at step 871,204." in text_of(app)
        await pilot.press("escape")
        assert app.screen is app.run_screen
        await pilot.press("q", "down", "down", "enter")
        assert app.screen is app.run_screen
    assert session.sent == []


async def test_at_the_stop_nothing_is_asked_because_all_is_saved():
    async with opened(training(phase=Phase.AT_STOP, checkpoint_step=871_204)) as (
        app,
        session,
        pilot,
    ):
        await pilot.press("q")
    assert session.sent == [Finish()]
    assert app.return_value is ExitReason.QUIT


async def test_a_stop_that_could_not_be_saved_can_be_saved_again():
    async with opened(training(phase=Phase.AT_STOP)) as (app, session, pilot):
        await pilot.pause()
        assert "Stopped at 871,204, not saved" in text_of(app)
        await pilot.press("q")
        assert "Step 871,204 could not be saved" in text_of(app)
        await pilot.press("escape", "c")
        assert session.sent == [SaveCheckpoint()]
        assert app.screen is app.run_screen


async def test_the_end_of_the_run_closes_the_screen():
    async with opened(training()) as (app, session, pilot):
        session.change(phase=Phase.STOPPED)
        await look(app, pilot)
    assert app.return_value is ExitReason.ENDED


async def test_a_run_that_never_started_closes_the_screen():
    async with opened(preparing()) as (app, session, pilot):
        session.change(phase=Phase.FAILED, failure="no recording can be used")
        await look(app, pilot)
    assert app.return_value is ExitReason.ENDED


async def test_an_attached_screen_leaves_the_run_alone_unless_asked():
    for keys, sent, reason in (
        (("q", "enter"), [], ExitReason.KEEP_TRAINING),
        (("q", "k"), [], ExitReason.KEEP_TRAINING),
        (("q", "s"), [Finish()], ExitReason.QUIT),
    ):
        session = FakeSession(training(screens=1), attached=True)
        app = app_on(session)
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.press(*keys)
        assert session.sent == sent
        assert app.return_value is reason


async def test_other_screens_are_named_and_keep_their_pause():
    async with opened(training(phase=Phase.PAUSED, screens=3), attached=True) as (
        app,
        session,
        pilot,
    ):
        await pilot.press("q")
        question = " ".join(text_of(app).replace("│", " ").split())
        assert "2 other screens are open on it." in question
        assert "stop and save (ends the run for everyone)" in text_of(app)
        assert "The last to leave ends the pause." in text_of(app)
        await pilot.press("k")
    assert session.sent == []
    assert app.return_value is ExitReason.KEEP_TRAINING


@pytest.mark.parametrize("attached", [False, True])
async def test_at_the_stop_others_are_asked_about(attached):
    async with opened(
        training(phase=Phase.AT_STOP, checkpoint_step=871_204, screens=2), attached=attached
    ) as (app, session, pilot):
        await pilot.press("q")
        assert "Stopped at 871,204, saved." in text_of(app)
        await pilot.press("k")
    assert session.sent == []
    assert app.return_value is ExitReason.KEEP_TRAINING


@pytest.mark.parametrize(
    ("opens", "closes"),
    [("s", "enter"), ("e", "enter"), ("q", "escape"), ("question_mark", "escape"), ("s", "escape")],
)
async def test_keys_before_a_dialog_is_gone_end_no_screen(opens, closes):
    async with opened(training()) as (app, _, pilot):
        await pilot.press(opens)
        dialog = app.screen
        assert dialog is not app.run_screen
        # As a terminal hands them over: both at once.
        for _ in range(3):
            app.post_message(events.Key(closes, None))
        await pilot.pause()
        assert dialog not in app.screen_stack
        await pilot.press(opens)
        assert app.screen is not app.run_screen
    assert app.return_value is None


async def test_a_screen_that_only_reads_is_left_at_once():
    async with opened(training(phase=Phase.PAUSED), attached=True, reading=True) as (
        app,
        session,
        pilot,
    ):
        await pilot.press("q")
    assert session.sent == []
    assert app.return_value is ExitReason.KEEP_TRAINING


@pytest.mark.parametrize("keys", [("escape", "escape", "escape"), ("pagedown", "escape")])
async def test_keys_before_the_palette_is_ready_end_no_screen(keys):
    async with opened(training()) as (app, _, pilot):
        for _ in range(5):
            app.action_command_palette()
            for key in keys:
                app.post_message(events.Key(key, None))
            await pilot.pause()
            await pilot.pause()
        assert app.screen is app.run_screen
    assert app.return_value is None


@pytest.mark.parametrize("opens", ["q", "ctrl+p"])
async def test_pages_of_a_list_without_room_are_not_turned(opens):
    async with opened(training(), size=(20, 4)) as (app, _, pilot):
        await pilot.press(opens, "pagedown", "pageup", "pagedown")
        assert app.screen is not app.run_screen
        await pilot.press("escape")
    assert app.return_value is None


@pytest.mark.parametrize(("opens", "before"), [("s", ""), ("e", "Two birds sat on the old wall.")])
async def test_what_is_typed_ahead_of_a_dialog_is_not_lost(opens, before):
    async with opened(training(stop=None)) as (app, session, pilot):
        await pilot.pause()
        for key in (opens, "end", *"900k", "enter"):
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: session.sent)
        assert app.screen is app.run_screen
    [asked] = session.sent
    assert asked in (StopAt(parse_stop("900k")), SetSentence(f"{before}900k"))


async def test_a_key_that_is_lost_on_its_way_holds_up_no_other():
    async with opened(training()) as (app, _, pilot):
        await pilot.pause()
        await pilot.press("s")
        await until(pilot, lambda: app.screen.takes_keys)
        field = app.focused
        # What has focus goes away with the key that it was handed.
        field.post_message(events.Callback(callback=field.remove))
        app.post_message(events.Key("1", "1"))
        app.post_message(events.Key("escape", None))
        await until(pilot, lambda: app.screen is app.run_screen)


@pytest.mark.parametrize("opens", ["ctrl+p", "s"])
async def test_what_ctrl_q_closed_closes_nothing_else(opens):
    async with opened(training()) as (app, _, pilot):
        await pilot.press(opens)
        above = app.screen
        await pilot.press("ctrl+q")
        await until(pilot, lambda: above not in app.screen_stack)
        question = app.screen
        above.dismiss(None)
        await pilot.pause()
        assert app.screen is question
        assert question is not app.run_screen
        await pilot.press("escape")
        above.dismiss(None)
        assert app.screen is app.run_screen
    assert app.return_value is None
