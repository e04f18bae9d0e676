"""How much of English a corpus covers."""

import pytest
from paths import ROOT

from engine.check.coverage import coverage_findings, language_findings, measure_coverage
from engine.text.unknown import unknown_characters
from engine.text.vocabulary import BBC_SYMBOLS, Vocabulary

BBC = Vocabulary(BBC_SYMBOLS)


@pytest.fixture(scope="module")
def everyday() -> list[str]:
    """Sentences of the demo and its voice: 255 of them, of everyday words."""
    lines = [
        line
        for name in ("demo.txt", "varied.txt", "held-out.txt")
        for line in (ROOT / "assets" / "recipe" / name).read_text("utf-8").splitlines()
    ]
    return [BBC.clean(line) for line in lines if line.strip()]


def test_everyday_sentences_cover_english(everyday: list[str]) -> None:
    found = measure_coverage(everyday, BBC)
    assert found.pairs is not None
    assert found.pairs > 0.95
    assert not {"th", "he", "in", "qu", "zz"} & set(found.absent_pairs)
    assert not any(f.severity == "warning" for f in coverage_findings(found))


def test_missing_letter_pairs_are_reported(everyday: list[str]) -> None:
    texts = [" ".join(word for word in text.split() if "th" not in word) for text in everyday]
    found = measure_coverage(texts, BBC)
    assert found.absent_pairs[0] == "th"
    absent = [f for f in coverage_findings(found) if f.kind == "absent-pairs"]
    assert [f.severity for f in absent] == ["note"]
    assert absent[0].figure.startswith("th, ")


def test_monotonous_texts_have_few_pairs() -> None:
    found = measure_coverage(["one two three four five six seven eight nine ten."] * 60, BBC)
    (few,) = [f for f in coverage_findings(found) if f.kind == "few-pairs"]
    assert few.value == found.pairs
    assert found.pairs is not None
    assert found.pairs < 0.5
    (absent,) = [f for f in coverage_findings(found) if f.kind == "absent-pairs"]
    assert absent.figure.endswith(f"and {len(found.absent_pairs) - 12} more")


def test_symbols_are_counted() -> None:
    found = measure_coverage(["abba, abba.", "quack"], BBC)
    assert {s: n for s, n in found.characters.items() if n} == {
        "a": 5, "b": 4, ",": 1, ".": 1, "q": 1, "u": 1, "c": 1, "k": 1,
    }  # fmt: skip
    assert not {"P", "E", " "} & set(found.characters)
    assert set(found.absent_characters) == set("defghijlmnoprstvwxyz'?;")


def test_absent_letters_warn_and_absent_marks_do_not(everyday: list[str]) -> None:
    texts = [text.replace("z", "s").replace(";", ",") for text in everyday]
    found = {f.kind: f for f in coverage_findings(measure_coverage(texts, BBC))}
    assert (found["absent-letters"].severity, found["absent-letters"].figure) == ("warning", "z")
    assert (found["absent-marks"].severity, found["absent-marks"].figure) == ("note", "“;”")


def test_few_sentences_need_not_have_every_pair() -> None:
    few = list(coverage_findings(measure_coverage(["in being comparatively modern."], BBC)))
    assert {f.kind for f in few} == {"absent-letters", "absent-marks"}
    assert {f.severity for f in few} == {"note"}
    assert not list(coverage_findings(measure_coverage([], BBC)))


def test_another_language_has_characters_only() -> None:
    found = measure_coverage(["schöne grüße"], Vocabulary(BBC_SYMBOLS + "äöüß", "plain"))
    assert found.characters["ö"] == 1
    assert found.absent_characters[-1] == "ä"
    assert (found.absent_pairs, found.pairs) == ((), None)


@pytest.mark.parametrize(
    ("text", "cleaner", "severity", "advice"),
    [
        ("Żółty koń śpi", "english", "warning", "--cleaner plain --vocabulary 'PE abc"),
        ("Дом у реки", "english", "error", "--cleaner plain --vocabulary 'PE деикмору'"),
        ("Дом у реки", "plain", "error", "lack: --vocabulary 'PE деикмору'"),
        ("今天天气很好", "english", "error", "pinyin"),
    ],
)
def test_another_language_comes_with_a_vocabulary_to_copy(text, cleaner, severity, advice) -> None:
    vocabulary, texts = Vocabulary(BBC_SYMBOLS, cleaner), 4 * [text]
    unknown = unknown_characters(dict(enumerate(texts)), vocabulary)
    [found] = language_findings(texts, unknown, vocabulary)
    assert found.severity == severity
    assert advice in found.advice


def test_borrowed_words_are_no_other_language() -> None:
    texts = 60 * ["We sat outside the old harbour for a while and nobody said a word about it."]
    texts += ["The café is naïve.", "Привет"]
    unknown = unknown_characters(dict(enumerate(texts)), BBC)
    assert list(language_findings(texts, unknown, BBC)) == []


def test_vowel_signs_are_letters() -> None:
    hindi = Vocabulary("PE हिन्दी।", "plain")
    [letters, marks] = coverage_findings(measure_coverage(["न्द"], hindi))
    assert (letters.kind, letters.figure) == ("absent-letters", "ह, 'ि' (U+093F), 'ी' (U+0940)")
    assert (marks.kind, marks.figure) == ("absent-marks", "“।”")
