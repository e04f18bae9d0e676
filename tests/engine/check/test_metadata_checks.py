"""`metadata.csv`, checked line by line."""

import codecs
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paths import SPEECH

from engine.check.metadata_checks import Metadata, check_metadata, unknown_findings
from engine.check.report import Finding, UnknownCharacter
from engine.data.clips import Limits, scan_corpus, usable_clips
from engine.errors import InputError
from engine.text.vocabulary import BBC_SYMBOLS, Vocabulary

BBC = Vocabulary(BBC_SYMBOLS)


def sentence(number: int) -> str:
    """One of many good texts, no two alike."""
    animal = ("horse", "goose", "mouse", "sheep", "camel", "llama")[number % 6]
    place = ("garden", "kitchen", "village", "harbour")[number % 4]
    return f"A very old {animal} walked slowly through the {place} to look for door {'x' * number}."


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with recordings clip-0 to 4, which are only looked for; lists come and go."""
    folder = tmp_path_factory.mktemp("listed")
    (folder / "wavs").mkdir()
    for number in range(5):
        (folder / "wavs" / f"clip-{number}.wav").touch()
    return folder


Read = Callable[[str | bytes], Metadata]


@pytest.fixture(scope="module")
def read(dataset: Path) -> Read:
    def read(content: str | bytes) -> Metadata:
        data = content if isinstance(content, bytes) else content.encode()
        (dataset / "metadata.csv").write_bytes(data)
        return check_metadata(scan_corpus(dataset), BBC, Limits())

    return read


def about_lines(checked: Metadata) -> list[Finding]:
    return [finding for finding in checked.findings if finding.line is not None]


def test_rows_and_recordings(read: Read, dataset: Path) -> None:
    checked = read("clip-1|Hello there.\n\nclip-2.wav|Dr. Who.|Doctor Who.\nlost|Gone.\n")
    assert checked.rows == scan_corpus(dataset).rows
    assert checked.total == 3
    assert [(clip.line, clip.clip_id, clip.path, clip.text) for clip in checked.clips] == [
        (1, "clip-1", dataset / "wavs" / "clip-1.wav", "hello there."),
        (3, "clip-2", dataset / "wavs" / "clip-2.wav", "doctor who."),
    ]


@pytest.mark.parametrize(
    ("line", "kind", "severity", "clip_id", "part"),
    [
        ("clip-0|a|b|c", "field-count", "error", "clip-0", "4 fields"),
        ("only some words", "field-count", "error", "only some words", "1 field,"),
        ("so, it goes on", "field-count", "error", "so", "1 field,"),
        ("clip-0\tsome words", "wrong-separator", "error", "clip-0", "tabs, not by |"),
        ("clip-0;some words", "wrong-separator", "error", "clip-0", "semicolons"),
        ("clip-0,some words", "wrong-separator", "error", "clip-0", "commas"),
        ('"clip 0","some words"', "wrong-separator", "error", "clip 0", "commas"),
        ("clip-0｜some words", "wrong-separator", "error", "clip-0", "by ｜"),
        ('"clip-0"|"some words"', "csv-quotes", "error", "clip-0", "the id"),
        ("|some words.", "no-id", "error", "", "no id"),
        ("clip-0|", "no-text", "error", "clip-0", "no text"),
        ("../clip-0|words.", "outside-wavs", "error", "../clip-0", "leads out"),
        ("cl\x07ip|words.", "unprintable-id", "error", "cl�ip", "cannot be printed"),
        ("\ufeffclip-0|words.", "byte-order-mark", "error", "clip-0", "U+FEFF"),
        ("clip-0|wor\x00ds here.", "zero-byte", "error", "clip-0", "column 11"),
        ("clip-1|Other words.", "duplicate-id", "error", "clip-1", "line 1, with another text"),
        ("lost-1|Some words.", "missing-recording", "error", "lost-1", "no such file"),
        ("Clip-1|Some words.", "ids-alike", "warning", "Clip-1", "from clip-1 in line 1"),
        (f"clip-0|{'word ' * 40}", "text-too-long", "error", "clip-0", "the limit is 180"),
        ("clip-0|Some words.|None of it.", "columns-differ", "error", "clip-0", "normalised as"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_bad_line_is_reported_with_its_number(
    read: Read, line: str, kind: str, severity: str, clip_id: str, part: str, end: str
) -> None:
    checked = read(end.join([f"clip-1|{sentence(1)}", " ", line, f"clip-2|{sentence(2)}"]))
    found = [finding for finding in about_lines(checked) if finding.kind == kind]
    assert [(f.line, f.severity, f.clip_id) for f in found] == [(3, severity, clip_id)]
    assert part in found[0].figure
    assert found[0].advice
    assert {finding.line for finding in about_lines(checked)} == {3}


def test_latin_1_line_spoils_no_other(read: Read) -> None:
    checked = read(b"clip-0|One.\nclip-1|caf\xe9 au lait.\nclip-2|Two.\nclip-3|\xff.")
    assert [(f.line, f.kind, f.clip_id, f.value) for f in about_lines(checked)] == [
        (2, "not-utf-8", "clip-1", 11),
        (4, "not-utf-8", "clip-3", 8),
    ]
    assert "0xe9 (é in Windows-1252) at column 11" in about_lines(checked)[0].figure
    assert [row.clip_id for row in checked.rows] == ["clip-0", "clip-2"]
    assert checked.total == 4


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_wide_encoding_is_reported_once(read: Read, encoding: str) -> None:
    content = "".join(f"clip-{n}|{sentence(n)}\n" for n in range(4))
    checked = read(content.encode(encoding))
    assert [(f.kind, f.line) for f in checked.findings if f.severity == "error"] == [
        ("not-utf-8", None)
    ]
    assert encoding[:6].upper() in checked.findings[0].figure
    assert (checked.rows, checked.total) == ((), 4)
    assert [(each.line, each.clip_id) for each in checked.unlisted] == [
        (n + 1, f"clip-{n}") for n in range(4)
    ]


def test_lines_of_a_wide_encoding_are_checked(read: Read) -> None:
    checked = read(f"clip-0|{sentence(0)}\r\nclip-1\r\nclip-0|TODO\r\n".encode("utf-16"))
    errors = [(f.kind, f.line) for f in checked.findings if f.severity == "error"]
    assert errors == [("not-utf-8", None), ("field-count", 2), ("duplicate-id", 3)]


def test_damaged_wide_encoding_has_no_lines(read: Read) -> None:
    whole = f"clip-0|{sentence(0)}\nclip-1\nclip-2|\n".encode("utf-16")
    for place in (6, 9):
        checked = read(whole[:place] + b"x" + whole[place:])
        assert [(f.kind, f.line) for f in checked.findings] == [("not-utf-8", None)]


def test_recordings_of_unreadable_lines_are_unlisted(read: Read) -> None:
    lines = ["clip-0|a|b|c|d", "CLIP-1|Yes.", "clip-2\tNo.", "clip-3|", "clip-4|I see.", "clip-4|"]
    checked = read("\n".join(lines))
    assert [(each.line, each.path.stem) for each in checked.unlisted] == [
        (n, f"clip-{n - 1}") for n in (1, 2, 3, 4)
    ]


@pytest.mark.parametrize(
    ("content", "expected", "clips"),
    [
        (codecs.BOM_UTF8 + b"clip-0|Hello.", ("byte-order-mark", "note", None), 1),
        (b"clip-0|A.\nclip-1|B.\rclip-2|C.\n", ("mixed-line-ends", "note", 2), 3),
        (b"", ("empty-list", "error", None), 0),
        (b"\n \r\n", ("empty-list", "error", None), 0),
        (b"id|text\nclip-0|Hello there.", ("header", "warning", 1), 1),
        (b"file|transcription|normalized_text\nclip-0|Hello.", ("header", "warning", 1), 1),
        (b"wav|text|\nclip-0|Hello there.", ("header", "warning", 1), 1),
    ],
)
def test_what_the_whole_file_is_like_is_reported(
    read: Read, content: bytes, expected: tuple, clips: int
) -> None:
    checked = read(content)
    assert expected in [(f.kind, f.severity, f.line) for f in checked.findings]
    assert [row.clip_id for row in checked.rows] == [f"clip-{n}" for n in range(clips)]


def test_repeated_text_names_the_other_line(read: Read) -> None:
    checked = read(f"clip-0|{sentence(0)}\nclip-1|Yes.\nclip-2|{sentence(0).upper()}\nclip-3|yes")
    same = [finding for finding in checked.findings if finding.kind == "same-text"]
    assert [(f.line, f.severity) for f in same] == [(3, "warning"), (4, "note")]
    assert "clip-0 in line 1" in same[0].figure


def test_moved_column_names_the_line_it_comes_from(read: Read) -> None:
    slipped = f"clip-0|The cat sat on the mat.|{sentence(1)}"
    checked = read(f"{slipped}\nclip-1|{sentence(1)}|{sentence(1)}")
    columns = [finding for finding in checked.findings if finding.kind == "columns-differ"]
    assert [(f.line, f.severity) for f in columns] == [(1, "error")]
    assert columns[0].figure == "the last field is the text of line 2"


def test_clips_are_left_out_for_their_text(read: Read) -> None:
    checked = read(f"clip-0|{'word ' * 40}\nclip-1|~~\nclip-2|Fine.\nclip-3|{'x' * 100_000}")
    assert checked.left_out == {1, 2, 4}
    assert [(f.line, f.kind) for f in checked.findings if f.severity == "error"] == [
        (1, "text-too-long"),
        (2, "unreadable-text"),
        (4, "text-too-long"),
    ]


@settings(deadline=None, max_examples=40)
@given(
    line=st.integers(0, 2),
    place=st.floats(0, 1),
    length=st.integers(0, 30),
    inserted=st.binary(max_size=12)
    | st.text(max_size=6).map(str.encode)
    | st.sampled_from([b"|", b"||", b"\t", b'"', b"\0", b"\xff\xfe", codecs.BOM_UTF8, b"<b>"]),
)
def test_damaged_line_spoils_no_other(
    tmp_path_factory: pytest.TempPathFactory, line: int, place: float, length: int, inserted: bytes
) -> None:
    lines = (SPEECH / "metadata.csv").read_bytes().splitlines()
    start = int(place * len(lines[line]))
    inserted = inserted.replace(b"\r", b"").replace(b"\n", b"")
    lines[line] = lines[line][:start] + inserted + lines[line][start + length :]
    folder = tmp_path_factory.getbasetemp() / "mutated"
    (folder / "wavs").mkdir(parents=True, exist_ok=True)
    (folder / "metadata.csv").write_bytes(b"\r\n".join(lines))
    checked = check_metadata(scan_corpus(folder), BBC, Limits())
    found = {f.line for f in checked.findings if f.kind not in ("missing-recording", "same-text")}
    if not any(f.line is None and f.kind == "not-utf-8" for f in checked.findings):
        assert found <= {line + 1, None}
        assert len({row.line for row in checked.rows} - {line + 1}) == 2


@pytest.mark.slow
@settings(deadline=None)
@given(
    st.binary(max_size=300)
    | st.text(alphabet="ab1|./\\\n\r\x00\"'é \t<>[]&;Ã©�\ufeff").map(str.encode)
    | st.text(max_size=60).map(lambda text: text.encode("utf-16"))
)
def test_any_bytes_can_be_checked(read: Read, dataset: Path, content: bytes) -> None:
    checked = read(content)
    lines = content.count(b"\n") + content.count(b"\r") + 1
    assert all(1 <= (finding.line or 1) <= lines for finding in checked.findings)
    assert all(finding.clip_id.isprintable() for finding in checked.findings)
    assert all(finding.figure.isprintable() for finding in checked.findings)
    try:
        usable_clips(scan_corpus(dataset), BBC, Limits())
    except InputError as error:
        if "not UTF-8" in str(error):
            assert any(finding.kind == "not-utf-8" for finding in checked.findings)
            return
    left = {row.line for row in scan_corpus(dataset).rows} - {row.line for row in checked.rows}
    found = {finding.line for finding in checked.findings}
    assert left <= found or None in found


@pytest.mark.parametrize(("cleaner", "accent"), [("english", "note"), ("plain", "warning")])
def test_severity_of_unknown_characters(cleaner, accent) -> None:
    findings = list(
        unknown_findings(
            [
                UnknownCharacter("ß", 3, 7, "Straße", " "),
                UnknownCharacter("”", 2, 9, "he said ”so”", " "),
                UnknownCharacter("!", 1, 4, "stop!", "."),
                UnknownCharacter("é", 1, 5, "café", "e"),
            ],
            cleaner,
        )
    )
    assert [(f.severity, f.line, f.value) for f in findings] == [
        ("warning", 7, 3),
        ("note", 9, 2),
        ("note", 4, 1),
        (accent, 5, 1),
    ]
    assert "ß" in findings[0].figure
