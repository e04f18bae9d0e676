"""A run that waits for a person and ends by itself: what screens say, and what keys do."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from fake_session import NOON, training
from seeing import opened
from test_stillness import settled
from textual import events

from engine.run.commands import KeyPressed
from engine.run.evaluation import Recommendation
from engine.run.snapshot import Phase, Snapshot
from engine.run.stop import StopPoint
from tui.process.endings import closing_lines, describe_end, next_lines
from tui.process.headless import line_about

ENDS = NOON.timestamp() + 300


def waiting(**fields: object) -> Snapshot:
    there = {"phase": Phase.AT_STOP, "checkpoint_step": 871_204, "wait_ends_at": ENDS}
    return training(**(there | fields))


def mouse(kind: type[events.MouseEvent]) -> events.MouseEvent:
    """What a terminal reports of a mouse, at the app's own door."""
    return kind(None, 5, 5, 0, 0, 1, shift=False, meta=False, ctrl=False)


@pytest.mark.slow
async def test_a_screen_says_when_the_wait_ends_and_closes_then():
    async with opened(waiting(), size=(53, 20)) as run:
        assert "Ends at 14:07 unless a key is pressed." in run.text
        await run.change(phase=Phase.PAUSED)
        assert "Ends at 14:07 unless a key is pressed." in run.text
        because = "nobody pressed a key for 5 minutes"
        await run.change(phase=Phase.FAILED, failure="it diverged", ended_because=because)
        assert not run.app.is_running


async def test_the_demo_says_at_its_stop_what_comes_next():
    stopped = waiting(demo=True, stop=StopPoint(step=871_204), voice_folder=Path("voices/demo"))
    async with opened(stopped) as run:
        assert "Stopped at 871,204, saved.  a hear it · n train SSRN · s later stop" in run.text
        sharpen = "voicecoach demo --voice voices/demo --network ssrn"
        assert f"Next, for a clearer sound: {sharpen}" in run.text
        best = Recommendation("text2mel", 870_000, ("lowest held-out loss (0.1)",), "not sure")
        await run.change(recommended=best)
        assert "★ Export 870,000: not sure.  w why" in run.text
        assert "Stopped at 871,204, saved; ends at 14:07 unless a key is pressed." in run.text
        assert run.app.run_screen.notice.size.height == 4
        assert run.app.run_screen.loss.size.height > 4
        await run.press("w")
        assert "Next, for a clearer sound:" in run.text
        assert sharpen in run.text
        await run.press("escape")
        await run.change(recommended=None)
        await run.resize((40, 15))
        assert "Ends at 14:07 unless a key is" in run.text
        assert "The machine still costs $0.99/h" in run.text
    first, *_, last = closing_lines(stopped, stopped, "saved")
    assert first == "saved"
    train = "voicecoach train recordings --voice voices/mine --from voices/demo"
    assert last.split(":") == ["to train on them", f"{train:>{len(last) - 17}}"]
    [export] = next_lines(replace(stopped, demo=False, recommended=best))
    assert export.startswith("to export the best, 870,000:  voicecoach export ")
    assert " --step 870000 --out " in export
    # A train run, a demo before its stop and one at its SSRN's have other things to say.
    assert not list(next_lines(replace(stopped, demo=False)))
    assert not list(next_lines(replace(stopped, step=871_203)))
    assert sharpen not in "".join(next_lines(replace(stopped, network="ssrn")))


@pytest.mark.slow
async def test_a_screen_that_only_reads_says_whose_keys_count():
    async with opened(waiting(), reading=True) as run:
        assert "Ends at 14:07 unless a key is pressed on another screen." in run.text
        await run.press("t", "enter")
        run.app.post_message(mouse(events.MouseDown))
        await run.pause()
        assert run.sent == []


@pytest.mark.slow
async def test_what_a_person_does_is_told_to_a_run_that_waits(monkeypatch):
    async with opened(waiting()) as run:
        monkeypatch.setattr("tui.app._KEY_SECONDS", 0.0)
        for what in (events.Paste("hello"), mouse(events.MouseDown), mouse(events.MouseScrollDown)):
            run.app.post_message(what)
            await run.pause()
            assert run.sent.pop() == KeyPressed()
        await run.press("tab")
        # Once, however many there are in a moment.
        monkeypatch.setattr("tui.app._KEY_SECONDS", 3600.0)
        await run.press("tab", "tab", "tab")
        assert run.sent == [KeyPressed()]
        # A run that trains need not know.
        monkeypatch.setattr("tui.app._KEY_SECONDS", 0.0)
        await run.show(training())
        await run.press("tab", "t")
        assert run.sent == [KeyPressed()]


@pytest.mark.slow
async def test_another_end_within_the_minute_draws_nothing():
    async with settled(waiting()) as run:
        await run.change(wait_ends_at=ENDS + 20)
        assert run.app.updates == []
        await run.change(wait_ends_at=ENDS + 60)
        assert run.app.updates


def test_lines_and_the_last_sentence_say_it_too(tmp_path):
    at = f"{datetime.fromtimestamp(ENDS):%H:%M}"
    expected = f"at the stop, ends at {at} unless a key is pressed  step 871,204"
    assert line_about(waiting()).startswith(expected)
    ended = waiting(
        phase=Phase.STOPPED,
        voice_folder=tmp_path,
        ended_because="nobody pressed a key for 5 minutes",
    )
    assert describe_end(ended).startswith(
        "nobody pressed a key for 5 minutes, so the run ended: saved at step 871,204; to continue"
    )
