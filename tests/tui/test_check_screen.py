"""The check of the recordings on the screen: by itself before training, and on k during the run."""

from dataclasses import replace

import pytest
from check_reports import BROKEN, CLEAN, missing
from fake_session import preparing, training
from seeing import SIZES, opened

from engine.run.commands import CleanFirst, Continue, Finish, Hold
from engine.run.snapshot import Phase, Progress, Snapshot
from tui.process.endings import ExitReason


def checked(**fields: object) -> Snapshot:
    """Errors were found, and the engine waits."""
    waiting = {"phase": Phase.CHECKED, "check": BROKEN, "seconds_to_start": 47, "price": 0.99}
    return preparing(**{**waiting, **fields})


@pytest.mark.slow
async def test_errors_are_shown_before_training_without_a_key():
    async with opened(checked(), size=(60, 15)) as run:
        for size in ((60, 15), *SIZES):
            await run.resize(size)
            assert run.checks
            seen = run.words
            assert "errors in 3 clips, warnings in 12, 1 note" in seen
            assert "3 of 1,240 clips have errors. Training starts in 47 s without them." in seen
            assert "alice-0012" in seen
            # What a transcript or an id holds is shown, not obeyed.
            assert "[red]alice-0700" in seen
            assert "Record it, or delete its line from metadata.csv." in seen


@pytest.mark.slow
async def test_a_key_answers_and_the_question_of_leaving_stays():
    async with opened(checked()) as run:
        await run.press("enter", "c", "h", "space")
        assert run.sent == [Continue(), CleanFirst(), Hold(), Hold()]
        # The line on top says what it did; a message would cover the advice.
        assert run.notes == ""
        await run.press("q")
        assert "Training has not started; nothing is lost." in run.text
        await run.change(phase=Phase.PREPARING, seconds_to_start=None)
        assert "The run is preparing." in run.text
        await run.press("escape")
        await run.look()
        assert run.at_home


@pytest.mark.slow
async def test_the_countdown_follows_the_engine_and_stops_when_held():
    async with opened(checked()) as run:
        await run.change(seconds_to_start=46)
        assert "starts in 46 s" in run.text
        await run.change(seconds_to_start=None)
        asked = "3 of 1,240 clips have errors. enter start without them · c clean first · q quit"
        assert asked in run.words
        assert "The machine still costs $0.99/h" in run.words
        await run.press("h", "escape", "k")
        assert run.sent == []
        assert "the countdown is already stopped" in run.notes
        # Nothing but an answer closes it.
        assert "training has not started; enter starts it" in run.notes
        assert run.checks
        for phase in (Phase.PREPARING, Phase.TRAINING):
            await run.change(phase=phase)
            assert run.at_home


@pytest.mark.slow
async def test_the_advice_is_that_of_the_highlighted_finding():
    async with opened(checked()) as run:
        await run.press("down", "down")
        await run.pause()
        assert "line 700 · metadata.csv · 1 field, but a row needs 2" in run.text
        assert "Write it as id|text." in run.text
        for key, file in (("end", "take [bad] 2.wav"), ("home", "wavs/alice-0012.wav")):
            await run.press(key)
            await run.pause()
            assert f"{file} ·" in run.text


@pytest.mark.slow
async def test_what_training_takes_is_measured_while_the_person_reads():
    unknown = replace(BROKEN, estimates=())
    timing = checked(check=unknown, progress=Progress("timing training steps", 0, 1))
    async with opened(timing) as run:
        for size in SIZES:
            await run.show(timing)
            await run.resize(size)
            assert "measuring speed…" in run.words
            await run.change(check=BROKEN, progress=None)
            assert "measuring" not in run.words
            assert "20,000 steps: 10h40m, $10.58" in run.words


@pytest.mark.slow
async def test_the_bottom_line_has_no_key_that_means_nothing_here():
    start, clean = "enter start", "c clean first"
    async with opened(checked()) as run:
        for size, snapshot, there in (
            (SIZES[0], checked(), [start, clean, "h hold", "tab figures"]),
            (SIZES[1], checked(), [start, clean, "h hold"]),
            (SIZES[0], checked(seconds_to_start=None), [start, clean, "tab figures"]),
            (SIZES[0], training(check=BROKEN), ["k close", "tab figures"]),
        ):
            await run.resize(size)
            await run.show(snapshot)
            if run.at_home:
                await run.press("k")
                await run.look()
            keys = (start, clean, "h hold", "k close", "tab figures")
            assert [words for words in keys if words in run.lines[-1]] == there


@pytest.mark.slow
async def test_tab_shows_the_figures_where_there_is_little_room():
    async with opened(checked()) as run:
        assert "characters/s (11.9" not in run.text
        await run.press("tab")
        await run.pause()
        assert "14.3 characters/s (11.9 to 17.2)" in run.text
        assert "alice-0012" not in run.text
        await run.press("end")
        await run.pause()
        assert "é 14× read as e · line 31 the café on the corner" in run.text
        await run.press("tab")
        await run.pause()
        assert "alice-0012" in run.text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keys", "sent", "reason"),
    [
        (("ctrl+q", "s"), [Finish()], ExitReason.QUIT),
        (("q", "k"), [], ExitReason.KEEP_TRAINING),
    ],
)
async def test_leaving_before_training_says_that_nothing_is_lost(keys, sent, reason):
    async with opened(checked()) as run:
        await run.press(keys[0])
        assert "Training has not started; nothing is lost." in run.text
        assert "leave; it trains on the usable clips" in run.text
        await run.press(keys[1])
    assert run.sent == sent
    assert run.reason is reason


@pytest.mark.slow
async def test_k_shows_the_report_during_the_run():
    async with opened(training()) as run:
        for report, closing in ((CLEAN, "k"), (BROKEN, "escape")):
            await run.show(training(check=report))
            await run.press("k")
            await run.look()
            assert run.checks
            assert "check of the recordings" in run.text
            assert ("No findings." in run.text) is (not report.findings)
            await run.press("enter", "h")
            assert "start: training has already started" in run.notes
            assert run.sent == []
            await run.press(closing)
            assert run.at_home


@pytest.mark.slow
async def test_k_says_why_there_is_no_report_yet():
    async with opened(preparing()) as run:
        await run.press("k")
        assert "check: the recordings are still being checked" in run.log
        await run.change(phase=Phase.TRAINING)
        await run.press("k")
        assert run.at_home
        assert "the recordings were not checked; see the log" in run.log


@pytest.mark.slow
async def test_the_palette_answers_the_question_too():
    async with opened(checked()) as run:
        await run.press("ctrl+p", *"start")
        await run.app.workers.wait_for_complete()
        await run.pause()
        await run.press("enter")
        await run.pause()
        assert run.sent == [Continue()]


@pytest.mark.slow
async def test_thousands_of_findings_are_listed_up_to_a_limit():
    many = replace(BROKEN, findings=tuple(missing(line) for line in range(1, 13_101)))
    async with opened(checked(check=many), size=(120, 40)) as run:
        assert "errors in 13,100 clips · 12,100 more in check.json" in run.text
