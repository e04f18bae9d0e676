"""What was measured, what follows from it, and which words were misread."""

from dataclasses import replace

import pytest
from fake_session import judged, plot, scores, training
from seeing import opened

from engine.run.evaluation import Advice, Misreading, Recommendation
from engine.run.snapshot import Phase

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("_measures_of_the_tests")]

ADVICE = "still improving: +5k steps ($0.80, 49 min) are likely to cut skipped words"
EXPORT = "voicecoach export /data/voices/alice --step 869000 --out alice-869000"


@pytest.mark.parametrize("size", [(40, 15), (53, 20), (80, 24), (120, 40)])
async def test_the_advice_stands_on_the_main_screen_and_w_says_why(size):
    async with opened(judged(), size=size) as run:
        tiny = size[0] == 40
        assert (ADVICE[:26] if tiny else ADVICE) in run.words
        assert "w why" in run.text
        await run.press("w")
        assert "held-out loss fell by 1.4 % over the last 6,000 steps" in run.dialog or tiny
        worse = Advice("worse", "worse since 869k: it overfits", ("a reason [red]of data[/]",))
        await run.change(advice=worse)
        assert "worse since 869k: it overfits. · a reason [red]of data[/]" in run.dialog
        await run.press("v", "v")
        assert run.at_home
        await run.look()
        assert "worse since 869k: it overfits  w why" in run.text
        for length in range(size[0] - 9, size[0]):
            await run.change(advice=Advice("flat", ("no gain " * 20)[:length].strip()))
            await run.look()
            assert "w why" in run.text


async def test_v_draws_each_measure_and_marks_what_to_export():
    async with opened(judged(), size=(120, 40)) as run:
        await run.press("v")
        await run.look()
        for words in (
            "★ Export 869,000: clearly better than 871,000 in 3 of 4 measures.",
            "evaluating 871,000 · 17 checkpoints · 20 sentences",
            "skipped · 2.5 %", "best 1.2 % at 869k", "lower is better.", "○ training · best 0.0951",
            "naturalness · 3.24", "╌╌╌╌", "860k",
        ):  # fmt: skip
            assert words in run.text
        # The weights in training have no panel of their own, what is not shown has none at all.
        assert "held-out loss in training" not in run.text
        assert "clipping" not in run.text
        assert run.text.index("mel distortion") < run.text.index("pace")
        assert run.text.count("★") == 1 + 5
        newer = replace(
            scores()[-1], step=872_000, scores={"skipped": scores()[0].scores["skipped"]}
        )
        await run.change(scores=(*scores(), newer))
        assert "skipped · 10.2 %" in run.text
        await run.change(scores=tuple(replace(newer, step=step) for step in (1, 2)))
        assert "The same at every checkpoint: skipped 10.2 %." in run.text
        await run.change(scores=scores())
        await run.look()
        assert run.text.index("held-out loss") < run.text.index("naturalness · 3.24")
        await run.press("w")
        assert "871,000 skips “sense” at 0.8 s, stuck on “old” from 1.2 to 2.0 s:" in run.dialog
        assert EXPORT in run.dialog
        await run.press("y")
        await run.pause()
        assert run.app.clipboard == EXPORT
        await run.press("escape", "v")
        assert run.at_home


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"checkpoints": ()}, "Scores come with the first checkpoint"),
        ({}, "No checkpoint has been evaluated yet"),
        ({"judge_waits": "the next starts after 25m"}, "The next starts after 25m."),
        ({"evaluating": 855_000}, "Checkpoint 855,000 is being evaluated, the first of all."),
    ],
)
async def test_without_scores_v_says_what_it_waits_for(fields, words):
    absent = "voicecoach[judge] is not installed"
    bare = judged(scores=(), recommended=None, advice=None, evaluating=None, judge_absent=absent)
    async with opened(replace(bare, **fields), size=(53, 20)) as run:
        await run.press("w")
        assert "there is no advice yet" in f"{run.log} {run.notes}"
        await run.press("v")
        await run.look()
        assert words in run.words
        assert absent in run.words
        await run.change(recommended=judged().recommended)
        assert "★ Export 869,000" in run.words
        assert words in run.words
        # The scores appear as they come.
        await run.change(scores=scores()[:1])
        await run.look()
        assert "held-out loss · 0.1251" in run.text


async def test_misread_words_stand_in_attention_and_samples():
    async with opened(judged(), size=(120, 40)) as run:
        assert "skips “sense” at 0.8 s, stuck on “old” from 1.2 to 2.0 s" in run.text
        assert "20▌" in run.text
        assert "✗ skips “sense” at" in run.text
        assert "863k  Text2Mel  2.5 s    heard         ✗ skips “sense” at" in run.text
        evil = Misreading("repeated", "\x1b[2J[b]", 0, 3, 0.1, 0.2)
        await run.change(attention=(replace(plot(871_000), misreadings=(evil,)),))
        assert "repeats “\N{REPLACEMENT CHARACTER}[2J[b]” at 0.1 s" in run.text
    async with opened(judged(), ascii_only=True) as run:
        assert run.text.isascii()
        assert "20|" in run.text
        await run.press("v")
        await run.look()
        assert run.text.isascii()
        assert "*" in run.text


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ((80, 24), f"in 3 of 4 measures. w why {EXPORT}"),
        ((40, 15), "★ Export 869,000 w why and how"),
    ],
)
async def test_at_the_stop_the_screen_says_what_to_export(size, words):
    stopped = {"phase": Phase.AT_STOP, "step": 871_000, "checkpoint_step": 871_000}
    async with opened(judged(**stopped), size=size) as run:
        assert "★ Export 869,000" in run.words
        assert words in run.words
        of_ssrn = Recommendation("ssrn", 5_000, ("lowest held-out loss",), "")
        await run.change(network="ssrn", recommended=of_ssrn)
        assert "★ Export 5,000" in run.text
        assert ("export /data/voices/alice --ssrn-step 5000" in run.text) is (size == (80, 24))


async def test_advice_before_there_is_enough_takes_no_room_on_a_small_screen():
    unknown = Advice("unknown", "no advice before 3 checkpoints are evaluated")
    async with opened(training(advice=unknown)) as run:
        assert unknown.text in run.text
        await run.resize((40, 15))
        assert "no advice" not in run.text
