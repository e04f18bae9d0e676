"""How the screen closes, and what becomes of the run."""

import pytest
from fake_session import preparing, training
from seeing import opened
from textual import events

from engine.run.commands import Finish, SaveCheckpoint, SetSentence
from engine.run.snapshot import Phase
from engine.run.stop import StopAt, parse_stop
from tui.process.endings import ExitReason

AT_STOP = {"phase": Phase.AT_STOP, "checkpoint_step": 871_204}
PAUSED = {"phase": Phase.PAUSED}
STOPS, KEEPS = ([Finish()], ExitReason.QUIT), ([], ExitReason.KEEP_TRAINING)


@pytest.mark.parametrize(
    ("fields", "options", "asked", "keys", "ends"),
    [
        ({}, {}, "The run is training at step 871,204.", "qs", STOPS),
        ({}, {}, "stop and save", ["ctrl+c", "enter"], STOPS),
        ({}, {}, "stop and save", ["ctrl+q", "s"], STOPS),
        ({}, {}, "keep training without the screen", "qk", KEEPS),
        ({}, {"attached": True}, "leave it running", ["q", "enter"], KEEPS),
        ({}, {"attached": True}, "stop and save", "qs", STOPS),
        # Whoever leaves last is known where the screens are counted, and not here.
        (PAUSED, {"attached": True}, "end the pause and keep training", "qk", KEEPS),
        (PAUSED | {"screens": 3}, {"attached": True}, "2 other screens are open", "qk", KEEPS),
        (PAUSED | {"screens": 3}, {}, "The last to leave ends the pause.", "qk", KEEPS),
        ({"screens": 2}, {"attached": True}, "(ends the run for everyone)", "qs", STOPS),
        (AT_STOP | {"screens": 2}, {}, "leave it to the others", "qk", KEEPS),
        # All is saved, or nothing can be asked for.
        (AT_STOP, {}, "", "q", STOPS),
        (PAUSED, {"attached": True, "reading": True}, "", "q", KEEPS),
    ],
)  # fmt: skip
async def test_leaving_says_what_becomes_of_the_run(fields, options, asked, keys, ends):
    async with opened(training(**{"screens": 1} | fields), **options) as run:
        await run.press(keys[0])
        assert asked in run.words
        await run.press(*keys[1:])
    assert (run.sent, run.reason) == ends


async def test_quitting_says_what_a_full_disk_loses():
    why = "The checkpoint needs 8 MB, but 4 MB are free; free 4 MB there."
    async with opened(training(saving_trouble=why, checkpoint_step=870_896)) as run:
        await run.press("q")
        asked = str(run.app.screen.query_one("Static").content)
        assert "308 steps cannot be saved: The checkpoint needs 8 MB" in asked
        assert "free 4 MB there; otherwise lost" in asked


async def test_escape_stays():
    async with opened(training()) as run:
        for keys in (["q", "escape"], ["q", "down", "down", "enter"]):
            await run.press(*keys)
            assert run.at_home
    assert run.sent == []


async def test_a_stop_that_could_not_be_saved_can_be_saved_again():
    async with opened(training(phase=Phase.AT_STOP)) as run:
        assert "Stopped at 871,204, not saved" in run.text
        await run.press("q")
        assert "Step 871,204 could not be saved" in run.text
        await run.press("escape", "c")
        assert run.sent == [SaveCheckpoint()]
        assert run.at_home


@pytest.mark.parametrize(
    ("begins", "ends"),
    [
        (training, {"phase": Phase.STOPPED}),
        (preparing, {"phase": Phase.FAILED, "failure": "no recording can be used"}),
    ],
)
async def test_the_end_of_the_run_closes_the_screen(begins, ends):
    async with opened(begins()) as run:
        await run.press("e")  # a dialog does not hold it
        await run.change(**ends)
    assert run.reason is ExitReason.ENDED


@pytest.mark.slow
@pytest.mark.parametrize(
    ("opens", "closes"),
    [("s", "enter"), ("e", "enter"), ("q", "escape"), ("question_mark", "escape"), ("s", "escape")],
)
async def test_keys_before_a_dialog_is_gone_end_no_screen(opens, closes):
    async with opened(training()) as run:
        await run.press(opens)
        dialog = run.app.screen
        assert not run.at_home
        # As a terminal hands them over: both at once.
        for _ in range(3):
            run.app.post_message(events.Key(closes, None))
        await run.pause()
        assert dialog not in run.app.screen_stack
        await run.press(opens)
        assert not run.at_home
    assert run.reason is None


@pytest.mark.slow
@pytest.mark.parametrize("keys", [("escape", "escape", "escape"), ("pagedown", "escape")])
async def test_keys_before_the_palette_is_ready_end_no_screen(keys):
    async with opened(training()) as run:
        for _ in range(5):
            run.app.action_command_palette()
            for key in keys:
                run.app.post_message(events.Key(key, None))
            await run.pause()
            await run.pause()
        assert run.at_home
    assert run.reason is None


@pytest.mark.parametrize("opens", ["q", "ctrl+p"])
async def test_pages_of_a_list_without_room_are_not_turned(opens):
    async with opened(training(), size=(20, 4)) as run:
        await run.press(opens, "pagedown", "pageup", "pagedown")
        assert not run.at_home
        await run.press("escape")
    assert run.reason is None


@pytest.mark.parametrize(
    ("opens", "asks"),
    [
        ("s", StopAt(parse_stop("900k"))),
        ("e", SetSentence("Two birds sat on the old wall.900k")),
    ],
)
async def test_what_is_typed_ahead_of_a_dialog_is_not_lost(opens, asks):
    async with opened(training(stop=None)) as run:
        for key in (opens, "end", *"900k", "enter"):
            run.app.post_message(events.Key(key, key if len(key) == 1 else None))
        await run.until(lambda: run.sent)
        assert run.at_home
        assert run.sent == [asks]


async def test_a_key_that_is_lost_on_its_way_holds_up_no_other():
    async with opened(training()) as run:
        await run.press("s")
        await run.until(lambda: run.app.screen.takes_keys)
        field = run.app.focused
        # What has focus goes away with the key that it was handed.
        field.post_message(events.Callback(callback=field.remove))
        run.app.post_message(events.Key("1", "1"))
        run.app.post_message(events.Key("escape", None))
        await run.until(lambda: run.at_home)


@pytest.mark.parametrize("opens", ["ctrl+p", "s"])
async def test_what_ctrl_q_closed_closes_nothing_else(opens):
    async with opened(training()) as run:
        await run.press(opens)
        above = run.app.screen
        await run.press("ctrl+q")
        await run.until(lambda: above not in run.app.screen_stack)
        question = run.app.screen
        above.dismiss(None)
        await run.pause()
        assert run.app.screen is question
        assert not run.at_home
        await run.press("escape")
        above.dismiss(None)
        assert run.at_home
    assert run.reason is None
