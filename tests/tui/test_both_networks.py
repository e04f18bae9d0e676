"""A run of both networks on one screen, and how SSRN follows Text2Mel."""

from dataclasses import replace

import pytest
from fake_session import SENTENCE, curve, training
from seeing import opened

from engine.run.commands import Audition, TrainNext
from engine.run.curves import Losses
from engine.run.sample import KeptCheckpoint
from engine.run.snapshot import Phase
from engine.run.stop import StopAt, StopPoint, parse_stop

pytestmark = pytest.mark.slow

BASE = KeptCheckpoint("ssrn", 10_000, base=True)
OWN = KeptCheckpoint("text2mel", 871_000)


def both(**of_ssrn):
    text2mel = training(checkpoints=(BASE, OWN))
    ssrn = replace(
        text2mel, network="ssrn", step=12_300, base_step=10_000, first_step=10_000,
        checkpoint_step=12_000, stop=StopPoint(step=15_000), stop_text="15k",
        steps_per_second=88.0, losses=Losses(0.21, 0.1, 0.11, None), attention=(),
        curve=curve(10_000, 12_300),
    )  # fmt: skip
    return replace(text2mel, other=replace(ssrn, **of_ssrn))


@pytest.mark.parametrize("size", [(53, 20), (80, 24), (120, 40), (200, 50)], ids=str)
async def test_tab_turns_to_the_other_network(size):
    async with opened(both(), size) as run:
        for step, stop in (("871,204", "stop at 900,000"), ("12,300", "stop at 15,000")):
            line = next(one for one in run.lines if step in one)
            assert stop in line
        assert "loss of Text2Mel" in run.text
        assert "loss 0.0912" in run.text
        await run.press("tab")
        assert "loss of SSRN" in run.text
        assert "loss 0.2100" in run.text
        assert run.text.count("spent $0.65") == 1
        if size[0] >= 80:
            assert "Text2Mel \u2587" in run.text  # its curve, small
            assert "attention \u00b7 871k" in run.text
        await run.press("shift+tab", "tab")
        assert "loss 0.0912" in run.text


async def test_commands_name_the_network_that_is_shown():
    async with opened(both()) as run:
        await run.press("tab", "a", "s", *"20k", "enter")
        assert run.sent == [Audition(SENTENCE, network="ssrn"), StopAt(parse_stop("20k"), "ssrn")]
        stopped = both(phase=Phase.AT_STOP, step=15_000, checkpoint_step=15_000)
        await run.show(stopped)
        assert "Stopped at 15,000, saved; Text2Mel trains on." in run.text
        assert "machine still costs" not in run.text
        await run.press("tab")
        assert "SSRN     15,000  at the stop" in run.text
        await run.press("q")
        assert "training at step 871,204" in run.text


async def test_a_screen_opens_on_the_network_that_trains():
    at_stop = replace(both(), phase=Phase.AT_STOP)
    async with opened(at_stop) as run:
        assert "loss of SSRN" in run.text
        await run.press("tab")
        assert "loss of Text2Mel" in run.text
    at_first = replace(both(phase=Phase.PREPARING), phase=Phase.PREPARING)
    preparing = replace(at_first, first_step=at_first.step)
    async with opened(preparing) as run:
        await run.show(replace(preparing, phase=Phase.AT_STOP))
        assert "loss of SSRN" in run.text


async def test_ssrn_follows_text2mel_at_its_stop():
    async with opened(training(checkpoints=(BASE, OWN))) as run:
        await run.press("n")
        assert run.sent == []
        assert "train SSRN" not in run.lines[-1]
        await run.change(phase=Phase.AT_STOP, checkpoint_step=871_204)
        assert "its SSRN is still the base's" in run.text
        assert "n train SSRN" in run.lines[-1]
        await run.press("n", "enter")
        assert run.sent == [TrainNext("ssrn", parse_stop("+5k"))]
        await run.show(both(phase=Phase.PREPARING))
        assert "loss of SSRN" in run.text
        assert "n train SSRN" not in run.lines[-1]
