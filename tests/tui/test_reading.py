"""A read-only screen: it shows everything, and asks the run for nothing."""

import pytest
from fake_session import training
from seeing import opened

from engine.run.snapshot import Phase
from tui.keys import CHECK_KEYS, KEYS
from tui.widgets.notice import phase_words, used_up_words

STEERING = ("a", "s", "c", "p", "e", "A")


@pytest.mark.slow
async def test_keys_that_steer_are_refused_and_those_that_read_work():
    async with opened(training(), attached=True, reading=True) as run:
        assert "read-only" in run.text
        bottom = run.lines[-1]
        assert "q quit" in bottom
        assert "? help" in bottom
        for words in ("audition", "stop at", "checkpoint", "pause", "sentence"):
            assert words not in bottom
        for key in STEERING:
            await run.press(key)
            assert run.at_home
        assert run.log.count("this screen is read-only") == len(STEERING)
        await run.press("left")
        assert "865k" in run.text
        await run.press("r")
        assert run.played
        await run.press("question_mark")
        await run.resize((80, 60))
        text = run.text
        assert "Play the selected sample" in text
        assert "Save a checkpoint" not in text
        assert "Close this screen; the run continues" in text
        assert "Suspend this screen" in text
        assert "keys that change the run are left" in text
    assert run.sent == []


def test_every_key_that_asks_the_run_for_something_steers():
    asking = {"audition", "stop_at", "checkpoint", "pause", "go_on", "sentence", "draw_attention"}
    assert {key.action for key in KEYS if key.steers} == asking | {"compare", "mark", "train_next"}
    answers = {"begin", "clean", "hold", "leave_out", "take_in"}
    assert {key.action for key in CHECK_KEYS if key.steers} == answers


@pytest.mark.parametrize(
    "fields",
    [
        {"phase": Phase.PAUSED},
        {"phase": Phase.AT_STOP, "checkpoint_step": 871_204},
        {"phase": Phase.AT_STOP},
        {"phase": Phase.CHECKED, "seconds_to_start": 20},
        {"phase": Phase.CHECKED},
        {"phase": Phase.FAILED, "failure": "the disk is full"},
        {"budget": 0.5},
    ],
    ids=str,
)
def test_notices_name_no_key_that_steers(fields):
    snapshot = training(**fields)
    for words in (phase_words, used_up_words):
        content = words(snapshot, reading=True)
        styled = {content.plain[span.start : span.end] for span in content.spans}
        assert not styled & {"a", "s", "c", "p", "h", "enter"}
        with_keys = words(snapshot)
        assert len(with_keys.plain) >= len(content.plain)
