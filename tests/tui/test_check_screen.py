"""The check of the recordings on the screen: by itself before training, and on k during the run."""

import re
from dataclasses import replace

import pytest
from check_reports import BROKEN, CLEAN, missing, pause
from fake_session import preparing, training
from seeing import SIZES, opened

from engine.check.kinds import left_out_by_hand
from engine.data.metadata import LEFT_OUT, Rejected
from engine.run.commands import CleanFirst, Continue, Finish, Hold, KeyPressed, LeaveOut
from engine.run.snapshot import Phase, Progress, Snapshot


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
        await run.press("enter", "c", "h")
        assert run.sent == [Continue(), CleanFirst(), Hold()]
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


@pytest.fixture
def recorded(tmp_path):
    """The report of a corpus in which one of the clips with a warning is there."""
    (tmp_path / "wavs").mkdir()
    (tmp_path / "wavs" / "alice-0020.flac").touch()
    return replace(BROKEN, dataset=str(tmp_path))


@pytest.mark.slow
async def test_space_plays_the_clip_and_x_leaves_it_out(recorded):
    async with opened(checked(check=recorded)) as run:
        await run.press("x", "space", *["down"] * 3)
        assert "leave out: its error leaves it out; train --keep-errors" in run.notes
        assert "this clip has no recording" in run.notes
        await run.press("space", "x")
        assert [path.name for path in run.played] == ["alice-0020.flac"]
        # Whoever listens is there: the countdown begins anew.
        assert run.sent == [KeyPressed(), KeyPressed(), LeaveOut("alice-0020")]
        mark = left_out_by_hand().at("wavs/alice-0020.flac", 20, "alice-0020")
        # Figures of the whole corpus change with it.
        others = [
            one if one.line or one.severity == "error" else replace(one, figure="another figure")
            for one in recorded.findings
            if one.line != 20
        ]
        rejected = Rejected(20, "alice-0020", "left out by you", LEFT_OUT)
        fewer = replace(recorded, findings=(*others, mark), left_out=(*recorded.left_out, rejected))
        await run.change(check=fewer, left_out=("alice-0020",))
        # It stays where it was, so that the same key takes it in again.
        assert "malformed row 1 field, but a ro… left out 20 alice-0020" in run.words
        assert "pause · line 20" in run.words
        assert "1 left out by you" in run.text
        assert run.text.count("alice-0020") == 2
        assert "x take in" in run.lines[-1]
        await run.press("x")
        assert run.sent[3:] == [LeaveOut("alice-0020", leave_out=False)]
        await run.change(check=recorded, left_out=())
        assert "warning 20 alice-0020" in run.words
        await run.press("end", "x")
        assert "leave out: this finding is about no clip" in run.notes


@pytest.mark.slow
async def test_clips_left_out_during_a_run_count_from_the_next_on(recorded):
    async with opened(training(check=recorded), no_sound="no sound device") as run:
        await run.press("k", *["down"] * 3, "x")
        assert run.sent == [LeaveOut("alice-0020")]
        assert "alice-0020 is left out from the next run on" in run.notes
        await run.change(left_out=("alice-0020",))
        assert "left out 20 alice-0020" in run.words
        await run.press("space")
        line = f"ssh ubuntu@gpu-1 'cat {recorded.dataset}/wavs/alice-0020.flac' | ffplay"
        await run.until(lambda: run.app.clipboard.startswith(line))
        assert "no sound on this host (no sound device)" in run.log
        await run.press("k", "k")
        assert "left out 20 alice-0020" in run.words


@pytest.mark.slow
async def test_clip_names_are_whole_where_there_is_room():
    name = "speaker-1/session-04/utterance-000123"
    findings = (pause(20, 0.61).at(f"wavs/{name}.wav", 20, name),)
    report = checked(check=replace(BROKEN, findings=findings))
    async with opened(report, size=(120, 40)) as run:
        assert f"{name}  inner pause" in run.text
        await run.resize((60, 15))
        # What tells clips apart is at their end.
        assert re.search(r"speaker.*….*000123 +inner pause", run.text)
        assert f"wavs/{name}.wav" in run.words


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
            ((200, 50), checked(), [start, clean, "h hold"]),
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
        (("ctrl+q", "s"), [Finish()], "end"),
        (("q", "k"), [], "keep training"),
    ],
)
async def test_leaving_before_training_says_that_nothing_is_lost(keys, sent, reason):
    async with opened(checked()) as run:
        await run.press(keys[0])
        assert "Training has not started; nothing is lost." in run.text
        assert "leave; it trains on the usable clips" in run.text
        await run.press(keys[1])
    assert run.sent == sent
    assert run.reason == reason


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
@pytest.mark.parametrize("size", [(80, 24), (10, 3)])
async def test_a_list_without_findings_can_be_paged(size):
    async with opened(training(check=CLEAN), size) as run:
        await run.press("k", *("pagedown", "pageup", "end", "home", "down", "x", "space"))
        assert run.checks


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
