"""Exports: what is in them, that they speak as the voice does, and that no half of one is left."""

import json
import shutil
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from engine.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from engine.checkpoints.folders import read_state
from engine.data.clips import Limits
from engine.errors import EngineError, InputError
from engine.jobs.export import export_voice
from engine.jobs.say import say
from engine.voice.folder import describe

TEXT = "Two birds sat."
REPORT = {
    "clips": 90,
    "training_clips": 82,
    "held_out": ["a", "b", "c", "d", "e", "f", "g", "h"],
    "hours": 0.25,
    "left_out": [{"line": 3, "id": "x", "reason": "/home/alice/secret.wav is silent"}],
}


def card_of(folder):
    return json.loads((folder / "voice.json").read_text(encoding="utf-8"))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_voice_becomes_three_files(make_voice, tmp_path):
    voice = make_voice(text2mel=871, base_step=855, ssrn=767)
    voice.corpus_report.write_text(json.dumps(REPORT))
    done = export_voice(voice.folder, tmp_path / "out")
    assert (done.folder, done.step, done.ssrn_step) == (tmp_path / "out", 871, 767)
    assert names(done.folder) == ["ssrn.safetensors", "text2mel.safetensors", "voice.json"]
    assert done.size == sum(path.stat().st_size for path in done.folder.iterdir())
    assert names(tmp_path) == ["out", "voice"]


def test_the_card_tells_what_the_voice_is(make_voice, tmp_path, small_audio):
    voice = make_voice(text2mel=871, base_step=855, ssrn=767, sharpening=1.4)
    voice.corpus_report.write_text(json.dumps(REPORT))
    folder = export_voice(voice.folder, tmp_path / "out").folder
    card = card_of(folder)
    assert card["name"] == "voice"
    assert card["symbols"] == voice.settings.symbols
    assert card["cleaner"] == voice.settings.cleaner
    assert card["sharpening"] == 1.4
    assert card["audio"]["n_fft"] == small_audio.n_fft
    assert card["limits"] == {"max_characters": 180, "max_coarse_frames": 210}
    assert card["corpus"] == {
        "clips": 90,
        "training_clips": 82,
        "held_out_clips": 8,
        "left_out_clips": 1,
        "hours": 0.25,
    }
    for network, step in (("text2mel", 871), ("ssrn", 767)):
        told = card["networks"][network]
        state = read_state(voice.newest(network).path)
        assert (told["step"], told["base_step"], told["recipe"]) == (
            step,
            min(855, step),
            "standard",
        )
        assert (told["spec"], told["parameters"]) == (state["spec"], state["parameters"])
        assert told["sha256"] == sha256((folder / told["file"]).read_bytes()).hexdigest()
    # Nothing of the machine that it was trained on.
    text = (folder / "voice.json").read_text()
    assert str(tmp_path) not in text
    assert "alice" not in text


def test_an_export_speaks_as_the_voice_does(make_voice, tmp_path):
    voice = make_voice(text2mel=5, ssrn=3)
    folder = export_voice(voice.folder, tmp_path / "out").folder
    for source, name in ((voice.folder, "a.wav"), (folder, "b.wav")):
        said = say(source, TEXT, out=tmp_path / name)
        assert (said.step, said.ssrn_step) == (5, 3)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_the_average_is_what_is_exported(make_voice, tmp_path):
    voice = make_voice(text2mel=5)
    entry = voice.newest("text2mel")
    checkpoint = load_checkpoint(entry.path)
    average = {name: weight + 0.01 for name, weight in checkpoint.weights.items()}
    save_checkpoint(replace(checkpoint, average=average), entry.path)
    folder = export_voice(voice.folder, tmp_path / "out").folder
    found = load_file(folder / "text2mel.safetensors")
    assert found.keys() == average.keys()
    assert all(torch.equal(found[name], average[name]) for name in found)


def test_sixteen_bits_take_half_and_speak_nearly_the_same(make_voice, tmp_path):
    voice = make_voice(text2mel=5, ssrn=3)
    whole = export_voice(voice.folder, tmp_path / "whole")
    half = export_voice(voice.folder, tmp_path / "half", half=True)
    weights = [done.folder / "text2mel.safetensors" for done in (whole, half)]
    assert weights[1].stat().st_size < 0.65 * weights[0].stat().st_size
    arrays = []
    for done in (whole, half):
        path = tmp_path / f"{done.folder.name}.npz"
        say(done.folder, TEXT, out=tmp_path / "x.wav", arrays=path)
        arrays.append(np.load(path)["mel"][:8])
    np.testing.assert_allclose(*arrays, atol=0.02)


def test_a_checkpoint_can_be_chosen(make_voice, training, tmp_path):
    voice = make_voice(text2mel=5, base_step=5)
    training.end(training.start(voice, "+2"))
    assert export_voice(voice.folder, tmp_path / "newest").step == 7
    assert export_voice(voice.folder, tmp_path / "base", step=5).step == 5
    with pytest.raises(InputError, match="no Text2Mel checkpoint of step 6"):
        export_voice(voice.folder, tmp_path / "none", step=6)
    assert not (tmp_path / "none").exists()


