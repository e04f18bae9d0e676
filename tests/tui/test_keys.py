"""What the keys ask of the run."""

import pytest
from check_reports import BROKEN
from fake_session import preparing, training
from seeing import opened

from engine.run.commands import (
    Audition,
    Continue,
    Pause,
    PlotAttention,
    SaveCheckpoint,
    SetSentence,
)
from engine.run.snapshot import Phase
from tui.keys import KEYS, Moment
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
    async with opened(training()) as run:
        await run.press(key)
        assert run.sent == [command]
        assert words in run.log


async def test_p_pauses_and_goes_on():
    async with opened(training()) as run:
        assert "p pause" in run.lines[-1]
        await run.change(phase=Phase.PAUSED)
        assert "Paused at 871,204;" in run.text
        assert "p resume" in run.lines[-1]
        await run.press("p")
        assert run.sent == [Continue()]


async def test_e_changes_the_sentence_that_auditions_speak():
    async with opened(training()) as run:
        await run.press("e")
        assert "Two birds sat on the old wall." in run.text
        await run.press("backspace", *"now", "enter")
        assert run.sent == [SetSentence("Two birds sat on the old wallnow")]


async def test_an_empty_sentence_is_refused_in_the_dialog():
    async with opened(training(sentence="a")) as run:
        await run.press("e", "backspace", "enter")
        assert "empty: write a sentence" in run.text
        await run.press("escape")
        assert run.sent == []


async def test_left_and_right_turn_the_attention_plots_back_and_forth():
    async with opened(training()) as run:
        for keys, step in ((["left"], "865k"), (["left"] * 3, "855k"), (["right"] * 3, "871k")):
            await run.press(*keys)
            await run.pause()
            assert f"attention · {step}" in run.text
            assert ("2 of 3" in run.text) is (step == "865k")


@pytest.mark.parametrize(
    ("snapshot", "key", "why"),
    [
        (preparing(), "c", "training is still being prepared"),
        (preparing(), "r", "there is no sample yet; a makes one"),
        (training(auditioning=True), "a", "the previous sample is still being spoken"),
        (training(attention=()), "left", "there is only one attention plot"),
        (training(phase=Phase.AT_STOP), "p", "the run is at its stop; s sets a later one"),
        (training(checkpoint_step=871_204), "c", "step 871,204 is already saved"),
        (training(), "o", "only SSRN samples have an original recording"),
    ],
)
async def test_a_key_that_does_nothing_now_says_why(snapshot, key, why):
    async with opened(snapshot) as run:
        await run.press(key)
        assert why in run.log
        assert run.sent == []
        assert run.at_home


async def test_after_a_failure_only_leaving_is_left():
    async with opened(training()) as run:
        await run.change(phase=Phase.FAILED, failure="out of memory")
        await run.press("s", "a", "c", "p", "e")
        assert run.sent == []
        assert run.at_home
        assert "stop at: the engine has ended; only q works" in run.log
        await run.press("q")
    assert run.reason is ExitReason.ENDED


async def test_help_lists_every_key_and_why_some_are_disabled():
    async with opened(training(samples=()), size=(120, 40)) as run:
        await run.press("question_mark")
        moment = Moment(training())
        for key in KEYS:
            assert (key.words(moment) in run.text) is not key.is_absent(moment)
        assert "q ^c  Stop and save" in run.text
        assert "not now: there is no sample yet" in run.text
        assert "The held-out loss is that of the averaged (EMA) weights" in run.text
        await run.press("escape", "f1")
        assert "Speak the sentence" in run.text


@pytest.mark.parametrize(
    ("snapshot", "words"),
    [
        (training(network="ssrn"), "a  Play a held-out recording as the current SSRN rebuilds it"),
        (preparing(phase=Phase.CHECKED, check=BROKEN), "q ^c  Stop before training, or train"),
    ],
    ids=["ssrn", "check"],
)
async def test_help_says_what_a_key_does_here(snapshot, words):
    async with opened(snapshot) as run:
        await run.press("question_mark")
        assert words in run.text


async def test_the_palette_finds_every_key():
    async with opened(training()) as run:
        names = {command.title for command in run.app.get_system_commands(run.app.screen)}
        assert {"Audition", "Stop at", "Checkpoint", "Pause", "Replay", "Quit", "Theme"} <= names
        await run.press("ctrl+p", *"checkpoint")
        await run.app.workers.wait_for_complete()
        await run.pause()
        await run.press("enter", "enter")
        await run.pause()
        assert run.sent == [SaveCheckpoint()]
