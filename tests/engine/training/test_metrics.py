"""What a run had made and not saved when it was killed."""

import shutil

import pytest

from engine.training.metrics import lost_steps, lost_steps_text
from engine.voice.spend import SpendEntry


def entry(first, last, seconds=100.0, price=3.6, kind="training"):
    return SpendEntry("", "", "text2mel", first, last, seconds, price, kind)


@pytest.mark.parametrize(
    ("spend", "step", "logged", "text"),
    [
        ([entry(0, 400)], 400, 400, None),
        ([], 400, 410, "lost 10 steps since checkpoint 400; repeating them"),
        (
            [entry(0, 400), entry(400, 812, 118.0, 0.99)], 400, 810,
            "lost 412 steps since checkpoint 400 (1m58s, $0.03); repeating them",
        ),
        # Half of an entry led to the checkpoint.
        (
            [entry(300, 500), entry(500, 600)], 400, None,
            "lost 200 steps since checkpoint 400 (2m30s, $0.15); repeating them",
        ),
        # What was lost before and has been repeated is reported once.
        (
            [entry(0, 400), entry(400, 900), entry(400, 401, 1.0)], 400, None,
            "lost 1 step since checkpoint 400 (1s, $0.001); repeating it",
        ),
        # Idle time has no steps to lose.
        ([entry(0, 400), entry(400, 400, kind="idle")], 400, None, None),
        ([entry(0, 9, 7200.0, 0.0)], 0, 9, "lost 9 steps since the start (2h00m); repeating them"),
    ],
)  # fmt: skip
def test_lost_steps_are_reported_with_their_cost(spend, step, logged, text):
    lost = lost_steps(spend, step, logged)
    assert (None if lost is None else lost_steps_text(lost)) == text


def test_a_damaged_checkpoint_is_named_as_the_reason():
    lost = lost_steps([], 400, 410, damaged=405)
    assert lost_steps_text(lost) == (
        "lost 10 steps since checkpoint 400, because checkpoint 405 was damaged; repeating them"
    )


@pytest.mark.slow
def test_attention_of_earlier_runs_is_shown(make_voice, training):
    voice = make_voice()
    training.end(training.start(voice, "4", checkpoint_every=2))
    last = training.end(training.start(voice, "6", checkpoint_every=2))
    assert [plot.step for plot in last.attention] == [0, 2, 4, 6]
    assert len({plot.weights.shape for plot in last.attention}) == 1
    # Steps that are made again have no plots of before.
    for step in (4, 6):
        shutil.rmtree(voice.checkpoint_folder("text2mel", step))
    last = training.end(training.start(voice, "3"))
    assert [plot.step for plot in last.attention] == [0, 2, 3]
    voice.attention_plots("text2mel").write_bytes(b"damaged")
    last = training.end(training.start(voice, "5"))
    assert ([plot.step for plot in last.attention], last.failure) == ([3, 4, 5], "")
