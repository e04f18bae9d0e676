"""A repaired copy of a corpus, from real speech with known faults."""

import hashlib
import json
import shutil

import numpy as np
import pytest
import soundfile
import soxr
from planted_sound import examined

from engine.check.clean_copy import REPORT
from engine.check.cleaning import SPEECH_LEVEL
from engine.check.levels import measure_levels
from engine.errors import InputError
from engine.jobs.clean import clean

RATE = 22_050
TEXTS = {
    "LJ001-0002": "in being comparatively modern.",
    "LJ001-0008": "has never been surpassed.",
    "LJ001-0013": "than in the same operations with ugly ones.",
}


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def corpus(tmp_path, speech):
    folder = tmp_path / "corpus"
    shutil.copytree(speech, folder)
    (folder / "README.md").unlink()
    return folder


def read(folder, clip_id="LJ001-0008"):
    samples, rate = soundfile.read(folder / "wavs" / f"{clip_id}.wav", dtype="float32")
    return samples, rate


def spoil(corpus, change, clip_id="LJ001-0008", rate=RATE, subtype="PCM_16"):
    """Write a clip anew with its samples changed."""
    path = corpus / "wavs" / f"{clip_id}.flac"
    samples, _ = soundfile.read(path, dtype="float32")
    path.unlink()
    soundfile.write(corpus / "wavs" / f"{clip_id}.wav", change(samples), rate, subtype)


def test_copy_is_mono_16_bit_and_of_one_loudness(corpus, tmp_path):
    spoil(corpus, lambda x: np.stack([0.1 * soxr.resample(x, 1, 2)] * 2, axis=1), rate=2 * RATE)
    before = digests(corpus)
    (tmp_path / "out").mkdir()
    cleaned = clean(corpus, tmp_path / "out")
    assert digests(corpus) == before
    clean(corpus, tmp_path / "again")
    assert digests(tmp_path / "again") == digests(tmp_path / "out")
    assert (tmp_path / "out" / "metadata.csv").read_text().splitlines() == [
        f"{clip_id}|{text}|{text}" for clip_id, text in TEXTS.items()
    ]
    for clip_id in TEXTS:
        path = tmp_path / "out" / "wavs" / f"{clip_id}.wav"
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.subtype) == (RATE, 1, "PCM_16")
        assert measure_levels(read(tmp_path / "out", clip_id)[0], RATE).speech == pytest.approx(
            SPEECH_LEVEL, abs=0.3
        )
    assert not cleaned.left_out
    seconds = sum(len(read(tmp_path / "out", clip_id)[0]) for clip_id in TEXTS) / RATE
    assert cleaned.hours * 3600 == pytest.approx(seconds, rel=0.03)


def test_pauses_are_capped_and_speech_stays(corpus, tmp_path):
    def pause(samples):
        room = 1e-4 * np.random.default_rng(0).standard_normal(2 * RATE)
        half = len(samples) // 2
        return np.concatenate([room, samples[:half], room, samples[half:], room])

    def sounding(samples):
        return measure_levels(samples, RATE).speaks().sum()

    clean(corpus, tmp_path / "plain")
    spoil(corpus, pause)
    cleaned = clean(corpus, tmp_path / "out")
    found = examined(tmp_path / "out" / "wavs" / "LJ001-0008.wav")
    assert not [one for one in found.findings if "pause" in one.kind]
    change = next(change for change in cleaned.changes if change.clip_id == "LJ001-0008")
    assert change.shortened == pytest.approx(1.54, abs=0.06)
    assert change.trimmed > 3.5
    # All that sounded sounds still; the cut in the middle of a word adds a frame or two.
    plain, cut = (read(tmp_path / name)[0] for name in ("plain", "out"))
    assert sounding(cut) == pytest.approx(sounding(plain), abs=4)


def test_rumble_and_dc_offset_are_filtered_out(corpus, tmp_path):
    def rumble(samples):
        time = np.arange(len(samples)) / RATE
        return samples + 0.05 + 0.1 * np.sin(2 * np.pi * 40 * time)

    def low(samples):
        spectrum = np.abs(np.fft.rfft(samples, RATE * 8)) ** 2
        return spectrum[: 60 * 8].sum() / spectrum.sum()

    spoil(corpus, rumble)
    assert low(soundfile.read(corpus / "wavs" / "LJ001-0008.wav")[0]) > 0.1
    clean(corpus, tmp_path / "out")
    samples, _ = read(tmp_path / "out")
    assert low(samples) < 1e-3
    assert abs(samples.mean()) < 1e-4


