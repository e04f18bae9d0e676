"""The samples of a sentence over the checkpoints, and what the keys do with them."""

from dataclasses import replace
from pathlib import Path

import pytest
from fake_session import SENTENCE, sample, training
from seeing import Opened, opened

from engine.run.commands import Audition
from engine.run.sample import KeptCheckpoint, Sample, Speaking

pytestmark = pytest.mark.slow

OTHER = "Glue the sheet to the dark blue background."
KEPT = tuple(KeptCheckpoint("text2mel", step) for step in (855_000, 860_000, 865_000, 872_000))


def spoken(step: int, sentence: str = SENTENCE, **fields: object) -> Sample:
    made = sample(step)
    return replace(
        made, sentence=sentence, path=made.path.with_stem(f"{step} {sentence}"), **fields
    )


def series(**fields: object):
    """Three samples, checkpoints for two of them, and two that have not spoken."""
    samples = (spoken(855_000, heard=True), spoken(865_000), spoken(871_000, automatic=True))
    kept = (*KEPT[:2], replace(KEPT[2], best=True, best_by=("held-out",)), KEPT[3])
    other = spoken(865_000, OTHER)
    return training(
        samples=(*samples[:2], other, samples[2]),
        checkpoints=kept, sentences=(SENTENCE, OTHER), **fields,
    )  # fmt: skip


def auditions(run: Opened) -> list[Audition]:
    return [command for command in run.sent if isinstance(command, Audition)]


async def test_a_row_stands_for_every_checkpoint_spoken_or_not():
    async with opened(series(), size=(120, 40)) as run:
        rows = [line.split("│")[1] for line in run.lines if "Text2Mel  " in line]
        assert [" ".join(row.split()) for row in rows] == [
            "872k Text2Mel not spoken yet",
            "▸871k Text2Mel 2.4 s ● new automatic",
            "865k Text2Mel 2.3 s ● new ★ best held-out",
            "860k Text2Mel not spoken yet",
            "855k Text2Mel 2.6 s heard",
        ]
        made = Path("/data/voices/alice/samples/being-made.wav")
        await run.change(speaking=Speaking(860_000, SENTENCE, made))
        assert "860k  Text2Mel         speaking…" in run.text


async def test_enter_speaks_with_the_selected_checkpoint():
    async with opened(series()) as run:
        await run.press("up", "enter")
        assert auditions(run) == [Audition(SENTENCE, step=872_000)]
        assert "audition requested with checkpoint 872,000" in run.log
        await run.add_sample(new := spoken(872_000))
        assert run.played == [new.path]
        assert "▸872k  Text2Mel  2.3 s  ▶ playing" in run.text
        await run.press("r")
        assert run.played == [new.path] * 2
        # The weights of 871,000 are on disk no more.
        await run.press("down", "enter")
        assert len(auditions(run)) == 1
        assert run.played[2:] == [run.samples[3].path]
        assert "there is no checkpoint 871,000 on disk; playing the sample" in run.log
        # Before there is any sample, and from any panel.
        await run.change(samples=())
        run.app.run_screen.loss.focus()
        await run.press("full_stop", "enter")
        assert auditions(run)[1:] == [Audition(OTHER, step=872_000)]


async def test_a_read_only_screen_plays_and_asks_for_nothing():
    async with opened(series(), reading=True) as run:
        await run.press("down", "enter")
        assert run.played == [run.samples[1].path]
        await run.press("up", "up", "enter", "r")
        assert run.sent == []
        assert "this screen is read-only" in run.log
        assert "replay: this checkpoint has not spoken the sentence yet" in run.log


async def test_brackets_play_the_sentence_one_checkpoint_after_the_other():
    async with opened(series()) as run:
        first, second, _, third = (one.path for one in run.samples)
        back, on = "left_square_bracket", "right_square_bracket"
        await run.press(back, back, back, on, on, on)
        assert run.played == [second, first, second, third]
        assert "there is no older sample of this sentence" in run.log
        assert "there is no newer sample of this sentence" in run.log


async def test_comma_and_full_stop_turn_the_sentences():
    async with opened(series()) as run:
        assert f"samples · 1 of 2 · “{SENTENCE}”" in run.text
        await run.press("full_stop")
        await run.pause()
        assert f"samples · 2 of 2 · “{OTHER}”" in run.text
        await run.press("a", "r")
        assert auditions(run) == [Audition(OTHER)]
        assert run.played == [run.samples[2].path]
        # One that nobody asked for here changes nothing; another sentence has rows of its own.
        await run.add_sample(spoken(873_000, automatic=True))
        assert f"“{OTHER}”" in run.text
        await run.press("comma", "r")
        assert run.played[-1] == run.samples[-1].path
        await run.change(sentences=(OTHER,), samples=run.samples[2:3])
        assert f"samples · “{OTHER}”" in run.text
        await run.press("right_curly_bracket")
        assert "there is no other sentence; e adds some" in run.log


async def test_the_selection_follows_the_newest_until_it_is_moved():
    async with opened(series()) as run:
        await run.add_sample(spoken(872_000))
        assert "▸872k" in run.text
        await run.press("down")
        await run.add_sample(spoken(873_000))
        assert "▸871k" in run.text
        # Thinned away, it leaves its place to the nearest.
        kept = tuple(one for one in run.samples if one.step not in (871_000, 872_000))
        await run.change(samples=kept, checkpoints=())
        assert "▸873k" in run.text
