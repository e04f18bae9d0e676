"""Which samples of the series stay."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from engine.run.sample import Sample
from engine.voice.thinning import NEWEST, superseded_samples


def sample(step, sentence="One.", *, automatic=True, time=0.0):
    path = Path(f"text2mel-{step}_{sentence}_{automatic}_{time}.wav")
    return Sample(step, sentence, path, 1.0, "", automatic=automatic, time=time)


def kept(samples, losses=(), keep=()):
    gone = superseded_samples(samples, dict(losses), keep)
    return [one for one in samples if not any(one is other for other in gone)]


def grown(steps, losses=()):
    """Thin after each of many checkpoints, as a long run does."""
    samples = []
    for step in steps:
        samples = kept([*samples, sample(step)], losses=losses)
    return [one.step for one in samples]


def test_distances_double_with_age():
    steps = grown(range(1_000, 1_001_000, 1_000), losses={300_000: 0.5, 1_000_000: 0.6})
    assert steps[0] == 1_000
    assert 300_000 in steps
    assert steps[-NEWEST:] == list(range(993_000, 1_001_000, 1_000))
    assert len(steps) < 25
    for earlier, step, later in zip(steps, steps[1:], steps[2:-NEWEST], strict=False):
        assert later - earlier > (1_000_000 - later) / 2 or 300_000 in (earlier, step, later)


@given(st.lists(st.integers(1, 100_000), min_size=1, max_size=80, unique=True).map(sorted))
def test_first_best_and_newest_stay_wherever_checkpoints_fall(steps):
    best = steps[len(steps) // 2]
    left = grown(steps, losses={best: 0.1, steps[0]: 0.2, steps[-1]: 0.2})
    assert {steps[0], best, *steps[-NEWEST:]} <= set(left)
    assert len(left) <= NEWEST + 2 * 17 + 2


def test_what_a_person_asked_for_or_needs_stays():
    asked = [sample(step, automatic=False) for step in range(1, 100)]
    series = [sample(step) for step in range(1, 100)]
    needed = series[40].path.name
    left = kept([*asked, *series], keep=[needed])
    assert left[: len(asked)] == asked
    assert series[40] in left
    assert series[41] not in left


def test_a_sentence_that_is_spoken_no_more_keeps_its_series():
    old = [sample(step, "Old.") for step in grown(range(1, 200))]
    new = [sample(step) for step in range(200, 200 + NEWEST)]
    assert kept([*old, *new]) == [*old, *new]


def test_of_a_step_that_was_made_twice_the_later_counts():
    again = [sample(5, time=1.0), sample(5, time=2.0), sample(6, time=3.0)]
    assert kept(again) == again[1:]
