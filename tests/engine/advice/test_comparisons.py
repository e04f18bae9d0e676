"""What is said of answers."""

import pytest

from engine.advice.comparisons import describe_comparisons, standing_of
from engine.voice.comparisons import Comparison, append_comparison, read_comparisons


def answers(a, b, letters, network="text2mel"):
    """Answers about two steps: `a` and `b` for the better one, `s` for neither; the order turns."""
    found = []
    for number, letter in enumerate(letters):
        first, second = (a, b) if number % 2 else (b, a)
        better = {"a": a, "b": b}.get(letter)
        answer = "same" if better is None else "a" if better == first else "b"
        files = (f"{first}.wav", f"{second}.wav")
        sentence = f"Sentence {number % 3}."
        found.append(Comparison(1.0, network, first, second, answer, sentence, files))
    return found


@pytest.mark.parametrize(
    ("letters", "best", "words"),
    [
        ("", None, "no answers yet"),
        ("a", None, "1 answer, not decided yet; about 5 more decide it"),
        ("bbba", None, "4 answers, not decided yet; about 7 more decide it"),
        ("bbbbbb", 12_000, "12,000 wins: better than 10,000 in 6 of 6 answers (95 %"),
        ("aaaaaaas", 10_000, "10,000 wins: better than 12,000 in 7 of 8 answers, no difference in"),
        ("s" * 8, None, "8 answers, not decided yet; about 3 more decide it"),
        ("s" * 12, 10_000, "you cannot tell 10,000 and 12,000 apart in 12 answers: take 10,000, "),
        ("ab" * 70, 10_000, "you prefer neither 10,000 nor 12,000 in 140 answers: take 10,000, th"),
    ],
)
def test_a_pair_is_decided_when_the_answers_support_it(letters, best, words):
    standing = standing_of(answers(10_000, 12_000, letters), [12_000, 10_000])
    assert standing.words.startswith(words)
    assert (standing.best, standing.decided) == (best, best is not None)
    assert "000" not in standing.progress
    assert standing.decided or standing.words == standing.progress


def test_one_sentence_is_said_to_be_one():
    one = [given for given in answers(1, 2, "b" * 18) if given.sentence == "Sentence 0."]
    assert standing_of(one, [1, 2]).words.endswith(
        "(95 % interval 52–100 %); heard with one sentence only"
    )


def test_the_best_of_many_and_the_cheapest_of_the_good():
    steps = [1_000, 2_000, 3_000]
    clear = answers(1_000, 3_000, "b" * 9) + answers(2_000, 3_000, "b" * 9)
    standing = standing_of(clear, steps)
    assert standing.best == 3_000
    assert standing.words.startswith("3,000 is the best of 3 checkpoints: 9")
    alike = answers(1_000, 2_000, "a" * 9) + answers(2_000, 3_000, "b" * 9)
    standing = standing_of(alike + answers(1_000, 3_000, "s" * 20), steps)
    assert standing.best == 1_000
    none = "after 38 answers none of 3 checkpoints is clearly better than 1,000 or 3,000"
    assert standing.words.startswith(f"{none}: take 1,000, the cheapest")
    few = standing_of(answers(1_000, 3_000, "bb"), steps)
    assert few.best is None
    # What leads would spoil the next answer.
    assert few.words == few.progress == "2 answers, not decided yet; about 2 more decide it"
    many = standing_of(answers(1_000, 3_000, "bb"), range(1_000, 25_000, 1_000))
    assert many.words == "2 answers, not decided yet; at least 20 more decide it"


def test_answers_are_kept_and_a_damaged_line_costs_no_other(make_voice):
    voice = make_voice()
    assert read_comparisons(voice) == ()
    first, second = answers(10, 12, "ab")
    append_comparison(voice, first)
    with (voice.folder / "comparisons.jsonl").open("a") as file:
        file.write('{"time": 1, "network": "text2mel", "a": 5, "b": 5, "answer": "a"}\n')
        file.write('{"time": 1.0, "network": "text2mel", "a": 5, "b"')
    append_comparison(voice, second)
    assert read_comparisons(voice) == (first, second)


def test_networks_and_pairs_are_told_apart():
    given = answers(1, 2, "bb") + answers(2, 3, "b") + answers(1, 2, "a", "ssrn")
    described = describe_comparisons(given)
    assert [(one["steps"], one["answers"]) for one in described["text2mel"]] == [
        ([1, 2, 3], 3), ([1, 2], 2), ([2, 3], 1),
    ]  # fmt: skip
    assert [one["steps"] for one in described["ssrn"]] == [[1, 2]]
    assert describe_comparisons(()) == {}
