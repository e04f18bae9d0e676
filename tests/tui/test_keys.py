"""What the keys ask of the run."""

import asyncio

import pytest
from check_reports import BROKEN
from fake_session import SENTENCE, judged, preparing, training
from seeing import opened

from engine.run.commands import (
    Audition,
    Continue,
    Pause,
    PlotAttention,
    SaveCheckpoint,
    SetSentences,
)
from engine.run.snapshot import Phase
from tui.keys import KEYS, Moment


@pytest.mark.slow
async def test_a_key_sends_a_command_and_confirms_it():
    async with opened(training()) as run:
        assert "p pause" in run.lines[-1]
        await run.press("a", "c", "p", "A")
        assert run.sent == [Audition(SENTENCE), SaveCheckpoint(), Pause(), PlotAttention()]
        assert "audition requested at step 871,204" in run.log
        for words in ("checkpoint", "pause", "attention plot"):
            assert f"{words} requested" in run.log
        await run.change(phase=Phase.PAUSED)
        assert "Paused at 871,204;" in run.text
        assert "p resume" in run.lines[-1]
        await run.press("p")
        assert run.sent[4:] == [Continue()]


@pytest.mark.slow
async def test_e_changes_the_sentence_that_auditions_speak():
    async with opened(training(sentences=("a",))) as run:
        await run.press("e", "backspace", "ctrl+s")
        assert "empty: write a sentence" in run.text
        await run.press("escape", "e", *"n old wall", "ctrl+s")
        assert run.sent == [SetSentences(("an old wall",))]


@pytest.mark.slow
async def test_left_and_right_turn_the_attention_plots_back_and_forth():
    async with opened(training()) as run:
        for keys, step in ((["left"], "865k"), (["left"] * 3, "855k"), (["right"] * 3, "871k")):
            await run.press(*keys)
            await run.pause()
            assert f"attention · {step}" in run.text
            assert ("2 of 3" in run.text) is (step == "865k")


@pytest.mark.slow
async def test_z_zooms_the_loss_and_back():
    async with opened(training()) as run:
        for title in ("loss · last half", "loss · last 1,000 steps", "loss · best • 0.0960"):
            await run.press("z")
            await run.pause()
            assert title in run.text


@pytest.mark.slow
async def test_a_key_that_does_nothing_now_says_why():
    async with opened(preparing()) as run:
        for snapshot, key, why in (
            (preparing(), "c", "training is still being prepared"),
            (preparing(), "r", "there is no sample yet; a makes one"),
            (training(attention=()), "left", "there is no attention plot yet"),
            (training(phase=Phase.AT_STOP), "p", "the run is at its stop; s sets a later one"),
            (training(checkpoint_step=871_204), "c", "step 871,204 is already saved"),
            (training(), "o", "only samples of a held-out recording have an original"),
            (
                training(network="ssrn"),
                "e",
                "SSRN auditions rebuild a held-out recording; Text2Mel",
            ),
        ):
            await run.show(snapshot)
            await run.press(key)
            assert why in f"{run.log} {run.notes}"
            assert run.at_home
        assert run.sent == []


@pytest.mark.slow
async def test_a_failure_stays_in_words_and_only_leaving_is_left():
    async with opened(training()) as run:
        failure = "no space left on [/data]; free some [bold]now"
        await run.change(phase=Phase.FAILED, failure=failure)
        assert failure in run.text
        assert "Saved up to step 871,000" in run.words
        await run.press("s", "a", "c", "p", "e")
        assert run.sent == []
        assert run.at_home
        assert "stop at: the engine has ended; only q works" in run.log
        await run.press("q")
    assert run.reason == "end"


@pytest.mark.slow
async def test_help_lists_every_key_and_why_some_are_disabled():
    async with opened(training(samples=()), size=(120, 60)) as run:
        await run.press("question_mark")
        moment = Moment(training())
        for key in KEYS:
            assert (key.words(moment) in run.text) is not key.is_absent(moment)
        assert "q ^c  Leave while training continues, or save" in run.text
        assert "not now: there is no sample yet" in run.text
        assert "The held-out loss is that of the averaged (EMA) weights" in run.text
        await run.press("escape", "f1")
        assert "Speak the sentence" in run.text


@pytest.mark.slow
async def test_help_says_what_a_key_does_here():
    async with opened(training(), size=(120, 40)) as run:
        assert "e sentences" in run.lines[-1]
    async with opened(training(network="ssrn"), size=(120, 40)) as run:
        assert "e sentences" not in run.lines[-1]
        await run.press("question_mark")
        assert "a  Play a held-out recording as the current SSRN rebuilds it" in run.text
        await run.press("escape")
        await run.show(preparing(phase=Phase.CHECKED, check=BROKEN))
        await run.press("question_mark")
        assert "q ^c  Leave while it trains, or end the run before" in run.text


@pytest.mark.slow
async def test_the_palette_finds_every_key():
    async with opened(training()) as run:
        names = {command.title for command in run.app.get_system_commands(run.app.screen)}
        assert {"Audition", "Stop at", "Checkpoint", "Pause", "Replay", "Quit", "Theme"} <= names
        await run.press("ctrl+p", *"checkpoint")
        await run.app.workers.wait_for_complete()
        await run.pause()
        # The first selects what was found, the second does it.
        await run.press("enter")
        if not run.at_home:
            await run.press("enter")
        await run.pause()
        assert run.sent == [SaveCheckpoint()]


@pytest.mark.slow
@pytest.mark.parametrize("key", ["s", "e", "q", "v", "w", "k", "b", "n", "question_mark"])
async def test_the_run_is_followed_while_a_screen_opens_and_closes(key):
    async with opened(judged(check=BROKEN)) as run:
        for pressed in (key, "escape"):
            press = asyncio.ensure_future(run.pilot.press(pressed))
            for _ in range(60):
                await asyncio.sleep(0)
                run.session.change(step=run.session.current.step + 1)
                run.app.poll()
            await press
        await run.until(lambda: run.at_home)
