"""How the screen closes, and what becomes of the run."""

import pytest
from fake_session import preparing, training
from seeing import opened
from textual import events

from engine.run.commands import Finish, SaveCheckpoint, SetSentences
from engine.run.snapshot import Phase
from engine.run.stop import StopAt, parse_stop

AT_STOP = {"phase": Phase.AT_STOP, "checkpoint_step": 871_204}
PAUSED = {"phase": Phase.PAUSED}
STOPS, KEEPS = ([Finish()], "end"), ([], "keep training")


@pytest.mark.slow
@pytest.mark.parametrize("attached", [False, True])
async def test_leaving_says_what_becomes_of_run_and_money(attached):
    costs = "the machine still costs $0.99/h"
    asked = [
        ({}, "training continues $0.99/h until its stop ($0.69 in all)"),
        ({"stop": None, "stop_text": ""}, "$0.99/h until you stop it"),
        ({"budget": 0.66}, "$0.99/h until its budget ($0.66 in all)"),
        ({"price": 0.0}, "leave; training continues s save and end the run"),
        ({}, f"s save and end the run {costs}"),
        ({"screens": 2}, "end the run, for everyone"),
        (PAUSED, "leave; the pause ends, it trains on $0.99/h"),
        (PAUSED | {"screens": 3}, f"esc stay here k leave it paused {costs}"),
        (PAUSED | {"screens": 3}, "The last to leave ends"),
        (AT_STOP | {"screens": 2}, f"leave it to the others {costs}"),
        ({"phase": Phase.AT_STOP}, f"leave; it saves and ends {costs}"),
        ({"phase": Phase.PREPARING}, "end the run before its first step"),
    ]  # fmt: skip
    async with opened(training(screens=1), attached=attached, size=(53, 20)) as run:
        for fields, words in asked:
            await run.show(training(**{"screens": 1} | fields))
            await run.press("q")
            inside = [line.split("│")[1] for line in run.lines if line.count("│") == 2]
            question = " ".join(" ".join(inside).split())
            assert words in question
            assert question.index("esc stay here") < question.index("k leave")
            # Enter takes what is marked, and that changes nothing.
            assert "> esc  stay here" in run.text
            await run.press("enter")
            assert run.at_home
    assert (run.sent, run.reason) == ([], None)


@pytest.mark.slow
async def test_a_dialog_follows_the_run_and_closes_at_its_end():
    async with opened(training(screens=1)) as run:
        await run.press("q")
        await run.change(phase=Phase.PAUSED)
        assert "The run is paused" in run.text
        assert "the pause ends" in run.text
        for keys in ("q", "s", "e"):
            await run.show(training(screens=1))
            await run.press(keys)
            await run.change(phase=Phase.FAILED, failure="the disk is gone")
            assert run.at_home
            assert "the disk is gone" in run.text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fields", "options", "keys", "ends"),
    [
        ({}, {}, ["ctrl+c", "down", "down", "enter"], STOPS),
        ({}, {}, ["ctrl+q", "s"], STOPS),
        ({}, {}, "qk", KEEPS),
        ({}, {"attached": True}, ["q", "down", "enter"], KEEPS),
        ({}, {"attached": True}, "qs", STOPS),
        # All is saved, or nothing can be asked for.
        (AT_STOP, {}, "q", STOPS),
        (PAUSED, {"attached": True, "reading": True}, "q", KEEPS),
    ],
)  # fmt: skip
async def test_an_answer_closes_the_screen(fields, options, keys, ends):
    async with opened(training(**{"screens": 1} | fields), **options) as run:
        await run.press(*keys)
    assert (run.sent, run.reason) == ends


@pytest.mark.slow
async def test_what_cannot_be_saved_is_said_and_can_be_tried_again():
    why = "The checkpoint needs 8 MB, but 4 MB are free; free 4 MB there."
    async with opened(training(saving_trouble=why, checkpoint_step=870_896)) as run:
        await run.press("q")
        asked = str(run.app.screen.query_one("Static").content)
        assert "308 steps cannot be saved: The checkpoint needs 8 MB" in asked
        assert "free 4 MB there; otherwise lost" in asked
        await run.press("escape")
        await run.show(training(phase=Phase.AT_STOP))
        assert "Stopped at 871,204, not saved" in run.text
        await run.press("q")
        assert "Step 871,204 could not be saved" in run.text
        await run.press("escape", "c")
        assert run.sent == [SaveCheckpoint()]
        assert run.at_home


@pytest.mark.slow
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
    assert run.reason == "end"


@pytest.mark.slow
async def test_keys_before_a_dialog_is_gone_end_no_screen():
    async with opened(training()) as run:
        for opens, closes in (
            *(("s", "enter"), ("e", "ctrl+s"), ("q", "escape")),
            *(("question_mark", "escape"), ("s", "escape")),
        ):
            await run.press(opens)
            dialog = run.app.screen
            assert not run.at_home
            # As a terminal hands them over: both at once.
            for _ in range(3):
                run.app.post_message(events.Key(closes, None))
            await run.pause()
            assert dialog not in run.app.screen_stack
            assert run.at_home
    assert run.reason is None


@pytest.mark.slow
async def test_keys_before_the_palette_is_ready_end_no_screen():
    async with opened(training()) as run:
        for keys in [("escape", "escape", "escape"), ("pagedown", "escape")] * 3:
            run.app.action_command_palette()
            for key in keys:
                run.app.post_message(events.Key(key, None))
            await run.pause()
            await run.pause()
        assert run.at_home
    assert run.reason is None


@pytest.mark.slow
async def test_pages_of_a_list_without_room_are_not_turned():
    async with opened(training(), size=(20, 4)) as run:
        for opens in ("q", "ctrl+p"):
            await run.press(opens, "pagedown", "pageup", "pagedown")
            assert not run.at_home
            await run.press("escape")
    assert run.reason is None


@pytest.mark.slow
async def test_what_is_typed_ahead_of_a_dialog_is_not_lost():
    async with opened(training(stop=None)) as run:
        for opens, saves in (("s", "enter"), ("e", "ctrl+s")):
            for key in (opens, "end", *"900k", saves):
                run.app.post_message(events.Key(key, key if len(key) == 1 else None))
            await run.until(lambda opens=opens: len(run.sent) == "se".index(opens) + 1)
            assert run.at_home
        sentence = SetSentences(("Two birds sat on the old wall.900k",))
        assert run.sent == [StopAt(parse_stop("900k")), sentence]


@pytest.mark.slow
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


@pytest.mark.slow
async def test_what_ctrl_q_closed_closes_nothing_else():
    async with opened(training()) as run:
        for opens in ("ctrl+p", "s"):
            await run.press(opens)
            above = run.app.screen
            await run.press("ctrl+q")
            await run.until(lambda above=above: above not in run.app.screen_stack)
            question = run.app.screen
            above.dismiss(None)
            await run.pause()
            assert run.app.screen is question
            assert not run.at_home
            await run.press("escape")
            above.dismiss(None)
            assert run.at_home
    assert run.reason is None
