"""Text made to fit a vocabulary, and cut into pieces that can be spoken."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.text.vocabulary import BBC_SYMBOLS, Vocabulary, split_sentences

BBC = Vocabulary(BBC_SYMBOLS, "plain")
ENGLISH = Vocabulary(BBC_SYMBOLS)
ENGLISH.clean("A.B!com, 5 p!m. 1²")  # its tables are read at first use, which takes a moment
VOCABULARIES = [
    ENGLISH,
    BBC,
    Vocabulary("PE abcdefghijklmnopqrstuvwxyz'.?"),
    Vocabulary("PE abcdefghijklmnopqrstuvwxyz"),
    Vocabulary("PE abcdefghijklmnopqrstuvwxyz-!,"),
]

# Plain text, text of any script, and sentences full of the places where they are cut.
texts = st.one_of(
    st.text(),
    st.text(alphabet="abc PE,;.?!'\n\r\t éÀß0-", max_size=300),
    st.lists(st.sampled_from(["one", "two;", "three,", "four.", "five?", "six!", "\n"])).map(
        " ".join
    ),
)


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


@given(texts, st.sampled_from(VOCABULARIES))
@example("P E", ENGLISH)
@example("A.B!com etc! e!g. 5 p!m. 1²", ENGLISH)
@example("U.S.A.B" + 40 * ".com", ENGLISH)
def test_cleaned_text_is_clean_and_has_indices(text: str, vocabulary: Vocabulary) -> None:
    cleaned, ids = vocabulary.clean(text), vocabulary.encode(text)
    assert "  " not in cleaned
    assert cleaned == cleaned.strip()
    assert vocabulary.clean(cleaned) == cleaned
    assert ids[-1] == 1
    assert all(index >= 2 for index in ids[:-1])
    assert "".join(vocabulary.symbols[index] for index in ids[:-1]) == cleaned


def test_indices_are_of_clean_text_alone() -> None:
    assert ENGLISH.indices("a b") == [3, 2, 4, 1]
    assert BBC.encode("Ab P E") == [3, 4, 2, 18, 2, 7, 1]
    assert BBC.encode("") == [1]
    for text in ("A", "a1", "P"):
        with pytest.raises(ValueError, match="not in the vocabulary"):
            ENGLISH.indices(text)


def test_unknown_counts_what_is_replaced() -> None:
    assert BBC.unknown("3 cafés! 33\t“a”\n") == {
        "3": 3, "é": 1, "!": 1, "“": 1, "”": 1,
    }  # fmt: skip


@given(texts)
def test_text_without_unknown_characters_keeps_all_its_letters(text: str) -> None:
    known = "".join(character for character in text if not BBC.unknown(character))
    assert not BBC.unknown(known)
    assert len(BBC.clean(known).replace(" ", "")) >= sum(map(str.isascii, "".join(known.split())))


@pytest.mark.parametrize(
    ("symbols", "cleaned"),
    [
        (BBC_SYMBOLS, "wait, he said; don't; it's five to ten, really. now? so; they go."),
        (BBC_SYMBOLS + ":!-", "wait, he said: don't; it's five to ten, really! now? so; they go."),
        ("PE abcdefghijklmnopqrstuvwxyz'.?",
         "wait he said don't it's five to ten really. now? so they go."),
        ("PE abcdefghijklmnopqrstuvwxyz,",
         "wait, he said, dont, its five to ten, really now so, they go"),
        ("PE abcdefghijklmnopqrstuvwxyz",
         "wait he said dont its five to ten really now so they go"),
    ],
)  # fmt: skip
def test_marks_that_are_lacking_are_read_as_the_nearest(symbols: str, cleaned: str) -> None:
    text = "“Wait,” he said: ‘don’t’ – it's 5–10 (really)! Now? So… they go."
    assert Vocabulary(symbols).clean(text) == cleaned


def test_unknown_counts_what_is_not_spoken_as_words() -> None:
    text = '3 cafés! 33\t“a”\n$5.20 & 50% at 7:30 — "Жж" -5 (x), 1,000 ß 😀'
    assert ENGLISH.unknown(text) == {
        "!": 1, "“": 1, "”": 1, "—": 1, '"': 2, "ж": 2, "(": 1, ")": 1, "ß": 1, "😀": 1,
        "é": 1,
    }  # fmt: skip
    assert ENGLISH.unknown("İznik") == {"İ": 1}
    assert ENGLISH.replacement("İ") == "i"
    assert ENGLISH.unknown("Mr. Smith, No. 5; it's 1/2 @ 20°C? Yes.") == {}


def test_replacement_is_what_is_read_instead() -> None:
    read = {"!": ".", "“": "", '"': "", "—": ";", "…": ".", ":": ";", "(": ",", "-": " ", "’": "'"}
    read |= {"ж": "zh", "ß": "ss", "😀": " "}
    assert {character: ENGLISH.replacement(character) for character in read} == read
    assert BBC.replacement("!") == BBC.replacement("ß") == " "
    smallest = VOCABULARIES[3]
    assert [smallest.replacement(mark) for mark in "!,;—’"] == [" ", " ", " ", " ", ""]


@given(st.characters(), st.sampled_from(VOCABULARIES))
def test_replacement_is_of_the_vocabulary(character: str, vocabulary: Vocabulary) -> None:
    for unknown in vocabulary.unknown(character):
        assert set(vocabulary.replacement(unknown)) <= set(vocabulary.symbols[2:])


def test_another_language_keeps_the_letters_that_are_its_symbols() -> None:
    german = Vocabulary("PE abcdefghijklmnopqrstuvwxyzäöüß.,?", "plain")
    assert german.clean("Über 3 Öfen, cafe\u0301, u\u0308ben: Straße!") == (
        "über öfen, cafe, üben straße"
    )
    assert german.unknown("Über 3 Straßen!") == {"3": 1, "!": 1}


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


def test_sentences_end_in_every_script() -> None:
    hindi = Vocabulary("PE नमस्ते।", "plain")
    assert split_sentences("नमस्ते। सत।", hindi, 99) == ["नमस्ते।", "सत।"]
    chinese = Vocabulary("PE 你好。？", "plain")
    assert split_sentences("你好。“好？”你", chinese, 99) == ["你好。", "好？", "你"]


def test_long_sentences_are_cut_at_marks_then_spaces() -> None:
    text = "one, two; three, four five six; seven"
    assert split_sentences(text, BBC, 40) == [text]
    assert split_sentences(text, BBC, 32) == ["one, two; three, four five six;", "seven"]
    assert split_sentences(text, BBC, 23) == ["one, two;", "three, four five six;", "seven"]
    assert split_sentences(text, BBC, 16) == ["one, two;", "three,", "four five six;", "seven"]
    assert split_sentences(text, BBC, 11) == ["one, two;", "three,", "four five", "six; seven"]

    assert split_sentences("a abcdefgh b", BBC, 4) == ["a", "abc", "def", "gh", "b"]
    assert split_sentences(" ... !\n?; , Привет", BBC, 180) == []


def test_abbreviations_end_no_sentence() -> None:
    text = (
        "Mr. Smith came at 5 p.m. He left the U.S. in 1905. No. 5, St. Paul's Rd., is his!\nDr. No"
    )
    assert split_sentences(text, ENGLISH, 180) == [
        "mister smith came at five p m.",
        "he left the u s in nineteen oh five.",
        "number five, saint paul's road, is his.",
        "doctor no",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("vocabulary", [ENGLISH, BBC], ids=["english", "plain"])
@given(text=texts, limit=st.integers(2, 60))
@example(text="xetc aetc. be.g. cp.m. 5", limit=4)
def test_pieces_fit_and_keep_every_word(vocabulary: Vocabulary, text: str, limit: int) -> None:
    pieces = split_sentences(text, vocabulary, limit)
    for piece in pieces:
        assert piece
        assert vocabulary.clean(piece) == piece
        assert len(vocabulary.encode(piece)) <= limit
    if vocabulary is BBC:
        letters = re.sub("[^a-z]", "", BBC.clean(text))
        assert re.sub("[^a-z]", "", "".join(pieces)) == letters
