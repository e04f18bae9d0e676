"""How samples are heard, or fetched where there is no sound."""

from dataclasses import replace
from pathlib import Path

import pytest
from fake_session import preparing, sample, training
from seeing import opened

from engine.run.commands import Audition, MarkHeard


@pytest.mark.slow
async def test_a_requested_sample_is_played_once_when_it_comes():
    async with opened(training()) as run:
        await run.press("a")
        await run.change(auditioning=True)
        assert "speaking…" in run.text
        new = sample(871_204, "no SSRN yet: straight from the mel")
        await run.add_sample(new)
        assert run.played == [new.path]
        assert "▸871,204  Text2Mel  2.5 s  ▶ playing" in run.text
        assert "speaking…" not in run.text
        assert "sample at 871,204: no SSRN yet: straight from the mel" in run.log
        # The same sentence at the same step is another sample.
        await run.press("a")
        await run.change(samples=(*run.samples[:-1], replace(new, time=1.0)))
        assert run.played == [new.path, new.path]


@pytest.mark.slow
async def test_a_sample_requested_while_preparing_is_played_later():
    async with opened(preparing()) as run:
        await run.press("a")
        assert run.sent == [Audition(run.app.run_screen.samples.sentence)]
        await run.add_sample(new := sample(855_000))
        assert run.played == [new.path]


@pytest.mark.slow
async def test_samples_requested_in_a_row_are_all_played():
    async with opened(training()) as run:
        await run.press("a", "a")
        first, second = sample(871_204), sample(871_300)
        for cause in ("automatic", "for_comparison"):
            other = replace(sample(871_000), time=1.0, **{cause: True})
            await run.change(samples=(*run.samples, other))
            assert run.played == []
        await run.change(samples=(*run.samples, first), auditions=1)
        await run.change(samples=(*run.samples, second), auditions=2)
        assert run.played == [first.path, second.path]
        await run.add_sample(sample(871_400))
        assert run.played == [first.path, second.path]


@pytest.mark.slow
async def test_a_sample_nobody_asked_for_is_selected_and_not_played():
    async with opened(training()) as run:
        await run.add_sample(new := sample(872_000))
        assert "▸872k  Text2Mel  2.3 s  ● new" in run.text
        listed = run.app.run_screen.samples
        assert listed.chosen is new
        listed.focus()
        await run.press("down")
        chosen = listed.chosen
        await run.add_sample(sample(873_000))
        assert listed.chosen is chosen is not new
        assert run.played == []


@pytest.mark.slow
async def test_an_audition_that_fails_does_not_play_what_comes_later():
    async with opened(training()) as run:
        await run.press("a")
        await run.look()
        assert "speaking…" in run.text
        # It may end sooner than the screen looks.
        await run.change(auditions=1)
        assert "speaking…" not in run.text
        await run.add_sample(sample(872_000))
        assert run.played == []


@pytest.mark.slow
async def test_r_plays_the_newest_sample_and_the_list_the_selected():
    async with opened(training()) as run:
        oldest, _, newest = run.samples
        await run.press("r")
        assert run.played == [newest.path]
        run.app.run_screen.samples.focus()
        await run.press("down", "down", "enter")
        assert run.played[1:] == [oldest.path]
        await run.press("up", "space", "down", "r")
        assert run.played[3:] == [oldest.path]
        await run.pause()
        assert "865k  Text2Mel  2.3 s    heard" in run.text
        run.player.last_error = "the sound device is busy"
        await run.look()
        await run.look()
        assert run.log.count("the sound device is busy") == 1


@pytest.mark.slow
async def test_o_plays_the_recording_beside_an_ssrn_sample():
    original = Path("/data/wavs/LJ001-0004.wav")
    samples = (sample(50_000, original=original),)
    async with opened(training(network="ssrn", samples=samples)) as run:
        await run.press("o")
        assert run.played == [original]


@pytest.mark.slow
async def test_a_browser_that_listens_plays_in_place_of_this_host():
    async with opened(training(), size=(120, 40)) as run:
        run.player.browsers = 1
        await run.press("a")
        # The page has played it as it grew.
        await run.add_sample(new := sample(871_204))
        assert (run.player.on_page, run.played) == ([], [])
        await run.press("r")
        [(path, title)] = run.player.on_page
        assert (path, run.played) == (new.path, [])
        assert title == "Two birds sat on the old wall. · 871,204"
        assert run.sent.count(MarkHeard(new.path.name)) == 2
        run.player.browsers = 0
        await run.press("r")
        assert run.played == [new.path]


@pytest.mark.slow
async def test_without_sound_the_screen_says_what_plays_it_elsewhere():
    async with opened(training(), no_sound="no sound device", size=(120, 40)) as run:
        await run.press("r")
        path = run.samples[-1].path
        line = f"ssh ubuntu@gpu-1 'cat {path}' | ffplay -nodisp -autoexit -"
        assert "ffplay" not in run.notes
        await run.press("a")
        await run.add_sample(new := sample(871_204))
        # The command is long: the log has none of it.
        assert run.log.count("no sound on this host (no sound device)") == 1
        assert "ffplay" not in run.log
        assert "No sound here: l opens a page that plays it, y copies a command." in run.notes
        # Nobody has heard anything.
        assert run.played == []
        assert not any(isinstance(command, MarkHeard) for command in run.sent)
        await run.press("y")
        line = line.replace(str(path), str(new.path))
        await run.until(lambda: run.app.clipboard == line)
        await run.until(lambda: f"Copied, if the terminal allows it. {line}" in run.notes)


@pytest.mark.slow
async def test_a_command_that_may_not_be_copied_is_shown_until_the_next_key():
    async with opened(training(), size=(120, 40), toasts=True) as run:
        await run.press("y")
        await run.until(lambda: "if the terminal allows it" in run.text)
        await run.press("up")
        assert not run.app.screen.query("Toast")
        run.app.notify("a message")
        await run.until(lambda: "a message" in run.text)
        await run.press("up")
        assert run.app.screen.query("Toast")


@pytest.mark.slow
async def test_one_message_is_shown_and_none_covers_a_dialog():
    async with opened(training(), size=(40, 15), toasts=True) as run:
        for number in range(3):
            run.app.notify(f"message {number}")
        await run.until(lambda: "message 2" in run.text)
        assert len(run.app.screen.query("Toast")) == 1
        await run.press("e")
        run.app.notify("This has many more words than one line of the screen has room for.")
        await run.until(lambda: "This has many more" in run.lines[-1])
        await run.until(lambda: len(run.app.screen.query("Toast")) == 1)
        box = run.app.screen.query_one(".dialog").region
        assert run.lines[box.bottom - 1][box.x] == "╰"
        assert box.bottom < 15
