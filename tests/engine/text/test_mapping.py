"""From one vocabulary to another: by symbol, and from a stated neighbour."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.text.mapping import map_symbols, never_read, require_vocabulary
from engine.text.vocabulary import BBC_SYMBOLS, Vocabulary

KYUBYONG = "PE abcdefghijklmnopqrstuvwxyz'.?"

vocabularies = st.lists(
    st.characters(exclude_characters="PE ", exclude_categories=["Cs"]), unique=True, max_size=40
).flatmap(lambda symbols: st.permutations([" ", *symbols]).map(lambda order: "PE" + "".join(order)))


def origins(theirs: str, new: str) -> dict[str, str | None]:
    """Where new symbols start from."""
    mapping = map_symbols(theirs, "PE " + new)
    return dict(zip(mapping.ours[3:], mapping.starts[3:], strict=True))


@pytest.mark.parametrize(
    ("theirs", "symbol", "start"),
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
def test_a_new_symbol_starts_from_its_neighbour(
    theirs: str, symbol: str, start: str | None
) -> None:
    assert origins(theirs, symbol) == {symbol: start}


@given(vocabularies, vocabularies)
def test_every_symbol_has_an_origin_and_none_is_shifted(theirs: str, ours: str) -> None:
    mapping = map_symbols(theirs, ours)
    assert len(mapping.rows) == len(ours)
    assert mapping.rows[:2] == (0, 1)
    for symbol, row, known in zip(ours, mapping.rows, mapping.known, strict=True):
        assert known == (symbol in theirs)
        if known:
            assert row is not None
            assert theirs[row] == symbol
        else:
            # P and E are nobody's neighbours.
            assert row is None or row >= 2
    assert set(mapping.dropped) == set(theirs) - set(ours)
    assert mapping.letter_rows
    told = " ".join(mapping.sentences())
    assert all("\n" not in sentence for sentence in mapping.sentences())
    if not mapping.same:
        assert ("start from" in told) == (not all(mapping.known))
        assert ("not read here" in told) == bool(mapping.dropped)


def test_what_happens_is_told_in_a_line_for_each_kind() -> None:
    mapping = map_symbols(KYUBYONG, "PE abcdefghijklmnopqrstuvwxyz.,;中")
    assert mapping.sentences() == [
        "30 of 33 symbols are the source's and keep their embeddings",
        "new symbols start from a neighbour: ',' from ' ', ';' from ' '",
        "new symbols without a neighbour start from the mean of the letters: '中'",
        "symbols of the source that are not read here: \"'\", '?'",
    ]
    assert mapping.as_json() == {
        "source": KYUBYONG,
        "from_neighbour": {",": " ", ";": " "},
        "from_mean_of_letters": "中",
        "dropped": "'?",
    }
    [line] = map_symbols(BBC_SYMBOLS, BBC_SYMBOLS[:2] + BBC_SYMBOLS[:1:-1]).sentences()
    assert "another order" in line


def test_many_symbols_still_make_a_line() -> None:
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
def test_an_option_that_is_no_vocabulary_is_answered_with_the_line_to_type(
    typed: str, instead: str
) -> None:
    with pytest.raises(InputError) as caught:
        require_vocabulary(typed)
    assert str(caught.value).endswith(f"type --vocabulary {instead}.")
    assert "\n" not in str(caught.value)


def test_symbols_that_text_never_comes_to_are_found() -> None:
    assert never_read(Vocabulary(BBC_SYMBOLS)) == ""
    assert never_read(Vocabulary(BBC_SYMBOLS + "Q", "plain")) == "Q"
