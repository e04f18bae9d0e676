"""Any text at all becomes English words, in a few rounds."""

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.text import english
from engine.text.english import spoken, worded
from engine.text.vocabulary import BBC_SYMBOLS, Vocabulary

VOCABULARIES = [
    Vocabulary(BBC_SYMBOLS),
    Vocabulary("PE abcdefghijklmnopqrstuvwxyz'.?"),
    Vocabulary("PE abcdefghijklmnopqrstuvwxyz"),
]
# What the rules look for, in any company.
_PIECES = r"""
1 5 12 1905 2,000 1.5 0 007 - – — . , ; : ! ? ' ’ " “ ” ( ) [ $ £ % & &amp; <b> Mr Dr St etc No vs
e.g. i.e. U.S. p.m. a.m BBC GPUs VIII I V King Henry Chapter km kg °C / @ # www. example com http://
x s th st p March Jan a the He é П 漢 ½ ² 😀 ^ * … ... ﬁ ① Ⅷ ٣ 〇 𒀀 ʼ ß + = ~ < > | _ \ ′ ″ ° º № ™
000 1e6 e5 8" Mon Fri John 3:16 #Me C# call 911 Ω drip deal -> => .env /etc C:\ ~/ 10.0.0.1 PIN
555-1234 H2SO4 NaCl Ave CA 90210 1.234,56 € K 60s A380 3/4 time jan sat III Toy Smith R$ MI6
"""
PIECES = sorted(set(_PIECES.split()))
written = st.one_of(
    st.text(),
    st.lists(
        st.tuples(st.sampled_from(PIECES), st.sampled_from(["", "", " ", "\n"])).map("".join),
        max_size=14,
    ).map("".join),
)


def has_letter_or_digit(text: str) -> bool:
    """Whether something in a text can be said; `ʼ` is called a letter, but has no sound."""
    return any(c.isdecimal() or (c.isalpha() and unicodedata.category(c) != "Lm") for c in text)


@pytest.mark.slow
@given(written)
@example("<b>")
@example("&nbsp;")
@example("word¹")
@example("\U000177ff")
def test_only_letters_and_known_marks_are_left(text: str) -> None:
    words = spoken(text)
    assert re.fullmatch(r"[A-Za-z.,;:?! '\n-]*", words)
    if has_letter_or_digit(text):
        assert any(map(str.isalpha, words))


@pytest.mark.slow
@given(written, st.sampled_from(VOCABULARIES))
@example("e!g. 5 p!m. A.B!com no!5", VOCABULARIES[0])
def test_cleaned_text_fits_the_vocabulary_and_stays(text: str, vocabulary: Vocabulary) -> None:
    cleaned = vocabulary.clean(text)
    assert set(cleaned) <= set(vocabulary.symbols[2:])
    assert vocabulary.clean(cleaned) == cleaned
    if has_letter_or_digit(text):
        assert any(map(str.isalpha, cleaned))


@given(written)
def test_no_digit_is_left(text: str) -> None:
    assert not re.search(r"\d", worded(text))


@pytest.mark.slow
@pytest.mark.parametrize("vocabulary", VOCABULARIES)
@pytest.mark.parametrize(
    "piece",
    [
        "1", "1,111,", "1/", "1-", "1.", ". ", "- ", "a.", "A. ", "U.S. ", "'", "(", "&amp;", "<a",
        "$1", "1:11:", "12 March ", "5 km ", "X", "Henry I ", "a@b.", "www.", "a.com", "http://",
        "etc!", "St. ", "漢", "1²", "—", "…", "!?", "+1 23 ", "1/1/", "e!g!", "a!com!", "no!1!",
        '8" ', "1 000 ", "1\u00a0000", "Mon-", "#Aa", "1e6 ", "Job 1:1-", "a²+", "8' x ",
        "call 911 ", "1%-", "/a/", "~/.a", "a/b.", ".a", "C:\\a\\", "1.1.1.1 ", "4111 1111 ",
        "555-", "A1", "H2", "(H2)", "1 N Main ", ", CA 1", "PIN 1", "1 + ", "1=1", "10-20K",
        "1'000", "Mon, ", "60s-", "a -> ", "1 by 1\" ", "John Smith ",
    ],
)  # fmt: skip
def test_hostile_text_is_clean_after_two_rounds(
    piece: str, vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = 0

    def counted(text: str) -> str:
        nonlocal rounds
        rounds += 1
        return spoken(text)

    # Were each round to settle one more of the pieces, a long line would take hours.
    monkeypatch.setattr(english, "spoken", counted)
    cleaned = vocabulary.clean(piece * 300)
    assert rounds <= 3
    assert vocabulary.clean(cleaned) == cleaned
