"""From one vocabulary to another: by symbol, and from a stated neighbour."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.text.mapping import map_symbols, unread_symbols, vocabulary_option
from engine.text.vocabulary import BBC_SYMBOLS, Vocabulary

KYUBYONG = "PE abcdefghijklmnopqrstuvwxyz'.?"

vocabularies = st.lists(
    st.characters(exclude_characters="PE ", exclude_categories=["Cs"]), unique=True, max_size=40
).flatmap(lambda symbols: st.permutations([" ", *symbols]).map(lambda order: "PE" + "".join(order)))


def origins(source: str, new: str) -> dict[str, str | None]:
    """Where new symbols start from."""
    mapping = map_symbols(source, "PE " + new)
    return dict(zip(mapping.target[3:], mapping.starts[3:], strict=True))


@pytest.mark.parametrize(
    ("source", "symbol", "start"),
    [
        (BBC_SYMBOLS, ":", ";"),
        (KYUBYONG + ",", ";", ","),
        (KYUBYONG + ";", ",", ";"),
        # The source read its commas as spaces.
        (KYUBYONG, ",", " "),
        (BBC_SYMBOLS, "!", "."),
        (BBC_SYMBOLS, "–", ";"),
        (BBC_SYMBOLS, "-", " "),
        (BBC_SYMBOLS, '"', "'"),
        (BBC_SYMBOLS, "%", " "),
        (BBC_SYMBOLS, "ä", "a"),
        (BBC_SYMBOLS, "Ä", "a"),
        (BBC_SYMBOLS, "A", "a"),
        ("PE äx", "a", "ä"),
        (BBC_SYMBOLS, "ß", "s"),
        (BBC_SYMBOLS, "ø", "o"),
        (BBC_SYMBOLS, "æ", "a"),
        (BBC_SYMBOLS, "ж", "z"),
        ("PE 3", "٣", "3"),
        (BBC_SYMBOLS, "中", None),
        (BBC_SYMBOLS, "7", None),
        (BBC_SYMBOLS, "€", None),
        ("PE xyz", "ä", None),
    ],
)
def test_new_symbol_starts_from_its_neighbour(source: str, symbol: str, start: str | None) -> None:
    assert origins(source, symbol) == {symbol: start}


@given(vocabularies, vocabularies)
def test_every_symbol_has_an_origin_and_none_is_shifted(source: str, target: str) -> None:
    mapping = map_symbols(source, target)
    assert len(mapping.rows) == len(target)
    assert mapping.rows[:2] == (0, 1)
    for symbol, row, known in zip(target, mapping.rows, mapping.known, strict=True):
        assert known == (symbol in source)
        if known:
            assert row is not None
            assert source[row] == symbol
        else:
            # P and E are nobody's neighbours.
            assert row is None or row >= 2
    dropped = mapping.as_json()["dropped"]
    assert set(dropped) == set(source) - set(target)
    assert mapping.letter_rows
    sentences = " ".join(mapping.sentences())
    assert all("\n" not in sentence for sentence in mapping.sentences())
    if source != target:
        assert ("start from" in sentences) == (not all(mapping.known))
        assert ("this voice lacks" in sentences) == bool(dropped)


def test_one_sentence_per_kind_of_change() -> None:
    mapping = map_symbols(KYUBYONG, "PE abcdefghijklmnopqrstuvwxyz.,;中")
    assert mapping.sentences() == [
        "30 of 33 symbols keep the source's embeddings",
        "new symbols start from a neighbour: ',' from ' ', ';' from ' '",
        "new symbols without a neighbour start from the mean of the letters: '中'",
        "symbols of the source that this voice lacks: \"'\", '?'",
    ]
    assert mapping.as_json() == {
        "source": KYUBYONG,
        "from_neighbour": {",": " ", ";": " "},
        "from_mean_of_letters": "中",
        "dropped": "'?",
    }
    [line] = map_symbols(BBC_SYMBOLS, BBC_SYMBOLS[:2] + BBC_SYMBOLS[:1:-1]).sentences()
    assert "another order" in line
    kanji = "".join(map(chr, range(0x4E00, 0x4E00 + 500)))
    lines = map_symbols(BBC_SYMBOLS, BBC_SYMBOLS + kanji).sentences()
    assert lines[-1].endswith("and 476 more")


@pytest.mark.parametrize(
    ("typed", "instead"),
    [
        ("abc", "'PE abc'"),
        ("PEabc", "'PE abc'"),
        ("PE abca", "'PE abc'"),
        ("", "'PE '"),
        ("PE a\nb", "'PE ab'"),
        ("PE $'`a a", "'PE $'\"'\"'`a'"),
    ],
)
def test_invalid_vocabulary_option_names_a_valid_one(typed: str, instead: str) -> None:
    with pytest.raises(InputError) as caught:
        vocabulary_option(typed)
    assert str(caught.value).endswith(f"type --vocabulary {instead}.")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        # In NFD, and in NFC.
        ("PE abou\u0308a\u0308", "PE aboüä"),
        ("PE \u1100\u1161\u1102\u1161\u1102\u1161\u11ab", "PE 가나난"),
        ("PE ab\u1ea5", "PE abấ"),
        # Letters and accents apart, each once: not ź.
        ("PE auz\u0301\u0308", "PE auz\u0301\u0308"),
        # Letters without a form of their own: both parts are symbols, each once.
        ("PE аое\u0301о\u0301", "PE аое\u0301"),
        ("PE कखड\u0958\u095c", "PE कखड\u093c"),
        ("PE कखडड\u093cढ\u093c\u093f", "PE कखड\u093cढ\u093f"),
        # Joiners shape letters.
        ("PE می\u200c", "PE می\u200c"),
        # The Greek question mark is a semicolon.
        ("PE ας\u037e", "PE ας;"),
    ],
)
def test_vocabulary_is_taken_in_the_form_of_texts(typed: str, meant: str) -> None:
    assert vocabulary_option(typed, "plain") == meant


@pytest.mark.parametrize(
    ("typed", "cleaner", "said", "instead"),
    [
        ("PE abcÄß", "plain", "the capital letter 'Ä'", "'PE abcäß'"),
        ("PE abA", "plain", "the capital letter 'A'", "'PE ab'"),
        ("PE abQc7", "english", "the capital letter 'Q'", "'PE abqc'"),
        ("PE ab\u00a0", "plain", "U+00A0", "'PE ab'"),
        ("PE ab\u200b", "plain", "invisible characters: U+200B", "'PE ab'"),
        ("PE ab\x07", "plain", "invisible characters: U+0007", "'PE ab'"),
        ("PE abc7", "english", "'7', but --cleaner english only reads a to z", "'PE abc'"),
        ("PE abcäöü", "english", "never reads 'ä', 'ö', 'ü'", "add --cleaner plain"),
        ("PE абв", "english", "never reads 'а', 'б', 'в', only a to z", "add --cleaner plain"),
        ("PE abc\u0301", "english", "'PE abc'", "'PE abc'"),
    ],
)
def test_symbol_that_is_never_read_is_refused(typed, cleaner, said, instead) -> None:
    with pytest.raises(InputError) as caught:
        vocabulary_option(typed, cleaner)
    assert said in str(caught.value)
    assert instead in str(caught.value)


def test_unread_symbols() -> None:
    assert unread_symbols(Vocabulary(BBC_SYMBOLS)) == ""
    assert unread_symbols(Vocabulary(BBC_SYMBOLS + "Q", "plain")) == "Q"
