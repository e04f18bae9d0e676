"""Which clips of a folder can be used, and the reasons against the others."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from paths import SPEECH

from engine.data.clips import (
    Clip,
    Corpus,
    Limits,
    find_recording,
    map_in_order,
    scan_corpus,
    usable_clips,
)
from engine.errors import Cancelled, InputError
from engine.text.vocabulary import BBC_SYMBOLS, Vocabulary


def opened(dataset: Path, limits: Limits | None = None) -> Corpus:
    return usable_clips(scan_corpus(dataset), Vocabulary(BBC_SYMBOLS), limits or Limits())


def corpus_of(dataset: Path, *lines: str, files: tuple[str, ...] = ()) -> Path:
    (dataset / "wavs").mkdir(parents=True, exist_ok=True)
    (dataset / "metadata.csv").write_text("\n".join(lines), encoding="utf-8")
    for name in files:
        path = dataset / "wavs" / name
        path.parent.mkdir(exist_ok=True)
        container = "FLAC" if path.suffix.lower() == ".flac" else "WAV"
        soundfile.write(path, np.full(9, 0.1), 22_050, format=container)
    return dataset


def test_real_speech() -> None:
    corpus = opened(SPEECH)
    assert [clip.clip_id for clip in corpus.clips] == ["LJ001-0002", "LJ001-0008", "LJ001-0013"]
    assert corpus.clips[1] == Clip(
        2, "LJ001-0008", SPEECH / "wavs" / "LJ001-0008.flac", "has never been surpassed."
    )
    assert corpus.rejected == ()


def test_scan_has_the_list_and_all_files(tmp_path: Path) -> None:
    lines = ("a|one", "", "b", "c|three")
    scan = scan_corpus(corpus_of(tmp_path, *lines, files=("a.wav", "a.flac", "notes.mp3.wav")))
    assert scan.content.decode() == "\n".join(lines)
    assert [line.content for line in scan.lines] == list(lines)
    assert [row.clip_id for row in scan.rows] == ["a", "c"]
    assert [one.line for one in scan.malformed] == [3]
    assert {path.name for path in scan.files} == {"a.wav", "a.flac", "notes.mp3.wav"}
    assert [path.name for path in scan.recordings["a"]] == ["a.wav", "a.flac"]


@pytest.mark.parametrize(
    ("name", "listed"), [("a.wav", "a"), ("a.FLAC", "a.wav"), ("a.Wav", "a.flac"), ("a.flac", "a")]
)
def test_recording_is_found_by_any_of_its_names(tmp_path: Path, name: str, listed: str) -> None:
    corpus = opened(corpus_of(tmp_path, f"{listed}|Hello", files=(name,)))
    assert [(clip.clip_id, clip.path.name) for clip in corpus.clips] == [("a", name)]


def test_folders_dots_and_accents_in_names(tmp_path: Path) -> None:
    decomposed = "cafe\N{COMBINING ACUTE ACCENT}"
    lines = ("one/a|x", "b.c|x", "café|x", "a|x", "b|x")
    files = ("one/a.wav", "b.c.wav", f"{decomposed}.wav")
    corpus = opened(corpus_of(tmp_path, *lines, files=files))
    assert [clip.clip_id for clip in corpus.clips] == ["one/a", "b.c", "café"]
    assert [clip.clip_id for clip in corpus.rejected] == ["a", "b"]


def test_recording_of_a_clip_lies_below_its_corpus(tmp_path: Path) -> None:
    inside, outside = tmp_path / "corpus" / "wavs" / "a" / "hen.wav", tmp_path / "secret.wav"
    for path in (inside, outside):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    corpus = tmp_path / "corpus"
    assert find_recording(corpus, "a/hen") == inside
    for clip_id in ("hen", "a/../hen", "../../secret", str(outside.with_suffix(""))):
        assert find_recording(corpus, clip_id) is None


def test_unusable_clips_have_line_and_reason(tmp_path: Path) -> None:
    lines = (
        "missing|text",
        "good|text",
        "",
        "wordless|— …",
        "wordy|" + "a" * 180,
        "no fields",
        "../wavs/good|text",
        "good|again",
    )
    files = ("good.wav", "wordless.wav", "wordy.wav")
    corpus = opened(corpus_of(tmp_path, *lines, files=files))
    assert [clip.clip_id for clip in corpus.clips] == ["good"]
    assert [(bad.line, bad.clip_id, bad.reason[:50]) for bad in corpus.rejected] == [
        (1, "missing", "has no recording missing.wav or .flac in wavs"),
        (4, "wordless", "has no character of the vocabulary in its text '— "),
        (5, "wordy", "has a text of 181 characters; the limit is 180"),
        (6, "no fields", "has 1 field, but id|text or id|text|normalised is "),
        (7, "../wavs/good", "has an id that leads out of the folder wavs"),
        (8, "good", "has the same id as line 2"),
    ]


def test_text_of_just_the_limit_is_usable(tmp_path: Path) -> None:
    dataset = corpus_of(tmp_path, "a|abcd", files=("a.wav",))
    assert len(opened(dataset, Limits(max_characters=5)).clips) == 1
    with pytest.raises(InputError, match="5 characters; the limit is 4"):
        opened(dataset, Limits(max_characters=4))


def test_what_a_corpus_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no corpus folder"):
        opened(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"has no metadata\.csv"):
        opened(tmp_path)
    (tmp_path / "metadata.csv").write_text("")
    with pytest.raises(InputError, match="has no folder wavs"):
        opened(tmp_path)
    (tmp_path / "wavs").mkdir()
    with pytest.raises(InputError, match=r"metadata\.csv is empty"):
        opened(tmp_path)
    (tmp_path / "metadata.csv").write_bytes("a|text".encode("utf-16"))
    with pytest.raises(InputError, match=r"metadata\.csv, line 1: byte 0xff is not UTF-8"):
        opened(tmp_path)
    corpus_of(tmp_path, "", "a|text", "b|text")
    with pytest.raises(
        InputError, match=r"none of its 2 clips can be used\. Line 2, a: has no recording"
    ):
        opened(tmp_path)


def test_map_in_order_is_lazy_and_can_be_cancelled() -> None:
    asked = iter([False, False, True])
    results = map_in_order(
        lambda one: one * 2, range(5), cancelled=lambda: next(asked), if_cancelled="Not done."
    )
    assert [next(results), next(results)] == [0, 2]
    with pytest.raises(Cancelled, match="Not done"):
        next(results)
