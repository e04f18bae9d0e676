"""Which file is whose, and files that are nobody's."""

from pathlib import Path

import pytest

from engine.check.metadata_checks import Metadata, check_metadata
from engine.check.report import Finding
from engine.data.clips import Limits, scan_corpus
from engine.text.vocabulary import BBC_SYMBOLS, Vocabulary


def listing(dataset: Path, content: str, *files: str) -> Metadata:
    for name in files:
        path = dataset / "wavs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (dataset / "wavs").mkdir(exist_ok=True)
    (dataset / "metadata.csv").write_text(content, encoding="utf-8")
    return check_metadata(scan_corpus(dataset), Vocabulary(BBC_SYMBOLS), Limits())


def reported(findings: tuple[Finding, ...]) -> list[tuple[int | None, str, str]]:
    return [(f.line, f.kind, f.file) for f in findings if f.severity != "note"]


def test_files_that_no_row_names(tmp_path: Path) -> None:
    found = listing(
        tmp_path, "a|Hello.", "a.wav", "b.wav", "deep/c.flac", "d.MP3", ".hidden.wav", "notes.txt"
    )
    assert reported(found.findings) == [
        (None, "orphaned-recording", "wavs/b.wav"),
        (None, "orphaned-recording", "wavs/deep/c.flac"),
        (None, "other-format", "wavs/d.MP3"),
    ]


def test_recording_of_a_broken_line_is_no_orphan(tmp_path: Path) -> None:
    content = 'a|one|two|three\nb\ttext\n"c"|text\nd.wav,text\ne|'
    found = listing(tmp_path, content, "a.wav", "b.wav", "c.flac", "d.wav", "e.wav")
    assert [kind for line, kind, _ in reported(found.findings) if line is None] == []


@pytest.mark.parametrize(
    ("row", "file", "kind", "part"),
    [
        ("Alice-1|Hello.", "alice-1.wav", "missing-recording", "wavs/alice-1.wav"),
        ("wavs/a|Hello.", "a.wav", "missing-recording", "wavs/a.wav"),
        ("part\\a|Hello.", "part/a.wav", "missing-recording", "wavs/part/a.wav"),
        ("a_1|Hello.", "a-1.flac", "missing-recording", "wavs/a-1.flac"),
        ("a|Hello.", "a.mp3", "missing-recording", "wavs/a.mp3"),
        ("a\N{EN DASH}1|Hello.", "a-1.wav", "missing-recording", "wavs/a-1.wav"),
        ("a|Hello.", "a (1).wav", "missing-recording", "wavs/a (1).wav"),
        ("a.mp3|Hello.", "a.mp3", "missing-recording", "wavs/a.mp3"),
        ("Hello.|a", "a.wav", "swapped-fields", "the id a"),
        ("Hello.|a.wav", "a.wav", "swapped-fields", "the id a.wav"),
    ],
)
def test_missing_recording_is_found_under_other_names(
    tmp_path: Path, row: str, file: str, kind: str, part: str
) -> None:
    findings = listing(tmp_path, row, file).findings
    found = [finding for finding in findings if finding.severity != "note"]
    assert [(f.line, f.kind, f.severity) for f in found] == [(1, kind, "error")]
    assert part in found[0].figure


def test_recording_in_two_formats(tmp_path: Path) -> None:
    found = listing(tmp_path, "a|Hello.", "a.flac", "a.wav", "a.WAV")
    assert reported(found.findings) == [
        (1, "two-recordings", "wavs/a.wav"),
        (1, "two-recordings", "wavs/a.flac"),
    ]
    assert found.clips[0].path.name == "a.WAV"


def test_names_in_another_unicode_form_are_found(tmp_path: Path) -> None:
    decomposed = "cafe\N{COMBINING ACUTE ACCENT}"
    found = listing(tmp_path, f"café|Hello.\n{decomposed}|Goodbye.", f"{decomposed}.wav")
    assert reported(found.findings) == [(2, "duplicate-id", "metadata.csv")]
    assert [clip.clip_id for clip in found.clips] == ["café"]


def test_unprintable_names_are_shown_safely(tmp_path: Path) -> None:
    found = listing(tmp_path, "a|Hello.", "a.wav", "b\x1b[31m.wav")
    assert reported(found.findings) == [(None, "orphaned-recording", "wavs/b�[31m.wav")]