def test_rows_that_cannot_be_repaired_are_left_out(corpus, tmp_path):
    good = (corpus / "metadata.csv").read_text().splitlines()
    rows = [
        "id|text|normalized text",
        "lost|there is no such recording",
        good[0],
        "only an id",
        good[1],
        good[1],
        "",
        good[2],
        "still|nobody says this",
        "cut|this one was cut short while it was copied",
    ]
    (corpus / "metadata.csv").write_text("\n".join(rows))
    soundfile.write(corpus / "wavs" / "still.wav", np.zeros(RATE), RATE)
    spoilt = corpus / "wavs" / "cut.wav"
    samples, _ = soundfile.read(corpus / "wavs" / "LJ001-0013.flac")
    soundfile.write(spoilt, samples, RATE, "PCM_16")
    spoilt.write_bytes(spoilt.read_bytes()[: len(samples)])
    cleaned = clean(corpus, tmp_path / "out")
    assert [row.line for row in cleaned.left_out] == [2, 4, 6, 9, 10]
    assert [change.line for change in cleaned.changes] == [3, 5, 8]
    report = json.loads((tmp_path / "out" / REPORT).read_text())
    assert [row["line"] for row in report["left_out"]] == [2, 4, 6, 9, 10]
    assert all(row["reason"] for row in report["left_out"])
    assert sorted(path.stem for path in (tmp_path / "out" / "wavs").iterdir()) == sorted(TEXTS)


@pytest.mark.parametrize(("gain", "rate"), [(1.0, RATE), (0.6, 2 * RATE)])
def test_recording_with_two_texts_is_left_out(corpus, tmp_path, gain, rate):
    samples, _ = soundfile.read(corpus / "wavs" / "LJ001-0008.flac")
    again = gain * soxr.resample(samples, RATE, rate)
    soundfile.write(corpus / "wavs" / "again.wav", again, rate)
    with (corpus / "metadata.csv").open("a") as file:
        file.write("again|never has anybody said so.\n")
    cleaned = clean(corpus, tmp_path / "out")
    assert [row.line for row in cleaned.left_out] == [2, 4]
    assert "line 4, but has another text" in cleaned.left_out[0].reason
    assert "line 2, but has another text" in cleaned.left_out[1].reason


def test_cleaning_twice_changes_nothing_more(corpus, tmp_path):
    clean(corpus, tmp_path / "once")
    twice = clean(tmp_path / "once", tmp_path / "twice")
    assert all(change.shortened == 0 for change in twice.changes)
    assert all(abs(change.gain) < 0.2 and change.trimmed < 0.1 for change in twice.changes)


@pytest.mark.parametrize("where", ["corpus/inside", "corpus", "full", "file"])
def test_taken_place_is_refused_and_unchanged(corpus, tmp_path, where):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    before = digests(tmp_path)
    with pytest.raises(InputError, match="--out"):
        clean(corpus, tmp_path / where)
    assert digests(tmp_path) == before


def test_empty_copy_leaves_nothing(corpus, tmp_path, make_voice):
    voice = make_voice(text2mel=None, symbols="PE xyz.")
    with pytest.raises(InputError, match="Nothing in"):
        clean(corpus, tmp_path / "out", against=voice.folder)
    (corpus / "metadata.csv").write_text("lost|nothing to hear\n")
    with pytest.raises(InputError, match="Line 1, lost"):
        clean(corpus, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (corpus / "metadata.csv").write_text("lost|nothing to hear\n", encoding="utf-16")
    with pytest.raises(InputError, match="UTF-16"):
        clean(corpus, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_chapter_is_left_out_without_being_repaired(corpus, tmp_path):
    spoil(corpus, lambda x: np.tile(x, int(125 * RATE / len(x)) + 1))
    cleaned = clean(corpus, tmp_path / "out")
    [left_out] = cleaned.left_out
    assert left_out.clip_id == "LJ001-0008"
    assert left_out.reason.endswith("and only clips of up to 120 s are split")
