"""Which checkpoint is recommended, from losses, measures and answers that may disagree."""

from dataclasses import replace

import pytest

from engine.advice.best import find_best
from engine.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from engine.run.evaluation import Evaluation, SentenceMeasures
from engine.voice.comparisons import Comparison, append_comparison
from engine.voice.evaluations import append_evaluation


@pytest.fixture
def known(make_voice):
    """What is found out about checkpoints 20 and 30 of a voice with its base at 10.

    Losses are held-out losses by step, quality what the judge says of each, heard is the step that
    was preferred to the base in six blind comparisons.
    """

    def find(losses, quality, heard=None):
        voice = make_voice(text2mel=10, base_step=10)
        whole = load_checkpoint(voice.checkpoint_folder("text2mel", 10))
        for step in (20, 30):
            save_checkpoint(replace(whole, step=step), voice.checkpoint_folder("text2mel", step))
        for step, good in quality.items():
            sentences = tuple(
                SentenceMeasures(
                    str(n), measures={"finished": good + n, "mel_distortion": 9 - good + n}
                )
                for n in range(6)
            )
            loss = losses.get(step)
            append_evaluation(voice, Evaluation("text2mel", step, 9e9, sentences, held_out=loss))
        lines = [f'{{"step":{step},"loss":1.0,"held_out":{one}}}' for step, one in losses.items()]
        voice.history("text2mel").write_text("\n".join(lines))
        for when in range(6 if heard else 0):
            names = ("text2mel-1.wav", "text2mel-2.wav")
            append_comparison(voice, Comparison(when, "text2mel", heard, 10, "a", "Hi.", names))
        return find_best(voice, "text2mel")

    return find


FALLING, RISING = {10: 0.9, 20: 0.5, 30: 0.4}, {10: 0.9, 20: 0.4, 30: 0.5}


@pytest.mark.parametrize(
    ("losses", "quality", "heard", "step", "words"),
    [
        (FALLING, {}, None, 30, "the judge has not measured enough checkpoints yet"),
        # What the judge has not measured counts as soon as it has the least loss.
        (FALLING, {10: 5, 20: 3}, None, 30, "the judge has not"),
        # Another speaker's voice may be the clearest of all.
        (RISING, {10: 5, 20: 3, 30: 3}, None, 20, "the judge finds no difference from 30"),
        # Clearly better to the judge outweighs the least loss.
        (RISING, {20: 3, 30: 5}, None, 30, "clearly better than 20 in 2 of 2 measures"),
        # Unless training has spoilt it.
        (
            {10: 0.3, 20: 0.4, 30: 0.5},
            {},
            None,
            10,
            "the judge has not measured enough checkpoints yet",
        ),
        # An ear comes first, but not before what it has not heard and all figures prefer.
        (FALLING, {}, 20, 20, "decided by 6 blind answers"),
        (RISING, {20: 3, 30: 5}, 20, 20, "decided by 6 blind answers"),
        (FALLING, {20: 3, 30: 5}, 20, 30, "clearly better than 20 in 2 of 2 measures"),
    ],
)
def test_it_rests_on_all_that_is_known(known, losses, quality, heard, step, words):
    found = known(losses, quality, heard)
    assert found.recommended.step == step
    assert words in found.recommended.certainty
    assert found.base == 10
    assert found.by["held-out"] == min(losses, key=losses.get)


def test_nothing_measured_recommends_nothing(known):
    assert known({}, {}).recommended is None
