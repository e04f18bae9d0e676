"""How samples are heard, or fetched where there is no sound."""

from dataclasses import replace
from pathlib import Path

import pytest
from fake_session import FakePlayer, FakeSession, preparing, sample, training
from seeing import app_on, log_of, look, opened, text_of

from engine.run.commands import Audition
from engine.run.snapshot import Sample


def with_sample(session: FakeSession, new: Sample) -> None:
    session.change(samples=(*session.current.samples, new), auditioning=False)


async def test_a_requested_sample_is_played_once_when_it_comes():
    player = FakePlayer()
    async with opened(training(), player) as (app, session, pilot):
        await pilot.press("a")
        session.change(auditioning=True)
        await look(app, pilot)
        assert "speaking…" in text_of(app)
        new = sample(871_204)
        with_sample(session, new)
        await look(app, pilot)
        await look(app, pilot)
        assert player.played == [new.path]
        assert "871,204  2.5 s  playing" in text_of(app)
        assert "speaking…" not in text_of(app)


async def test_a_sample_requested_while_preparing_is_played_later():
    player = FakePlayer()
    async with opened(preparing(), player) as (app, session, pilot):
        await pilot.press("a")
        assert session.sent == [Audition()]
        with_sample(session, sample(855_000))
        await look(app, pilot)
        assert [path.name for path in player.played] == [sample(855_000).path.name]


async def test_the_note_of_a_sample_is_logged_in_full():
    async with opened(training()) as (app, session, pilot):
        await pilot.press("a")
        with_sample(session, sample(871_204, "no SSRN yet: straight from the mel"))
        await look(app, pilot)
        assert "sample at 871,204: no SSRN yet: straight from the mel" in log_of(app)


async def test_a_sample_nobody_asked_for_is_listed_and_not_played():
    player = FakePlayer()
    async with opened(training(), player) as (app, session, pilot):
        with_sample(session, sample(872_000))
        await look(app, pilot)
        assert "872,000  2.3 s  new" in text_of(app)
        assert player.played == []


async def test_the_same_sentence_at_the_same_step_is_a_new_sample():
    player = FakePlayer()
    async with opened(training(), player) as (app, session, pilot):
        await pilot.press("a")
        newest = session.current.samples[-1]
        session.change(samples=(*session.current.samples[:-1], replace(newest)))
        await look(app, pilot)
        assert player.played == [newest.path]


async def test_an_audition_that_fails_does_not_play_what_comes_later():
    player = FakePlayer()
    async with opened(training(), player) as (app, session, pilot):
        await pilot.press("a")
        await look(app, pilot)
        assert "speaking…" in text_of(app)
        # It may end sooner than the screen looks.
        session.change(auditions=1)
        await look(app, pilot)
        assert "speaking…" not in text_of(app)
        with_sample(session, sample(872_000))
        await look(app, pilot)
        assert player.played == []
        assert "speaking…" not in text_of(app)


async def test_r_plays_the_newest_sample_and_the_list_the_selected():
    session, player = FakeSession(training()), FakePlayer()
    app = app_on(session, player)
    oldest, _, newest = session.current.samples
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("r")
        assert player.played == [newest.path]
        app.run_screen.samples.focus()
        await pilot.press("down", "down", "enter")
        assert player.played[1:] == [oldest.path]
        await pilot.press("up", "space", "down", "r")
        assert player.played[3:] == [oldest.path]
        await pilot.pause()
        assert "865,000  2.3 s  played" in text_of(app)


async def test_the_selection_follows_the_newest_sample_until_moved():
    async with opened(training()) as (app, session, pilot):
        with_sample(session, sample(872_000))
        await look(app, pilot)
        assert app.run_screen.samples.chosen is session.current.samples[-1]
        app.run_screen.samples.focus()
        await pilot.press("down")
        chosen = app.run_screen.samples.chosen
        with_sample(session, sample(873_000))
        await look(app, pilot)
        assert app.run_screen.samples.chosen is chosen


async def test_o_plays_the_recording_beside_an_ssrn_sample():
    original = Path("/data/wavs/LJ001-0004.wav")
    session = FakeSession(training(network="ssrn", samples=(sample(50_000, original=original),)))
    player = FakePlayer()
    app = app_on(session, player)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("o")
        assert player.played == [original]


@pytest.mark.parametrize("key", ["a", "r"])
async def test_without_sound_the_screen_says_how_to_fetch_the_sample(key):
    player = FakePlayer(unavailable="no sound device")
    async with opened(training(), player, size=(120, 40)) as (app, session, pilot):
        assert "no sound here · y copies scp" in text_of(app)
        await pilot.press(key)
        with_sample(session, new := sample(871_204))
        await look(app, pilot)
        path = new.path if key == "a" else session.current.samples[-2].path
        log = log_of(app).replace(" ", "")
        assert f"nosoundhere(nosounddevice):scpubuntu@gpu-1:{path}." in log
        assert player.played == []


async def test_y_copies_the_scp_line():
    async with opened(training(), FakePlayer(unavailable="no sound device")) as (
        app,
        session,
        pilot,
    ):
        await pilot.press("y")
        path = session.current.samples[-1].path
        assert app.clipboard == f"scp ubuntu@gpu-1:{path} ."


async def test_a_sound_that_fails_is_reported_once():
    player = FakePlayer()
    async with opened(training(), player) as (app, _, pilot):
        await pilot.press("r")
        player.last_error = "the sound device is busy"
        await look(app, pilot)
        await look(app, pilot)
        assert log_of(app).count("the sound device is busy") == 1
