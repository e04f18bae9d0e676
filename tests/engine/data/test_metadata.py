"""Reading metadata.csv as people's tools write it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.metadata import Rejected, Row, parse_lines, split_lines


def read(content: str | bytes) -> tuple[tuple[Row, ...], tuple[Rejected, ...]]:
    return parse_lines(split_lines(content if isinstance(content, bytes) else content.encode()))


@pytest.mark.parametrize(
    ("line", "row"),
    [
        ("a|Dr. 5|doctor five", Row(1, "a", "doctor five")),
        ("a|text", Row(1, "a", "text")),
        ("a|text|  ", Row(1, "a", "text")),
        ("a||norm", Row(1, "a", "norm")),
        ("a.FLAC | text ", Row(1, "a", "text")),
        ("a.b|text", Row(1, "a.b", "text")),
        ("./part/a|text", Row(1, "part/a", "text")),
        ('a|"He said ""so"", and|"left', Row(1, "a", '"left')),
        ("a|one\u2028two\x0bthree\x85four", Row(1, "a", "one\u2028two\x0bthree\x85four")),
        ("é|Ünïcödé 漢字", Row(1, "é", "Ünïcödé 漢字")),
    ],
)
def test_good_line(line: str, row: Row) -> None:
    assert read(line) == ((row,), ())


@pytest.mark.parametrize(
    ("line", "clip_id", "reason"),
    [
        ("just words", "just words", "has 1 field,"),
        ("a|b|c|d", "a", "has 4 fields"),
        (".wav|text", "", "no id"),
        ("a| | ", "a", "no text"),
        ("x/../../a|text", "x/../../a", "leads out"),
        ("/etc/passwd|text", "/etc/passwd", "leads out"),
        (".|text", ".", "leads out"),
        ("\x1b[2Ja|text", "�[2Ja", "cannot be printed"),
        ("x" * 500, "x" * 60 + "…", "has 1 field"),
    ],
)
def test_bad_line_is_rejected_with_its_number(line: str, clip_id: str, reason: str) -> None:
    rows, rejected = read(f"good|text\n\n{line}\nfine|text\n")
    assert [row.line for row in rows] == [1, 4]
    assert [(bad.line, bad.clip_id) for bad in rejected] == [(3, clip_id)]
    assert reason in rejected[0].reason


def test_second_of_two_equal_ids_is_rejected() -> None:
    rows, rejected = read("a|one\nb|two\na.wav|three\n./a|four")
    assert [row.text for row in rows] == ["one", "two"]
    assert [(bad.line, bad.reason) for bad in rejected] == [
        (3, "has the same id as line 1"),
        (4, "has the same id as line 1"),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_bytes_that_are_not_utf8_are_located(end: str, mark: bytes) -> None:
    lines = split_lines(mark + f"a|one{end}b|\u2028é{end}c|caf".encode() + b"\xe9")
    assert [line.damage for line in lines] == [None, None, (0xE9, 6)]


def test_empty_list_has_no_rows() -> None:
    assert read(b"") == read(b"\xef\xbb\xbf\r\n \n") == ((), ())


# Text of a field: no separator, no line end, something to read, no space at the ends.
fields = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="|\n\r"), min_size=1).map(
    str.strip
)


@given(
    texts=st.lists(st.tuples(fields.filter(bool), fields), min_size=1, max_size=8),
    blank=st.sets(st.integers(0, 7)),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    mark=st.sampled_from([b"", b"\xef\xbb\xbf"]),
    suffix=st.sampled_from(["", ".wav", ".flac"]),
)
def test_rows_are_those_written(
    texts: list[tuple[str, str]], blank: set[int], end: str, mark: bytes, suffix: str
) -> None:
    lines: list[str] = []
    expected: list[Row] = []
    for i, (raw, normalised) in enumerate(texts):
        if i in blank:
            lines.append("")
        lines.append(f"clip-{i}{suffix}|{raw}|{normalised}")
        expected.append(Row(len(lines), f"clip-{i}", normalised or raw))
    assert read(mark + end.join(lines).encode()) == (tuple(expected), ())


@given(st.binary(max_size=200) | st.text(alphabet="ab|./\\\n\r\x00\"'é ").map(str.encode))
def test_any_bytes_give_rows_or_reasons(content: bytes) -> None:
    rows, rejected = read(content)
    lines = [item.line for item in rows] + [item.line for item in rejected]
    assert len(set(lines)) == len(lines)
    for row in rows:
        assert row.text.strip()
        assert ".." not in Path(row.clip_id).parts
        assert not Path(row.clip_id).is_absolute()
