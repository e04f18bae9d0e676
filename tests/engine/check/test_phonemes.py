"""Letters to sounds, measured against a dictionary."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.check.english import PAIRS, SHARES
from engine.check.phonemes import PHONEMES, phonemes

RECIPE = Path(__file__).parents[3] / "assets" / "recipe"


@pytest.fixture(scope="module")
def dictionary() -> dict[str, list[list[str]]]:
    """The pronunciations of each word in the dictionary that pocketsphinx brings."""
    pocketsphinx = pytest.importorskip("pocketsphinx")
    found: dict[str, list[list[str]]] = {}
    path = Path(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict"))
    for line in path.read_text("utf-8").splitlines():
        word, *sounds = line.split()
        found.setdefault(re.sub(r"\(\d+\)$", "", word), []).append(sounds)
    return found


def errors(heard: Sequence[str], meant: Sequence[str]) -> int:
    """Levenshtein's distance."""
    row = list(range(len(meant) + 1))
    for i, a in enumerate(heard, start=1):
        previous, row[0] = row[0], i
        for j, b in enumerate(meant, start=1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    return row[-1]


def accuracy(words: list[str], dictionary: dict[str, list[list[str]]]) -> float:
    """Share of the phonemes that are right, against the nearest pronunciation."""
    wrong = total = 0
    for word in words:
        heard = phonemes(word)
        nearest = min(dictionary[word], key=lambda meant: errors(heard, meant))
        wrong += errors(heard, nearest)
        total += len(nearest)
    return 1 - wrong / total


def test_nine_phonemes_in_ten_of_everyday_words(dictionary: dict[str, list[list[str]]]) -> None:
    text = " ".join(
        (RECIPE / name).read_text("utf-8").lower() for name in ("demo.txt", "varied.txt")
    )
    words = sorted({word for word in re.findall(r"[a-z']+", text) if word in dictionary})
    assert len(words) > 500
    assert accuracy(words, dictionary) > 0.88


def test_four_in_five_of_all_words_of_the_dictionary(
    dictionary: dict[str, list[list[str]]],
) -> None:
    words = [word for word in sorted(dictionary) if re.fullmatch("[a-z]{3,}", word)][::60]
    assert len(words) > 1500
    assert accuracy(words, dictionary) > 0.75


@pytest.mark.parametrize(
    ("text", "sounds"),
    [
        ("Thinking of those thin things", "TH IH NG K IH NG AH V DH OW Z TH IH N TH IH NG Z"),
        ("making", "M EY K IH NG"),
        ("hoped, hopped", "HH OW P T HH AA P T"),
        ("wanted wishes", "W AA N T AH D W IH SH AH Z"),
        ("the dog's bones", "DH AH D AO G Z B OW N Z"),
        ("countries tried", "K AH N T R IY Z T R AY D"),
        ("somebody", "S AH M B AA D IY"),
        ("don’t", "D OW N T"),
        ("measure joy", "M EH ZH ER JH OY"),
        ("", ""),
        ("42 — ?!", ""),
    ],
)
def test_common_patterns(text: str, sounds: str) -> None:
    assert phonemes(text) == sounds.split()


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz' ", max_size=120))
def test_every_sequence_of_letters_has_phonemes(text: str) -> None:
    assert set(phonemes(text)) <= set(PHONEMES)


@pytest.mark.parametrize("word", ["a" * 50_000, "s'" * 20_000 + "s", "ing" * 10_000, "b" * 9_999])
def test_no_word_is_too_long(word: str) -> None:
    assert phonemes(word)


def test_the_tables_of_english_know_the_same_phonemes() -> None:
    assert set(SHARES) == set(PHONEMES)
    assert sum(SHARES.values()) == pytest.approx(100, abs=0.3)
    assert {sound for pair in PAIRS for sound in pair} == set(PHONEMES)
    # Of ten thousand pairs, less the rarest.
    assert 9_500 < sum(PAIRS.values()) < 10_000
