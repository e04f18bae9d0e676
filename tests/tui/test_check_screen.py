"""The check of the recordings on the screen: by itself before training, and on k during the run."""

from dataclasses import replace

import pytest
from check_reports import BROKEN, CLEAN, missing
from fake_session import FakeSession, preparing, training
from seeing import SIZES, app_on, lines_of, log_of, look, opened, text_of

from engine.run.commands import Continue, Finish, Hold
from engine.run.snapshot import Phase, Progress, Snapshot
from tui.app import VoicecoachApp
from tui.process.endings import ExitReason
from tui.screens.check_screen import CheckScreen


def checked(**fields: object) -> Snapshot:
    """Errors were found, and the engine waits."""
    waiting = {"phase": Phase.CHECKED, "check": BROKEN, "seconds_to_start": 47, "price": 0.99}
    return preparing(**{**waiting, **fields})


def said_to_the_person(app: VoicecoachApp) -> str:
    return " ".join(note.message for note in app._notifications)


@pytest.mark.parametrize("size", [*SIZES, (60, 15)])
async def test_errors_are_shown_before_training_without_a_key(size):
    async with opened(checked(), size=size) as (app, _, pilot):
        await look(app, pilot)
        assert isinstance(app.screen, CheckScreen)
        seen = " ".join(text_of(app).split())
        assert "3 errors, 12 warnings, 1 note" in seen
        assert "3 of 1,240 clips have errors. Training starts in 47 s without them." in seen
        assert "alice-0012" in seen
        # What a transcript or an id holds is shown, not obeyed.
        assert "[red]alice-0700" in seen
        assert "Record it, or delete its line from metadata.csv." in seen


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("key", "command"), [("enter", Continue()), ("h", Hold()), ("space", Hold())]
)
async def test_a_key_answers_the_question(size, key, command):
    async with opened(checked(), size=size) as (app, session, pilot):
        await look(app, pilot)
        await pilot.press(key)
        assert session.sent == [command]
        # The line on top says what it did; a message would cover the advice.
        assert said_to_the_person(app) == ""


async def test_the_screen_goes_when_training_begins():
    async with opened(checked()) as (app, session, pilot):
        await look(app, pilot)
        session.change(phase=Phase.PREPARING, seconds_to_start=None)
        await look(app, pilot)
        assert app.screen is app.run_screen
        session.change(phase=Phase.TRAINING)
        await look(app, pilot)
        assert app.screen is app.run_screen


async def test_a_question_about_leaving_outlasts_the_countdown():
    async with opened(checked()) as (app, session, pilot):
        await look(app, pilot)
        await pilot.press("q")
        session.change(phase=Phase.PREPARING, seconds_to_start=None)
        await look(app, pilot)
        assert "Training has not started; nothing is lost." in text_of(app)
        await pilot.press("escape")
        await look(app, pilot)
        assert app.screen is app.run_screen


async def test_the_countdown_follows_the_engine_and_stops_when_held():
    async with opened(checked()) as (app, session, pilot):
        await look(app, pilot)
        session.change(seconds_to_start=46)
        await look(app, pilot)
        assert "starts in 46 s" in text_of(app)
        session.change(seconds_to_start=None)
        await look(app, pilot)
        seen = " ".join(text_of(app).split())
        asked = "3 of 1,240 clips have errors. enter start without them · q quit"
        assert asked in seen
        assert "The machine still costs $0.99/h" in seen
        await pilot.press("h")
        assert session.sent == []
        assert "the countdown is already stopped" in said_to_the_person(app)


async def test_the_advice_is_that_of_the_highlighted_finding():
    async with opened(checked()) as (app, _, pilot):
        await look(app, pilot)
        await pilot.press("down", "down")
        await pilot.pause()
        assert "line 700 · metadata.csv · 1 field, but a row needs 2" in text_of(app)
        assert "Write it as id|text." in text_of(app)
        for key, file in (("end", "take [bad] 2.wav"), ("home", "wavs/alice-0012.wav")):
            await pilot.press(key)
            await pilot.pause()
            assert f"{file} ·" in text_of(app)


@pytest.mark.parametrize("size", SIZES)
async def test_what_training_takes_is_measured_while_the_person_reads(size):
    unknown = replace(BROKEN, estimates=())
    async with opened(
        checked(check=unknown, progress=Progress("timing training steps", 0, 1)), size=size
    ) as (app, session, pilot):
        await look(app, pilot)
        assert "measuring speed…" in " ".join(text_of(app).split())
        session.change(check=BROKEN, progress=None)
        await look(app, pilot)
        seen = " ".join(text_of(app).replace("│", " ").split())
        assert "measuring" not in seen
        assert "20,000 steps: 10h40m, $10.58" in seen


