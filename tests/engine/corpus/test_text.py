"""Text made to fit a vocabulary, and cut into pieces that can be spoken."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.corpus.text import BBC_SYMBOLS, Vocabulary, split_sentences
from engine.errors import InputError

BBC = Vocabulary(BBC_SYMBOLS)

# Plain text, text of any script, and sentences full of the places where they are cut.
texts = st.one_of(
    st.text(),
    st.text(alphabet="abc PE,;.?!'\n\r\t éÀß0-", max_size=300),
    st.lists(st.sampled_from(["one", "two;", "three,", "four.", "five?", "six!", "\n"])).map(
        " ".join
    ),
)


def test_the_bbcs_vocabulary_has_34_symbols() -> None:
    assert len(BBC) == 34
    assert BBC.symbols[:3] == "PE "


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Hello, World.", "hello, world."),
        ("  a \t b\n\nc ", "a b c"),
        ("Café Ångström naïve", "cafe angstrom naive"),
        ("PEPPER", "pepper"),
        ("it's; so? yes!", "it's; so? yes"),
        ("50% (half) - done", "half done"),
        ("“quoted”", "quoted"),
        ("İstanbul", "istanbul"),
        ("e\N{COMBINING ACUTE ACCENT}tude", "etude"),
        ("Привет", ""),
    ],
)
def test_clean(text: str, cleaned: str) -> None:
    assert BBC.clean(text) == cleaned


def test_encode_ends_with_e_and_never_pads() -> None:
    assert BBC.encode("Ab P E") == [3, 4, 2, 18, 2, 7, 1]
    assert BBC.encode("") == [1]


def test_the_shorter_vocabulary_drops_what_it_lacks() -> None:
    kyubyong = Vocabulary("PE abcdefghijklmnopqrstuvwxyz'.?")
    assert len(kyubyong) == 32
    assert kyubyong.clean("one, two; three.") == "one two three."


@given(texts)
def test_cleaned_text_is_all_of_the_vocabulary_and_clean(text: str) -> None:
    cleaned = BBC.clean(text)
    assert set(cleaned) <= set(BBC_SYMBOLS[2:])
    assert "  " not in cleaned
    assert cleaned == cleaned.strip()
    assert BBC.clean(cleaned) == cleaned


@given(texts)
@example("P E")
def test_indices_are_the_text_and_one_e(text: str) -> None:
    ids = BBC.encode(text)
    assert ids[-1] == 1
    assert all(index >= 2 for index in ids[:-1])
    assert BBC.decode(ids) == BBC.clean(text)


def test_decode_leaves_padding_out_and_ends_at_e() -> None:
    assert BBC.decode([0, 3, 0, 4, 1, 5]) == "ab"
    with pytest.raises(ValueError, match="34"):
        BBC.decode([34])


def test_unknown_counts_what_is_replaced() -> None:
    assert BBC.unknown("3 cafés! 33\t“a”\n") == {"3": 3, "!": 1, "“": 1, "”": 1}


@given(texts)
def test_text_without_unknown_characters_keeps_all_its_letters(text: str) -> None:
    known = "".join(character for character in text if not BBC.unknown(character))
    assert not BBC.unknown(known)
    assert len(BBC.clean(known).replace(" ", "")) >= sum(map(str.isascii, "".join(known.split())))


@pytest.mark.parametrize(
    ("symbols", "said"),
    [
        ("", "must start"),
        ("abc ", "must start"),
        ("EP abc", "must start"),
        ("PEabc", "no space"),
        ("PE abca", "'a' more than once"),
        ("PE abcP", "'P' more than once"),
    ],
)
def test_symbols_that_are_no_vocabulary_are_refused(symbols: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Vocabulary(symbols)


def test_sentences_are_spoken_one_by_one() -> None:
    text = 'Two birds sat. Did they sing? "They did!" said one.\nA line\r\nAnother, of 3.14 m'
    assert split_sentences(text, BBC, 180) == [
        "two birds sat.",
        "did they sing?",
        "they did",
        "said one.",
        "a line",
        "another, of . m",
    ]


def test_a_long_sentence_is_cut_at_semicolons_before_commas_before_spaces() -> None:
    text = "one, two; three, four five six; seven"
    assert split_sentences(text, BBC, 40) == [text]
    assert split_sentences(text, BBC, 32) == ["one, two; three, four five six;", "seven"]
    assert split_sentences(text, BBC, 23) == ["one, two;", "three, four five six;", "seven"]
    assert split_sentences(text, BBC, 16) == ["one, two;", "three,", "four five six;", "seven"]
    assert split_sentences(text, BBC, 11) == ["one, two;", "three,", "four five", "six; seven"]


def test_only_a_word_beyond_the_limit_is_cut_inside() -> None:
    assert split_sentences("a abcdefgh b", BBC, 4) == ["a", "abc", "def", "gh", "b"]


def test_nothing_to_speak_gives_nothing() -> None:
    assert split_sentences(" ... !\n?; , Привет", BBC, 180) == []
    with pytest.raises(ValueError, match="room"):
        split_sentences("a", BBC, 1)


@given(texts, st.integers(2, 60))
def test_pieces_fit_and_keep_every_word(text: str, limit: int) -> None:
    pieces = split_sentences(text, BBC, limit)
    for piece in pieces:
        assert piece
        assert BBC.clean(piece) == piece
        assert len(BBC.encode(piece)) <= limit
    letters = re.sub("[^a-z]", "", BBC.clean(text))
    assert re.sub("[^a-z]", "", "".join(pieces)) == letters


@given(texts)
def test_with_room_enough_no_word_is_cut(text: str) -> None:
    words = re.findall("[a-z']*[a-z][a-z']*", BBC.clean(text))
    pieces = split_sentences(text, BBC, max(map(len, BBC.clean(text).split(" "))) + 2)
    assert [word for p in pieces for word in re.findall("[a-z']*[a-z][a-z']*", p)] == words
