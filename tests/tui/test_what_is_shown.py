"""What a person reads on the screen."""

import math
from dataclasses import replace

import pytest
from fake_session import curve, event, preparing, sample, training
from seeing import SIZES, opened

from engine.run.curves import LossCurve, Losses
from engine.run.sample import KeptCheckpoint
from engine.run.stop import StopPoint


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
async def test_a_training_run_shows_step_stop_and_spend(size):
    async with opened(training(), size=size) as run:
        seen = run.text
    for words in (
        "alice · Text2Mel", "cuda:0 H100", "81 %  3.1/80 GB  61 °C", "training · 14:02",
        "step 871,204  +16,204", "36 %", "stop at 900,000 · 14:04 (2m16s)",
        "spent $0.65 · $0.69 at the stop · $0.99/h", "212 steps/s · 1m16s this run",
        "loss 0.0912  L1 0.0411", "held-out 0.0987 ↓ 12.3 % over 8,100 steps", "lr 6.8e-5",
        "attention · 871k · held-out LJ001", "57 characters × 133 frames  3 of 3",
        "training  • held-out", "0.10", "870k", "samples · “Two birds sat on the old wall.”",
        "▸871k  Text2Mel  2.4 s  ● new", "base", "14:01 checkpoint 871,000 saved",
    ):  # fmt: skip
        assert words in seen


@pytest.mark.slow
async def test_any_size_of_terminal_keeps_the_step_in_sight():
    async with opened(training(budget=30.0), size=(20, 5)) as run:
        for size in ((60, 15), (53, 20), (200, 60), (40, 10), (20, 5), (80, 24)):
            await run.resize(size)
            assert "871,204" in run.text
            assert (size[0] < 53) or "spent $0.65 of $30.00" in run.text
            assert max(map(len, run.lines)) <= size[0]
        assert "stop at 900,000" in run.text


async def test_preparation_says_nothing_that_it_does_not_know_yet():
    async with opened(preparing(step=4537, stop_text="+200")) as run:
        seen = run.text
    assert "step 4,537" in seen
    assert "stop at +200" in seen
    assert "from scratch" not in seen
    assert "of training" not in seen


@pytest.mark.slow
async def test_text_from_data_is_shown_as_it_is_and_never_obeyed():
    evil = "[red]x[/] \x1b[2Jboom"
    samples, events = (sample(855_000, evil),), (event(0, evil, "error"),)
    shown = training(voice="[/voice]", sentences=(evil,), samples=samples, events=events)
    async with opened(shown, size=(120, 40)) as run:
        seen = run.text
    assert "[/voice]" in seen
    assert seen.count("[red]x[/] \N{REPLACEMENT CHARACTER}[2Jboom") == 2
    assert "\x1b" not in seen


@pytest.mark.slow
async def test_a_diverging_loss_does_not_take_the_screen_down():
    broken = replace(curve(0, 4000), losses=(math.nan, math.inf, -math.inf) * 40)
    losses = Losses(math.nan, math.inf, math.nan, None)
    async with opened(training(curve=broken, losses=losses, held_out=math.nan)) as run:
        assert "loss nan  L1 inf  div nan" in run.text
        await run.change(curve=LossCurve((1, 2), (math.nan, math.nan)))
        assert "no finite loss yet" in run.text


@pytest.mark.slow
async def test_ascii_means_ascii_everywhere():
    async with opened(training(sentences=("Zoë sings – “loudly”",)), ascii_only=True) as run:
        assert run.text.isascii()
        assert 'Zoe sings - "loudly"' in run.text
        await run.press("question_mark")
        assert run.text.isascii()


