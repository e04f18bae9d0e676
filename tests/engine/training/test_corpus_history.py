"""Clips that are held out once stay held out."""

import json
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.data.held_out import chosen_by_hash_alone
from engine.voice.folder import Voice

pytestmark = pytest.mark.slow


@pytest.fixture
def corpus(tones, tmp_path):
    return Path(shutil.copytree(tones, tmp_path / "corpus"))


def add_clips(corpus, *names):
    samples, rate = soundfile.read(corpus / "wavs" / "tone-20.wav")
    rng = np.random.default_rng(len(names))
    for name in names:
        # Each of its own level over time: copies are left out.
        levels = np.repeat(rng.uniform(0.2, 1, 10), len(samples) // 10 + 1)[: len(samples)]
        soundfile.write(corpus / "wavs" / f"{name}.wav", levels * samples, rate)
    with (corpus / "metadata.csv").open("a") as file:
        file.writelines(f"\n{name}|{'la ' * 21}la." for name in names)


def remove_clips(corpus, names):
    path = corpus / "metadata.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line for line in lines if line.partition("|")[0] not in names))


def held_out_by(voice, training, **given):
    snapshot = training.end(training.start(voice, "+1", **given))
    assert not snapshot.failure
    return set(json.loads(voice.corpus_report.read_text())["held_out"]), training.texts(snapshot)


def test_both_networks_hold_out_the_same_for_good(make_voice, training, corpus):
    voice = make_voice(dataset=corpus)
    first, _ = held_out_by(voice, training)
    assert set(Voice.open(voice.folder).settings.held_out) == first
    assert len(first) == 2
    assert all(int(name[-2:]) >= 17 for name in first)  # those of 2 s and more
    add_clips(corpus, *(f"new-{i:02d}" for i in range(8)))
    gone = max(first)
    lines = (corpus / "metadata.csv").read_text()
    remove_clips(corpus, {gone})
    voice.corpus_report.unlink()
    assert held_out_by(voice, training, network="ssrn")[0] == first - {gone}
    (corpus / "metadata.csv").write_text(lines)
    assert held_out_by(voice, training)[0] == first

    # None of them is left: what was not trained on comes first.
    remove_clips(corpus, first)
    add_clips(corpus, "later-1", "later-2")
    later, told = held_out_by(voice, training)
    assert later <= {"later-1", "later-2"}
    assert [text for text in told if text.startswith("no held-out clip is left")]
    assert set(Voice.open(voice.folder).settings.held_out) == first | later
    remove_clips(corpus, {"later-1", "later-2"})
    again, told = held_out_by(voice, training)
    assert len(again) == 2
    assert any("looks too good" in text for text in told)


def test_an_earlier_versions_choice_stays(make_voice, copy_voice, training, corpus):
    voice = make_voice(dataset=corpus)
    names = [f"tone-{number:02d}" for number in range(23)]
    by_hash = chosen_by_hash_alone(names)
    held_out_by(voice, training)
    settings = voice.folder / "voice.toml"
    lines = settings.read_text().splitlines()
    settings.write_text("\n".join(line for line in lines if not line.startswith("held_out")))
    lost = copy_voice(voice, "lost")
    lost.corpus_report.unlink()
    noted = {"tone-07", "tone-11"}
    voice.corpus_report.write_text(json.dumps({"held_out": sorted(noted)}))
    add_clips(corpus, *(f"new-{i:02d}" for i in range(8)))
    assert held_out_by(voice, training)[0] == noted
    assert held_out_by(lost, training)[0] == by_hash


def test_clip_stays_held_out_in_another_unicode_form(make_voice, training, corpus):
    path = corpus / "metadata.csv"
    path.write_text(path.read_text().replace("tone-", "\u00e9-"))
    for recording in (corpus / "wavs").iterdir():
        recording.rename(recording.with_name(recording.name.replace("tone-", "\u00e9-")))
    voice = make_voice(dataset=corpus)
    first, _ = held_out_by(voice, training)
    path.write_text(unicodedata.normalize("NFD", path.read_text()))
    again, _ = held_out_by(voice, training)
    assert again == {unicodedata.normalize("NFD", clip_id) for clip_id in first} != first
