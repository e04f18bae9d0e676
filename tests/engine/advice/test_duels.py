"""Checkpoints compared sentence by sentence in several measures."""

from engine.advice.duels import duels_between
from engine.run.evaluation import Evaluation, SentenceMeasures


def evaluation(step, *rows):
    """One row of figures a sentence: finished and mel_distortion."""
    sentences = tuple(
        SentenceMeasures(str(number), measures={"finished": finished, "mel_distortion": off})
        for number, (finished, off) in enumerate(rows)
    )
    return Evaluation("text2mel", step, 0.0, sentences)


GOOD = [(0.80, 0.10), (0.82, 0.12), (0.70, 0.11), (0.75, 0.09), (0.78, 0.10)]
# A little better and a little worse in turn.
ALIKE = [(0.81, 0.11), (0.81, 0.11), (0.71, 0.12), (0.74, 0.08), (0.77, 0.09)]
BAD = [(0.70, 0.20), (0.72, 0.22), (0.60, 0.21), (0.65, 0.19), (0.68, 0.20)]


def test_what_wins_in_every_measure_is_clearly_better():
    found = duels_between([evaluation(300, *BAD), evaluation(100, *GOOD), evaluation(200, *ALIKE)])
    assert found.best in (100, 200)
    assert found.clearly_worse_than(found.best) == [300]
    assert found.against(100, 300) == "clearly better than 300 in 2 of 2 measures"
    assert found.against(300, 100) == "clearly worse than 100 in 2 of 2 measures, better in none"
    assert found.against(100, 200) == "the judge cannot tell it from 200 in any of 2 measures"
    assert found.won(300) == 0


def test_a_sentence_that_failed_outweighs_no_others():
    """One outlier, in a measure of another size, is one duel lost."""
    failed = [*GOOD[:4], (0.0, 900.0)]
    found = duels_between([evaluation(1, *BAD), evaluation(2, *failed)])
    assert found.best == 2
    assert found.won(2) == 0.8


def test_equal_ones_are_no_different_and_the_earliest_is_the_best():
    found = duels_between([evaluation(9, *GOOD), evaluation(5, *GOOD)])
    assert (found.best, found.clearly_worse_than(5)) == (5, [])
    assert found.against(5, 9) == "the judge finds no difference from 9"


def test_too_little_in_common_says_nothing():
    assert duels_between([evaluation(1, *GOOD)]) is None
    assert duels_between([evaluation(1, *GOOD), evaluation(2, *GOOD[:2])]) is None
    no_measures = Evaluation("text2mel", 2, 0.0, tuple(SentenceMeasures(str(i)) for i in range(5)))
    assert duels_between([evaluation(1, *GOOD), no_measures]) is None


def test_sounds_of_different_ssrns_are_not_compared():
    """They say as much of the SSRNs; what Text2Mel does by itself still counts."""

    def measured(step, skipped, distortion, ssrn):
        measures = {"skipped": skipped, "stuck": skipped, "mel_distortion": distortion}
        sentences = tuple(SentenceMeasures(str(n), measures=measures) for n in range(5))
        return Evaluation("text2mel", step, 0.0, sentences, ssrn_step=ssrn)

    same = duels_between([measured(1, 1.0, 9.0, 7), measured(2, 2.0, 3.0, 7)])
    assert same.against(1, 2) == "clearly better than 2 in 2 of 3 measures, clearly worse in 1"
    other = duels_between([measured(1, 1.0, 9.0, 7), measured(2, 2.0, 3.0, 8)])
    assert other.against(1, 2) == "clearly better than 2 in 2 of 2 measures"


def test_measures_of_few_sentences_count_as_much_as_those_of_many():
    """Recordings of three sentences say that 1 is better, a recogniser on all twelve that 2 is."""

    def measured(step, loss, distortion, errors):
        rows = [{"error_rate": errors} for _ in range(12)]
        for row in rows[:3]:
            row |= {"held_out": loss, "mel_distortion": distortion, "focus": errors}
        sentences = (SentenceMeasures(str(n), measures=row) for n, row in enumerate(rows))
        return Evaluation("ssrn", step, 0.0, tuple(sentences), ssrn_step=step)

    found = duels_between([measured(1, 0.5, 4.0, 30.0), measured(2, 0.6, 5.0, 20.0)])
    assert (found.best, round(found.won(1), 3)) == (1, 0.667)
    assert found.against(1, 2) == "clearly better than 2 in 2 of 3 measures, clearly worse in 1"
