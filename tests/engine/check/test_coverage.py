"""What a corpus lets a voice hear of English."""

from pathlib import Path

import pytest

from engine.check.coverage import coverage, coverage_findings
from engine.text.vocabulary import BBC_SYMBOLS, Vocabulary

RECIPE = Path(__file__).parents[3] / "assets" / "recipe"
BBC = Vocabulary(BBC_SYMBOLS)


@pytest.fixture(scope="module")
def everyday() -> list[str]:
    """The sentences of the demo: 160 of them, of everyday words."""
    lines = [
        line
        for name in ("demo.txt", "varied.txt", "held-out.txt")
        for line in (RECIPE / name).read_text("utf-8").splitlines()
    ]
    return [BBC.clean(line) for line in lines if line.strip()]


def test_everyday_sentences_cover_english(everyday: list[str]) -> None:
    found = coverage(everyday, BBC)
    assert sum(found.phonemes.values()) == pytest.approx(100)
    assert found.pairs is not None
    assert found.pairs > 0.9
    assert not {"T", "N", "S", "IH", "AH"} & set(found.rare_phonemes)
    assert not any(f.severity == "warning" for f in coverage_findings(found))


def test_sounds_that_are_left_out_are_told(everyday: list[str]) -> None:
    found = coverage([text for text in everyday if "oy" not in text and "oi" not in text], BBC)
    assert found.phonemes["OY"] == 0
    assert found.rare_phonemes[0] == "OY"
    absent = [f for f in coverage_findings(found) if f.kind == "absent-sounds"]
    assert [f.severity for f in absent] == ["warning"]
    assert "OY as in toy" in absent[0].figure


def test_rare_sounds_are_told_beside_english(everyday: list[str]) -> None:
    without = [" ".join(word for word in text.split() if "h" not in word) for text in everyday]
    counted = coverage([*without, "he has his hat."], BBC)
    assert counted.phonemes["HH"] > 0
    rare = [f for f in coverage_findings(counted) if f.kind == "rare-sounds"]
    assert [f.severity for f in rare] == ["note"]
    assert "HH as in he" in rare[0].figure


def test_symbols_are_counted() -> None:
    found = coverage(["abba, abba.", "quack"], BBC)
    assert {s: n for s, n in found.characters.items() if n} == {
        "a": 5, "b": 4, ",": 1, ".": 1, "q": 1, "u": 1, "c": 1, "k": 1,
    }  # fmt: skip
    assert not {"P", "E", " "} & set(found.characters)
    assert set(found.absent_characters) == set("defghijlmnoprstvwxyz'?;")


def test_absent_letters_warn_and_absent_marks_do_not(everyday: list[str]) -> None:
    texts = [text.replace("z", "s").replace(";", ",") for text in everyday]
    told = {f.kind: f for f in coverage_findings(coverage(texts, BBC))}
    assert (told["absent-letters"].severity, told["absent-letters"].figure) == ("warning", "z")
    assert told["absent-marks"].severity == "note"
    assert "“;”" in told["absent-marks"].figure


def test_a_few_sentences_are_not_asked_for_every_sound() -> None:
    few = coverage_findings(coverage(["in being comparatively modern."], BBC))
    assert {f.kind for f in few} == {"absent-letters", "absent-marks"}
    assert {f.severity for f in few} == {"note"}
    assert coverage_findings(coverage([], BBC)) == []


def test_another_language_has_characters_only() -> None:
    found = coverage(["schöne grüße"], Vocabulary(BBC_SYMBOLS + "äöüß", "plain"))
    assert found.characters["ö"] == 1
    assert found.absent_characters[-1] == "ä"
    assert (found.phonemes, found.rare_phonemes, found.pairs) == ({}, (), None)