@pytest.mark.slow
async def test_without_colour_the_attention_is_drawn_in_characters(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened(training()) as run:
        seen = run.text
    assert "▀" not in seen
    assert "-==" in seen


@pytest.mark.slow
async def test_a_stop_in_money_or_time_is_named_on_its_own_counter():
    async with opened(training(stop=StopPoint(usd=10.0))) as run:
        assert "stop at $10.00 spent · 23:28" in run.text
        await run.change(stop=StopPoint(training_seconds=2364 + 5400))
        assert "stop at 2h09m of training in all · 15:32 (1h30m)" in run.text


@pytest.mark.slow
async def test_the_status_stays_above_a_maximised_panel():
    async with opened(training()) as run:
        await run.press("x")
        await run.pause()
        assert "871,204" in run.lines[1]
        assert "╭─ samples ·" in run.text
        assert "attention" not in run.text
        for title in ("─ log ─", "╭─ loss", "attention · 871k", "samples ·"):
            await run.press("tab")
            await run.pause()
            assert title in run.text
        await run.press("x")
        await run.pause()
        assert "attention · 871k" in run.text
        assert "samples ·" in run.text


@pytest.mark.slow
@pytest.mark.parametrize("size", [(53, 20), (40, 15)])
async def test_a_small_screen_shows_one_panel_under_tabs(size):
    titles = ("loss · best", "attention · ", "samples ·", "checkpoint 871,000 saved")
    async with opened(training(), size=size) as run:
        assert "loss  attention  samples  log" in run.text
        for title in titles * 2:
            assert [one in run.text for one in titles] == [one == title for one in titles]
            await run.press("tab")
            await run.pause()
        await run.press("shift+tab")
        await run.pause()
        assert titles[-1] in run.text
        # What a key acts on comes into sight.
        for key, title in (("left", titles[1]), ("left_square_bracket", titles[2])):
            await run.press(key)
            await run.pause()
            assert title in run.text
        await run.pilot.click("#tabs", offset=(4, 0))
        await run.pause()
        assert titles[0] in run.text
        await run.resize((80, 24))
        assert all(one in run.text for one in titles)


@pytest.mark.slow
async def test_a_usual_screen_has_one_line_of_log_and_all_of_it_on_tab():
    long = f"checkpoint failed: no space left on /data{'/folder' * 20}"
    async with opened(training()) as run:
        await run.change(events=(event(5, "an older one"), event(0, long, "error")))
        assert run.lines[-2].startswith(" 14:02 checkpoint failed")
        assert run.lines[-2].endswith("…")
        assert long in run.notes
        assert "an older one" not in run.text
        await run.press("tab")
        await run.pause()
        assert "an older one" in run.text
        assert long.replace(" ", "") in run.words.replace(" ", "")


@pytest.mark.slow
async def test_a_large_screen_has_three_columns_with_the_checkpoints():
    kept = (
        KeptCheckpoint("text2mel", 855_000, 0.12, base=True),
        KeptCheckpoint("text2mel", 865_000, 0.0961, best=True, best_by=("held-out", "listening")),
        KeptCheckpoint("text2mel", 871_000, 0.0987),
    )
    async with opened(training(checkpoints=kept), size=(200, 50)) as run:
        seen = run.words
    assert "871,000 Text2Mel 0.0987 newest" in seen
    assert "865,000 Text2Mel 0.0961 ★ best held-out, by ear" in seen
    assert "855,000 Text2Mel 0.1200 base" in seen
    assert "─ log ─" in seen


@pytest.mark.slow
async def test_a_narrow_footer_cuts_off_neither_help_nor_quit():
    async with opened(training()) as run:
        for width, bottom in (
            (53, "a l s p tab v w r e b c k z ? help q quit"),
            (64, "a audition l listen s stop at p pause v scores ? help q quit"),
            (80, "a audition l listen s stop at p pause v scores w advice r replay ? help q quit"),
            (20, "a l s p tab v w ? q"),
        ):
            await run.resize((width, 20 if width < 80 else 24))
            await run.look()
            shown = " ".join(run.lines[-1].split())
            assert shown.startswith(bottom[:12])
            assert shown.endswith(bottom[-3:])
            if width > 20:
                assert shown == bottom


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "said"),
    [((80, 24), "loss · best • 0.5165 at 10,000"), ((120, 40), "best held-out 0.5165 at 10,000")],
)
async def test_the_least_held_out_loss_stands_above_its_curve(size, said):
    async with opened(training(curve=LossCurve()), size=size) as run:
        assert "best" not in run.text
        known = replace(curve(0, 12_000), best=0.5165, best_step=10_000)
        await run.change(held_out=0.5477, curve=known)
        seen = run.text
    assert said in seen
    assert "held-out 0.5477" in seen


@pytest.mark.slow
async def test_what_happened_before_the_screen_opened_is_no_news():
    old = event(3, "the mirror was behind", "warning")
    async with opened(training(events=(old,)), size=(53, 20)) as run:
        assert run.notes == ""
        assert "the mirror was behind" in run.log
        await run.change(events=(old, event(0, "the disk is nearly full", "warning")))
        assert "the disk is nearly full" in run.notes
        assert "the mirror" not in run.notes