def test_a_voice_without_ssrn_says_so(make_voice, tmp_path):
    done = export_voice(make_voice().folder, tmp_path / "out")
    assert done.ssrn_step is None
    assert names(done.folder) == ["text2mel.safetensors", "voice.json"]
    card = card_of(done.folder)
    assert card["networks"]["ssrn"] is None
    assert "no SSRN" in card["note"]
    assert "no SSRN" in say(done.folder, TEXT, out=tmp_path / "x.wav").note
    assert describe(done.folder)["networks"]["ssrn"]["step"] is None


@pytest.mark.parametrize("report", [None, "{", "[]", '{"clips": "many", "held_out": 3}'])
def test_a_corpus_that_nobody_counted_has_no_figures(make_voice, tmp_path, report):
    voice = make_voice()
    if report is not None:
        voice.corpus_report.write_text(report)
    folder = export_voice(voice.folder, tmp_path / "out").folder
    assert set(card_of(folder)["corpus"].values()) == {None}


def test_an_export_can_be_described(make_voice, tmp_path):
    voice = make_voice("alice", text2mel=871, base_step=855, ssrn=767)
    voice.corpus_report.write_text(json.dumps(REPORT))
    said = describe(export_voice(voice.folder, tmp_path / "out").folder)
    assert said["voice"] == "alice"
    assert said["networks"]["text2mel"]["step"] == 871
    assert said["networks"]["text2mel"]["base_step"] == 855
    assert said["networks"]["ssrn"]["checkpoints"] == [767]
    assert said["corpus"]["hours"] == 0.25
    json.dumps(said)


def test_a_folder_with_something_in_it_is_left_alone(make_voice, tmp_path):
    voice = make_voice()
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "letter.txt").touch()
    with pytest.raises(InputError, match="holds something already"):
        export_voice(voice.folder, taken)
    with pytest.raises(InputError, match="holds something already"):
        export_voice(voice.folder, voice.folder)
    with pytest.raises(InputError, match="is a file"):
        export_voice(voice.folder, taken / "letter.txt")
    with pytest.raises(InputError, match="there is no folder"):
        export_voice(voice.folder, tmp_path / "nowhere" / "out")
    assert names(taken) == ["letter.txt"]
    assert names(tmp_path) == ["taken", "voice"]


def test_an_empty_folder_is_filled_even_behind_a_link(make_voice, tmp_path):
    voice = make_voice()
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    export_voice(voice.folder, tmp_path / "link")
    assert "voice.json" in names(tmp_path / "empty")
    assert (tmp_path / "link").is_symlink()


def test_a_write_that_breaks_off_leaves_nothing(make_voice, tmp_path, monkeypatch):
    voice = make_voice(ssrn=1)

    def full(folder):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.jobs.export.fsync", full)
    with pytest.raises(EngineError, match=r"out cannot be written: No space left"):
        export_voice(voice.folder, tmp_path / "out")
    assert names(tmp_path) == ["voice"]


def test_what_is_no_voice_cannot_be_exported(make_voice, tmp_path):
    with pytest.raises(InputError, match="no voice in"):
        export_voice(tmp_path / "nobody", tmp_path / "out")
    with pytest.raises(InputError, match="cannot speak yet"):
        export_voice(make_voice("mute", text2mel=None).folder, tmp_path / "out")
    done = export_voice(make_voice().folder, tmp_path / "first")
    with pytest.raises(InputError, match="exported voice already"):
        export_voice(done.folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("value", "half", "sentence"),
    [(float("nan"), False, "not finite"), (1e5, True, "without --half")],
)
def test_weights_that_cannot_be_exported_are_named(make_voice, tmp_path, value, half, sentence):
    voice = make_voice()
    entry = voice.newest("text2mel")
    checkpoint = load_checkpoint(entry.path)
    checkpoint.weights["audio_decoder.layers.0.norm.bias"][0] = value
    save_checkpoint(checkpoint, entry.path)
    with pytest.raises(InputError, match=rf"audio_decoder\.layers\.0\.norm\.bias .*{sentence}"):
        export_voice(voice.folder, tmp_path / "out", half=half)
    assert not (tmp_path / "out").exists()


def test_what_could_not_be_read_again_is_not_written(make_voice, tmp_path):
    voice = make_voice(limits=Limits(max_characters=100_000))
    with pytest.raises(InputError, match=r"cannot be exported: .*max_characters is 100000"):
        export_voice(voice.folder, tmp_path / "out")
    assert names(tmp_path) == ["voice"]


def test_a_name_that_no_card_can_hold_is_made_readable(make_voice, tmp_path):
    voice = make_voice("al\nice")
    assert card_of(export_voice(voice.folder, tmp_path / "out").folder)["name"] == "al?ice"


def test_of_a_damaged_checkpoint_it_is_said_which_one_can_be_exported(make_voice, tmp_path):
    voice = make_voice(text2mel=871)
    whole = load_checkpoint(voice.checkpoint_folder("text2mel", 871))
    for step in (869, 870):
        save_checkpoint(replace(whole, step=step), voice.checkpoint_folder("text2mel", step))
    weights = voice.checkpoint_folder("text2mel", 871) / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"step-000000871 is damaged.*; --step 870 exports"):
        export_voice(voice.folder, tmp_path / "out")
    assert export_voice(voice.folder, tmp_path / "out", step=870).step == 870
    for step in (869, 870):
        shutil.rmtree(voice.checkpoint_folder("text2mel", step))
    with pytest.raises(InputError, match="there is none before it"):
        export_voice(voice.folder, tmp_path / "other")