@pytest.mark.parametrize("size", SIZES)
async def test_the_bottom_line_has_no_key_that_means_nothing_here(size):
    for snapshot, there, gone in (
        (checked(), ("enter start", "h hold"), ("k close",)),
        (checked(seconds_to_start=None), ("enter start",), ("h hold", "k close")),
        (training(check=BROKEN), ("k close",), ("enter start", "h hold")),
    ):
        app = app_on(FakeSession(snapshot))
        async with app.run_test(size=size) as pilot:
            if snapshot.phase is Phase.TRAINING:
                await pilot.press("k")
            await look(app, pilot)
            await pilot.pause()
            bottom = lines_of(app)[-1]
            assert [words for words in (*there, *gone) if words in bottom] == list(there)
            assert ("tab figures" in bottom) is (size == (80, 24))


async def test_tab_shows_the_figures_where_there_is_little_room():
    async with opened(checked()) as (app, _, pilot):
        await look(app, pilot)
        assert "characters/s (11.9" not in text_of(app)
        await pilot.press("tab")
        await pilot.pause()
        assert "14.3 characters/s (11.9 to 17.2)" in text_of(app)
        assert "alice-0012" not in text_of(app)
        await pilot.press("end")
        await pilot.pause()
        assert "é 14× read as e · line 31 the café on the corner" in text_of(app)
        await pilot.press("tab")
        await pilot.pause()
        assert "alice-0012" in text_of(app)


@pytest.mark.parametrize(
    ("keys", "sent", "reason"),
    [
        (("q", "s"), [Finish()], ExitReason.QUIT),
        (("ctrl+q", "s"), [Finish()], ExitReason.QUIT),
        (("ctrl+c", "enter"), [Finish()], ExitReason.QUIT),
        (("q", "k"), [], ExitReason.KEEP_TRAINING),
    ],
)
async def test_leaving_before_training_says_that_nothing_is_lost(keys, sent, reason):
    async with opened(checked()) as (app, session, pilot):
        await look(app, pilot)
        await pilot.press(keys[0])
        assert "Training has not started; nothing is lost." in text_of(app)
        assert "train on the usable clips without the screen" in text_of(app)
        await pilot.press(keys[1])
    assert session.sent == sent
    assert app.return_value is reason


async def test_the_question_cannot_be_closed_unanswered():
    async with opened(checked()) as (app, _, pilot):
        await look(app, pilot)
        await pilot.press("escape", "k")
        assert isinstance(app.screen, CheckScreen)
        assert "training has not started; enter starts it" in said_to_the_person(app)


@pytest.mark.parametrize(("report", "closing"), [(CLEAN, "k"), (BROKEN, "escape")])
async def test_k_shows_the_report_during_the_run(report, closing):
    async with opened(training(check=report)) as (app, session, pilot):
        await pilot.press("k")
        await look(app, pilot)
        assert isinstance(app.screen, CheckScreen)
        assert "check of the recordings" in text_of(app)
        assert ("No findings." in text_of(app)) is (not report.findings)
        await pilot.press("enter", "h")
        assert "start: training has already started" in said_to_the_person(app)
        assert session.sent == []
        await pilot.press(closing)
        assert app.screen is app.run_screen


async def test_k_says_why_there_is_no_report_yet():
    async with opened(preparing()) as (app, session, pilot):
        await pilot.press("k")
        assert "check: the recordings are still being checked" in log_of(app)
        session.change(phase=Phase.TRAINING)
        await look(app, pilot)
        await pilot.press("k")
        assert app.screen is app.run_screen
        assert "the recordings were not checked; see the log" in log_of(app)


async def test_the_palette_answers_the_question_too():
    async with opened(checked()) as (app, session, pilot):
        await look(app, pilot)
        await pilot.press("ctrl+p", *"start")
        await app.workers.wait_for_complete()
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        assert session.sent == [Continue()]


async def test_thousands_of_findings_are_listed_up_to_a_limit():
    many = replace(BROKEN, findings=tuple(missing(line) for line in range(1, 13_101)))
    async with opened(checked(check=many), size=(120, 40)) as (app, _, pilot):
        await look(app, pilot)
        assert "13,100 errors · 12,100 more in check.json" in text_of(app)
