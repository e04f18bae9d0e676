"""Which clips of a folder can be used, and what is said of the others."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.data.audio import AudioSpec
from engine.data.clips import Clip, Corpus, Limits, held_out, open_corpus
from engine.errors import InputError
from engine.text.vocabulary import BBC_SYMBOLS, Vocabulary

FIXTURE = Path(__file__).parents[2] / "fixtures" / "ljspeech-3"
BBC = Vocabulary(BBC_SYMBOLS)
AUDIO = AudioSpec()


def write_tone(path: Path, seconds: float, rate: int = 22_050, silence: float = 0.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    quiet = np.zeros(int(silence * rate))
    samples = 0.3 * np.sin(2 * np.pi * 300 * np.arange(int(seconds * rate)) / rate)
    container = "FLAC" if path.suffix.lower() == ".flac" else "WAV"
    soundfile.write(path, np.concatenate([quiet, samples, quiet]), rate, format=container)


def opened(dataset: Path, limits: Limits | None = None) -> Corpus:
    return open_corpus(dataset, BBC, limits or Limits(), AUDIO)


def corpus_of(dataset: Path, *lines: str) -> Path:
    (dataset / "wavs").mkdir(parents=True, exist_ok=True)
    (dataset / "metadata.csv").write_text("\n".join(lines), encoding="utf-8")
    return dataset


def test_real_speech() -> None:
    corpus = opened(FIXTURE)
    assert [clip.clip_id for clip in corpus.clips] == ["LJ001-0002", "LJ001-0008", "LJ001-0013"]
    assert corpus.clips[1] == Clip(
        2, "LJ001-0008", FIXTURE / "wavs" / "LJ001-0008.flac", "has never been surpassed."
    )
    assert corpus.rejected == ()


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.WAV", "a.FLAC", "a.Wav"])
@pytest.mark.parametrize("listed", ["a", "a.wav", "a.flac"])
def test_a_recording_is_found_by_any_of_its_names(tmp_path: Path, name: str, listed: str) -> None:
    write_tone(tmp_path / "wavs" / name, 1)
    corpus = opened(corpus_of(tmp_path, f"{listed}|Hello"))
    assert [(clip.clip_id, clip.path.name) for clip in corpus.clips] == [("a", name)]


def test_of_wav_and_flac_the_wav_is_taken(tmp_path: Path) -> None:
    write_tone(tmp_path / "wavs" / "a.flac", 1)
    write_tone(tmp_path / "wavs" / "a.wav", 1)
    assert opened(corpus_of(tmp_path, "a|Hello")).clips[0].path.name == "a.wav"


def test_folders_below_wavs_and_dots_and_accents_in_names(tmp_path: Path) -> None:
    decomposed = "cafe\N{COMBINING ACUTE ACCENT}"
    for name in ("one/a.wav", "b.c.wav", f"{decomposed}.wav"):
        write_tone(tmp_path / "wavs" / name, 1)
    corpus = opened(corpus_of(tmp_path, "one/a|x", "b.c|x", "café|x", "a|x", "b|x"))
    assert [clip.clip_id for clip in corpus.clips] == ["one/a", "b.c", "café"]
    assert [clip.clip_id for clip in corpus.rejected] == ["a", "b"]


def test_every_unusable_clip_is_told_with_line_and_reason(tmp_path: Path) -> None:
    wavs = tmp_path / "wavs"
    write_tone(wavs / "good.wav", 1)
    write_tone(wavs / "wordless.wav", 1)
    write_tone(wavs / "wordy.wav", 1)
    write_tone(wavs / "long.wav", 11)
    write_tone(wavs / "endless.flac", 60, rate=8_000)
    write_tone(wavs / "empty.wav", 0)
    (wavs / "broken.wav").write_bytes(b"RIFF....")
    corpus = opened(
        corpus_of(
            tmp_path,
            "missing|text",
            "good|text",
            "",
            "wordless|— …",
            "wordy|" + "a" * 180,
            "long|text",
            "endless|text",
            "empty|text",
            "broken|text",
            "no fields",
            "../wavs/good|text",
            "good|again",
        )
    )
    assert [clip.clip_id for clip in corpus.clips] == ["good"]
    reasons = {(bad.line, bad.clip_id): bad.reason for bad in corpus.rejected}
    assert list(reasons) == [
        (1, "missing"),
        (4, "wordless"),
        (5, "wordy"),
        (6, "long"),
        (7, "endless"),
        (8, "empty"),
        (9, "broken"),
        (10, "no fields"),
        (11, "../wavs/good"),
        (12, "good"),
    ]
    for key, said in {
        (1, "missing"): "has no recording missing.wav or .flac in wavs",
        (4, "wordless"): "no character of the vocabulary in its text '— …'",
        (5, "wordy"): "a text of 181 symbols with its E, but the limit is 180",
        (6, "long"): "lasts 11.0 s (221 coarse frames), but the limit is 10.5 s (210)",
        (7, "endless"): "lasts 60.0 s",
        (8, "empty"): "is empty",
        (9, "broken"): "broken.wav cannot be read",
    }.items():
        assert said in reasons[key]


def test_the_limits_themselves_are_allowed(tmp_path: Path) -> None:
    coarse = 20
    longest = (coarse * 4 - 1) * 275 + 274
    (tmp_path / "wavs").mkdir()
    sound = 0.1 * np.random.default_rng(1).standard_normal(longest + 1)
    soundfile.write(tmp_path / "wavs" / "fits.wav", sound[:-1], 22_050)
    soundfile.write(tmp_path / "wavs" / "over.wav", sound, 22_050)
    corpus_of(tmp_path, "fits|abcd", "over|abcd")
    corpus = opened(tmp_path, Limits(max_characters=5, max_coarse_frames=coarse))
    assert [clip.clip_id for clip in corpus.clips] == ["fits"]
    assert "21 coarse frames" in corpus.rejected[0].reason
    with pytest.raises(InputError, match="5 symbols"):
        opened(tmp_path, Limits(max_characters=4))


def test_silence_at_the_ends_does_not_make_a_clip_too_long(tmp_path: Path) -> None:
    write_tone(tmp_path / "wavs" / "padded.wav", 9, silence=1)
    assert len(opened(corpus_of(tmp_path, "padded|text")).clips) == 1


def test_another_sample_rate_is_as_long(tmp_path: Path) -> None:
    write_tone(tmp_path / "wavs" / "a.wav", 10, rate=48_000)
    write_tone(tmp_path / "wavs" / "b.wav", 11, rate=48_000)
    corpus = opened(corpus_of(tmp_path, "a|text", "b|text"))
    assert [clip.clip_id for clip in corpus.clips] == ["a"]


def test_what_is_missing_is_said(tmp_path: Path) -> None:
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
    corpus_of(tmp_path, "", "a|text", "b|text")
    with pytest.raises(InputError, match=r"clips \(2\) can be used. Line 2, a: has no recording"):
        opened(tmp_path)


def clips_named(*ids: str) -> list[Clip]:
    return [Clip(i, name, Path(f"{name}.wav"), "text") for i, name in enumerate(ids, 1)]


@pytest.mark.parametrize(
    ("clips", "expected"), [(0, 0), (1, 0), (2, 1), (19, 1), (20, 2), (60, 6), (80, 8), (500, 8)]
)
def test_how_many_are_held_out(clips: int, expected: int) -> None:
    names = [f"clip-{i}" for i in range(clips)]
    chosen = held_out(clips_named(*names))
    assert len(chosen) == expected
    assert chosen <= set(names)


def test_the_held_out_set_depends_on_the_ids_alone() -> None:
    names = [f"clip-{i}" for i in range(100)]
    chosen = held_out(clips_named(*names))
    assert held_out(clips_named(*reversed(names))) == chosen
    for removed in names:
        remaining = held_out(clips_named(*(name for name in names if name != removed)))
        assert chosen - {removed} <= remaining
