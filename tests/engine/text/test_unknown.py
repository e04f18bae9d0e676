"""Characters that a corpus has and a voice has not: counted, with the line to look at."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.text.unknown import name_of, sentence_about, unknown_characters
from engine.text.vocabulary import BBC_SYMBOLS, Vocabulary

PLAIN = Vocabulary(BBC_SYMBOLS, "plain")


def rows(*transcripts: str) -> dict[int, str]:
    """Texts on the lines 1, 3, 5 … of a list."""
    return {2 * n + 1: text for n, text in enumerate(transcripts)}


def test_most_frequent_comes_first_with_its_first_line() -> None:
    found = unknown_characters(rows("All is known.", 'Stop ¤ "now"', 'A "word" at § last'), PLAIN)
    assert [(one.character, one.count, one.line) for one in found] == [
        ('"', 4, 3),
        ("¤", 1, 3),
        ("§", 1, 5),
    ]
    assert found[0].example == 'Stop ¤ "now"'
    assert unknown_characters(rows("Cafe; TEA?\tYes."), PLAIN) == ()
    found = unknown_characters(rows("Bäume, ÄPFEL", "schöne Bäume"), PLAIN)
    assert [(u.character, u.count, u.line, u.becomes) for u in found] == [
        ("ä", 3, 1, "a"),
        ("ö", 1, 3, "o"),
    ]


def test_example_is_printable_text_around_the_character() -> None:
    greek = Vocabulary("PE abcdefghijklmnopqrstuvwxyz.", "plain")
    text = "the quick brown fox jumps over\x1b the lazy % dog and runs away again"
    [escape, percent] = unknown_characters(rows(text), greek)
    assert percent.example == "…ps over\N{REPLACEMENT CHARACTER} the lazy % dog and runs away…"
    assert escape.character == "\x1b"
    assert escape.example.isprintable()
    # Of capitals and decomposed letters, too.
    [omega] = unknown_characters(rows("a long way before anything is said of Ωmega and"), greek)
    assert omega.example == "…ything is said of Ωmega and"
    [hangul] = unknown_characters(rows("so far all is well in \u1112\u1161 and"), greek)
    assert "\ud558" in hangul.example


def test_sentence() -> None:
    [quote] = unknown_characters(rows('He said "stop" to her.'), PLAIN)
    assert sentence_about(quote) == (
        '\'"\' 2 times, first in line 1 (He said "stop" to her.): '
        + ("left out" if PLAIN.replacement('"') == "" else "read as a space")
    )
    [sign] = unknown_characters(rows("so many €"), PLAIN)
    assert sentence_about(sign).startswith("'€' (U+20AC) once, in line 1 (so many €): ")


@pytest.mark.parametrize(
    ("character", "name"),
    [
        ('"', "'\"'"),
        ("’", "'’' (U+2019)"),
        ("\u200b", "U+200B"),
        ("\N{COMBINING ACUTE ACCENT}", "U+0301"),
        ("\x00", "U+0000"),
    ],
)
def test_lookalikes_are_named_by_number(character: str, name: str) -> None:
    assert name_of(character) == name


@pytest.mark.slow
@given(st.lists(st.text()))
def test_counts_and_lines_are_right_for_any_texts(
    transcripts: list[str],
) -> None:
    listed = rows(*transcripts)
    found = unknown_characters(listed, PLAIN)
    total: Counter[str] = sum(map(PLAIN.unknown, listed.values()), Counter())
    assert {one.character: one.count for one in found} == dict(total)
    for one in found:
        assert one.line == next(
            n for n, text in listed.items() if PLAIN.unknown(text)[one.character]
        )
        assert "\n" not in sentence_about(one)
