"""Reading metadata.csv as people's tools write it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.metadata import Rejected, Row, read_metadata
from engine.errors import InputError

FIXTURE = Path(__file__).parents[2] / "fixtures" / "ljspeech-3" / "metadata.csv"


def read(folder: Path, content: str | bytes) -> tuple[list[Row], list[Rejected]]:
    path = folder / "metadata.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_metadata(path)


def test_real_rows() -> None:
    rows, rejected = read_metadata(FIXTURE)
    assert [(row.line, row.clip_id) for row in rows] == [
        (1, "LJ001-0002"),
        (2, "LJ001-0008"),
        (3, "LJ001-0013"),
    ]
    assert rows[0].text == "in being comparatively modern."
    assert rejected == []


@pytest.mark.parametrize(
    ("line", "row"),
    [
        ("a|Dr. 5|doctor five", Row(1, "a", "doctor five")),
        ("a|text", Row(1, "a", "text")),
        ("a|text|", Row(1, "a", "text")),
        ("a|text|  ", Row(1, "a", "text")),
        ("a||norm", Row(1, "a", "norm")),
        ("a.wav|text", Row(1, "a", "text")),
        ("a.FLAC | text ", Row(1, "a", "text")),
        ("a.b|text", Row(1, "a.b", "text")),
        ("part/a|text", Row(1, "part/a", "text")),
        ("./a|text", Row(1, "a", "text")),
        ('a|"He said ""so"", and|"left', Row(1, "a", '"left')),
        ("a|one\u2028two\x0bthree\x85four", Row(1, "a", "one\u2028two\x0bthree\x85four")),
        ("é|Ünïcödé 漢字", Row(1, "é", "Ünïcödé 漢字")),
    ],
)
def test_a_good_line(tmp_path: Path, line: str, row: Row) -> None:
    assert read(tmp_path, line) == ([row], [])


@pytest.mark.parametrize(
    ("line", "clip_id", "said"),
    [
        ("just words", "just words", "has 1 field,"),
        ("a,text", "a,text", "has 1 field,"),
        ("a|b|c|d", "a", "has 4 fields"),
        ("|text", "", "no id"),
        (".wav|text", "", "no id"),
        ("a|", "a", "no text"),
        ("a| | ", "a", "no text"),
        ("../a|text", "../a", "leads out"),
        ("x/../../a|text", "x/../../a", "leads out"),
        ("/etc/passwd|text", "/etc/passwd", "leads out"),
        (".|text", ".", "leads out"),
        ("a\x00b|text", "a�b", "cannot be printed"),
        ("\x1b[2Ja|text", "�[2Ja", "cannot be printed"),
        ("x" * 500, "x" * 60 + "…", "has 1 field"),
    ],
)
def test_a_bad_line_is_told_with_its_number(
    tmp_path: Path, line: str, clip_id: str, said: str
) -> None:
    rows, rejected = read(tmp_path, f"good|text\n\n{line}\nfine|text\n")
    assert [row.line for row in rows] == [1, 4]
    assert [(bad.line, bad.clip_id) for bad in rejected] == [(3, clip_id)]
    assert said in rejected[0].reason


def test_the_second_of_two_equal_ids_is_rejected(tmp_path: Path) -> None:
    rows, rejected = read(tmp_path, "a|one\nb|two\na.wav|three\n./a|four")
    assert [row.text for row in rows] == ["one", "two"]
    assert [(bad.line, bad.reason) for bad in rejected] == [
        (3, "has the same id as line 1"),
        (4, "has the same id as line 1"),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_bytes_that_are_not_utf8_are_told_with_their_line(
    tmp_path: Path, end: str, mark: bytes
) -> None:
    content = mark + f"a|one{end}b|\u2028é{end}c|caf".encode() + b"\xe9"
    with pytest.raises(InputError, match=r"metadata\.csv, line 3: byte 0xe9 is not UTF-8"):
        read(tmp_path, content)


def test_a_file_of_another_encoding_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 1: byte 0xff is not UTF-8"):
        read(tmp_path, "a|text".encode("utf-16"))


def test_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_metadata(tmp_path / "metadata.csv")
    with pytest.raises(InputError, match="cannot be read"):
        read_metadata(tmp_path)


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    assert read(tmp_path, b"") == ([], [])
    assert read(tmp_path, b"\xef\xbb\xbf\r\n \n") == ([], [])


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
    last=st.booleans(),
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    texts: list[tuple[str, str]],
    blank: set[int],
    end: str,
    mark: bytes,
    suffix: str,
    last: bool,
) -> None:
    lines: list[str] = []
    expected: list[Row] = []
    for i, (raw, normalised) in enumerate(texts):
        if i in blank:
            lines.append("")
        lines.append(f"clip-{i}{suffix}|{raw}|{normalised}")
        expected.append(Row(len(lines), f"clip-{i}", normalised or raw))
    content = mark + (end.join(lines) + (end if last else "")).encode()
    assert read(tmp_path_factory.mktemp("corpus"), content) == (expected, [])


@given(st.binary(max_size=200) | st.text(alphabet="ab|./\\\n\r\x00\"'é ").map(str.encode))
def test_any_bytes_give_rows_or_one_clear_sentence(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    try:
        rows, rejected = read(tmp_path_factory.mktemp("corpus"), content)
    except InputError as error:
        assert "UTF-8" in str(error)  # noqa: PT017 (whether it raises depends on the bytes)
        return
    lines = [item.line for item in rows] + [item.line for item in rejected]
    assert len(set(lines)) == len(lines)
    for row in rows:
        assert row.text.strip()
        assert ".." not in Path(row.clip_id).parts
        assert not Path(row.clip_id).is_absolute()
