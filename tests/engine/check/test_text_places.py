"""Where a transcript may be cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.check.alignment import PlaceKind
from engine.check.text_places import Place, find_places, letters_of, script
from engine.text.vocabulary import BBC_SYMBOLS, Vocabulary

ENGLISH = Vocabulary(BBC_SYMBOLS)
PLAIN = Vocabulary("PE abcdefghijklmnopqrstuvwxyzäöüß'.?,!。、天気は雨です", "plain")
SPACED = st.text(st.sampled_from("abc. ,;!?–-()\"'12äß天。、\u2028$"), min_size=1, max_size=25)


def cut(text: str, place: Place, column: int = 0) -> tuple[str, str]:
    return text[: place.ends[column]].strip(), text[place.ends[column] :].strip()


@pytest.mark.parametrize(
    ("text", "kind", "before"),
    [
        (
            "Mr. Fox met Dr. Hare at 3.5 p.m. in St. Ives. He ran.",
            PlaceKind.SENTENCE,
            ["St. Ives."],
        ),
        ("“Is it late?” he asked, e.g. at noon.", PlaceKind.CLAUSE, ["asked,"]),
        ("We (all of us) went – slowly - home", PlaceKind.CLAUSE, ["We", "us)", "–", "-"]),
        ("No mark at all", PlaceKind.WORD, ["No", "mark", "at"]),
    ],
)
def test_marks_that_make_a_pause_are_told_from_others(
    text: str, kind: PlaceKind, before: list[str]
) -> None:
    places = [place for place in find_places([text], ENGLISH) if place.kind is kind]
    assert [cut(text, place)[0].endswith(end) for place, end in zip(places, before, strict=True)]


def test_scripts_without_spaces_are_cut_at_their_marks() -> None:
    text = "天気は雨です。雨です、天気です。"
    assert [cut(text, place)[0] for place in find_places([text], PLAIN)] == [
        "天気は雨です。",
        "天気は雨です。雨です、",
    ]


def test_both_columns_are_cut_alike_or_not_at_all() -> None:
    columns = [
        "Dr. Smith paid $5. He left at 10 sharp.",
        "Doctor Smith paid five dollars. He left at ten sharp.",
    ]
    cuts = [
        tuple(cut(column, place, number)[0] for number, column in enumerate(columns))
        for place in find_places(columns, ENGLISH)
    ]
    assert ("Dr. Smith", "Doctor Smith") in cuts
    assert all(raw.split()[-1] == text.split()[-1] for raw, text in cuts)
    assert not any(raw.endswith(("$5.", "10")) for raw, _ in cuts)


@settings(max_examples=50)
@given(SPACED, st.sampled_from([ENGLISH, PLAIN]))
def test_parts_together_are_read_as_the_whole(text: str, vocabulary: Vocabulary) -> None:
    whole = letters_of(vocabulary.clean(text))
    places = find_places([text], vocabulary)
    assert len(script(vocabulary.clean(text), places).letters) == len(whole)
    for place in places:
        before, after = cut(text, place)
        assert "".join((before + after).split()) == "".join(text.split())
        assert letters_of(vocabulary.clean(before)) == whole[: place.letters]
