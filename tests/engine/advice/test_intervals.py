"""Means over sentences with their intervals."""

from dataclasses import replace

import numpy as np
import pytest

from engine.advice.intervals import compare, interval, summarise
from engine.run.evaluation import Evaluation, Misreading, Score, SentenceMeasures


def evaluation(step, **measures):
    """An evaluation whose sentences have these values."""
    sentences = tuple(
        SentenceMeasures(str(number), measures=dict(zip(measures, values, strict=True)))
        for number, values in enumerate(zip(*measures.values(), strict=True))
    )
    return Evaluation("text2mel", step, 1.0, sentences)


@pytest.mark.parametrize("count", [5, 8, 20])
def test_intervals_hold_the_truth_nineteen_times_of_twenty(count):
    random = np.random.default_rng(1)
    scores = [interval(random.normal(7, 2, count)) for _ in range(400)]
    held = np.mean([one.low <= 7 <= one.high for one in scores])
    assert 0.9 <= held <= 0.98
    assert scores[0] == interval(np.random.default_rng(1).normal(7, 2, count))


def test_one_value_and_equal_ones_have_no_width():
    assert interval([3.0]) == interval([3.0] * 6) == Score(3.0, 3.0, 3.0)
    with pytest.raises(ValueError, match="needs a value"):
        interval([])


def test_an_evaluation_in_figures():
    one = evaluation(5, focus=[0.5, 0.75, 1.0], held_out=[0.4, 0.6, 0.8], unheard_of=[1, 2, 3])
    misread = replace(one.sentences[0], misreadings=(Misreading("stuck", "a", 0, 1, 0.0, 2.0),))
    one = replace(
        one,
        sentences=(misread, *one.sentences[1:], SentenceMeasures("no focus")),
        held_out=0.65,
        held_out_training=0.7,
        ceilings={"focus": 0.9, "silence": 0.3},
    )
    found = summarise(one)
    assert [*found.scores] == ["held_out", "held_out_training", "focus"]
    assert found.scores["focus"].mean == pytest.approx(0.75)
    assert found.scores["focus"].low < 0.75 < found.scores["focus"].high
    assert found.scores["held_out"].mean == pytest.approx(0.65)
    assert found.scores["held_out_training"] == Score(0.7, 0.7, 0.7)
    assert (found.step, found.sentences, found.misread) == (5, 4, 1)
    assert found.ceilings == {"focus": 0.9}


def test_pairs_tell_what_means_cannot():
    spread = np.linspace(0.2, 0.9, 8)
    worse, better = evaluation(1, focus=spread), evaluation(2, focus=spread + 0.02)
    apart = [summarise(one).scores["focus"] for one in (worse, better)]
    assert apart[1].low < apart[0].mean < apart[1].mean < apart[0].high
    difference = compare(better, worse, "focus")
    assert difference.low == pytest.approx(0.02)
    assert compare(worse, better, "focus").mean == pytest.approx(-0.02)


def test_only_what_both_have_is_compared():
    one, other = evaluation(1, focus=[0.5, 0.6]), evaluation(2, focus=[0.7, 0.9, 0.1])
    assert compare(other, one, "focus").mean == pytest.approx(0.25)
    assert compare(one, other, "pace") is None
    sound = [replace(evaluation(1, clipping=[1.0]), ssrn_step=step) for step in (1, 2)]
    assert compare(sound[0], sound[0], "clipping") == Score(0.0, 0.0, 0.0)
    assert compare(*sound, "clipping") is None
