"""What is advised to voices that improve, have stopped to, or get worse."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.advice.advice import Pace, Progress, advise
from engine.run.curves import LossCurve
from engine.run.evaluation import Evaluation, Misreading, SentenceMeasures

BASE = 10_000


def progress(loss, steps=16_000, noise=0.0001, evaluations=()):
    """Of a voice whose held-out loss is a function of the steps made."""
    made = np.arange(100, steps + 1, 100)
    rough = np.random.default_rng(7).normal(0, noise, len(made))
    smooth = [rough[0]]
    for one in rough[1:]:
        smooth.append(0.9 * smooth[-1] + 0.44 * one)
    losses = tuple((loss(made) + np.array(smooth)).tolist())
    curve = LossCurve(held_out_steps=tuple((BASE + made).tolist()), held_out=losses)
    return Progress(BASE + steps, BASE, curve, evaluations)


def improves(made):
    return 0.5 + 2 * (made + 500) ** -0.35


def is_flat(made):
    return 0.55 + 0.1 * np.exp(-made / 900)


def overfits(made):
    return 0.55 + 0.1 * np.exp(-made / 900) + 3e-6 * np.maximum(0, made - 4_000)


def evaluation(step, skipped, sentences=12, misread=0):
    """An evaluation in which attention gets better as less is skipped."""
    return Evaluation(
        "text2mel",
        step,
        1.0,
        tuple(
            SentenceMeasures(
                f"sentence {number}",
                measures={"skipped": skipped + number % 3, "mel_distortion": skipped},
                misreadings=(Misreading("skipped", "birch", 4, 9, 0.8, 0.9),) * (number < misread),
            )
            for number in range(sentences)
        ),
    )


@pytest.mark.parametrize(
    ("loss", "skipped", "kind", "words"),
    [
        (improves, None, "improving", "+5k steps ($0.82, 49m) are likely to cut held-out loss"),
        (is_flat, None, "flat", "by held-out loss alone"),
        (is_flat, (5, 5), "flat", "14,000 is as good as 26,000"),
        (is_flat, (9, 2), "improving", "better than 14,000 in skipped"),
        (is_flat, (2, 9), "worse", "14,000 is better than 26,000"),
        (overfits, None, "worse", "listen to be sure"),
        (overfits, (5, 5), "worse", "held-out loss rose from 0.55"),
        (overfits, (9, 2), "improving", "though held-out loss does not"),
        (improves, (2, 9), "unknown", "14,000 is better than 26,000: listen"),
    ],
)
def test_held_out_loss_and_judge_are_advised_by_together(loss, skipped, kind, words):
    steps = (14_000, 26_000)
    evaluations = [evaluation(*one) for one in zip(steps, skipped or (), strict=False)]
    advice = advise(progress(loss, evaluations=evaluations), Pace(1.7, 1.0))
    assert advice.kind == kind
    assert words in advice.text
    # Never on one measure alone.
    assert (advice.flat_since is not None) == (kind in ("flat", "worse") and bool(skipped))


def test_without_price_or_speed_nothing_is_said_of_them():
    assert "+5k steps (49m) are" in advise(progress(improves), Pace(1.7)).text
    assert "+5k steps are" in advise(progress(improves), Pace()).text


def test_little_is_known_at_first():
    advice = advise(progress(improves, steps=300), Pace())
    assert (advice.kind, advice.text[-6:]) == ("unknown", "10,800")
    attention = [evaluation(10_300, 3, misread=3)]
    advice = advise(progress(improves, steps=300, evaluations=attention), Pace())
    assert advice.text == "attention breaks in 3 of 12 sentences: listen to these"


def test_what_is_heard_comes_before_the_loss():
    steps = range(12_000, 26_001, 1_000)
    evaluations = [evaluation(step, 400 / (step - BASE) ** 0.5) for step in steps]
    advice = advise(progress(improves, evaluations=evaluations), Pace(1.7, 1.0))
    words = (
        "still improving: +5k steps ($0.82, 49m) are likely to cut skipped text from 4.2 % to 3."
    )
    assert advice.text.startswith(words)


def test_a_voice_that_cannot_read_yet_is_not_called_flat():
    """Attention may form late: `--stop-when flat` must not stop before it has."""
    evaluations = [evaluation(step, 5, misread=8) for step in (14_000, 26_000)]
    advice = advise(progress(is_flat, evaluations=evaluations), Pace())
    assert (advice.kind, advice.flat_since) == ("misread", None)


LOSSES = st.one_of(st.floats(0.1, 1), st.sampled_from([0.0, 1e30, -1e30, math.nan, math.inf]))


@settings(max_examples=30)
@given(st.lists(LOSSES, max_size=60), st.integers(1, 9_000), st.integers(0, 10**6))
def test_any_history_is_advised_about(losses, every, base):
    steps = tuple(every * (number + 1) for number in range(len(losses)))
    curve = LossCurve(held_out_steps=steps, held_out=tuple(losses))
    advice = advise(Progress(max(steps, default=0), base, curve), Pace(0.5, 2))
    assert advice.flat_since is None
    assert "nan" not in advice.text
