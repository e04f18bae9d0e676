"""Exports: small voice folders that speak as the voice does; no half of one is left."""

import json
import shutil
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from engine.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from engine.data.clips import Limits
from engine.errors import EngineError, InputError
from engine.jobs.export import export_voice
from engine.jobs.info import describe
from engine.jobs.say import say
from engine.speech import synthesizer
from engine.voice.folder import Voice

TEXT = "Two birds sat."
REPORT = {
    "clips": 90,
    "training_clips": 82,
    "held_out": ["a", "b"],
    "hours": 0.25,
    "left_out": [{"line": 3, "id": "x", "reason": "/home/alice/secret.wav is silent"}],
}
FILES = [
    "README.md",
    "ssrn/checkpoints/step-000000767/state.json",
    "ssrn/checkpoints/step-000000767/weights.safetensors",
    "text2mel/checkpoints/step-000000871/state.json",
    "text2mel/checkpoints/step-000000871/weights.safetensors",
    "voice.toml",
]


@pytest.fixture
def make_voice(make_voice):
    """Voices that come to their limit soon: with random weights they do not end by themselves."""
    return partial(make_voice, limits=Limits(max_coarse_frames=24))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_an_export_is_a_small_voice_folder(make_voice, tmp_path):
    voice = make_voice(
        text2mel=871, base_step=855, ssrn=767, price=0.9, budget=30.0, sharpening=1.4
    )
    voice.save(replace(voice.settings, mirror="s3://secret/alice", id="0" * 32))
    voice.corpus_report.write_text(json.dumps(REPORT))
    (voice.folder / "spend.jsonl").write_text("{}\n")
    done = export_voice(voice.folder, tmp_path / "out")
    assert (done.folder, done.step, done.ssrn_step) == (tmp_path / "out", 871, 767)
    files = [path for path in done.folder.rglob("*") if path.is_file()]
    assert sorted(str(path.relative_to(done.folder)) for path in files) == FILES
    assert done.size == sum(path.stat().st_size for path in files)
    theirs, ours = voice.settings, Voice.open(done.folder).settings
    assert ours == replace(theirs, dataset=None, price=0, budget=0, mirror=None, id=None)
    readme = (done.folder / "README.md").read_text()
    assert "# voice\n" in readme
    assert "90 clips, 15m00s" in readme
    assert "| text2mel | 871 | 855 | standard |" in readme
    # Nothing of the machine that it was trained on.
    for path in files:
        assert not any(word in path.read_bytes() for word in (bytes(tmp_path), b"alice", b"secret"))
    said = describe(done.folder)["networks"]
    assert (said["text2mel"]["step"], said["text2mel"]["base_step"]) == (871, 855)
    assert said["ssrn"]["checkpoints"] == [767]
    # An export can be exported.
    again = export_voice(done.folder, tmp_path / "again")
    for name in FILES[1:]:
        if not name.endswith("state.json"):
            assert (again.folder / name).read_bytes() == (done.folder / name).read_bytes()


@pytest.mark.slow
def test_an_export_speaks_as_the_voice_does(make_voice, tmp_path):
    voice = make_voice(text2mel=5, ssrn=3)
    folder = export_voice(voice.folder, tmp_path / "out").folder
    for source, name in ((voice.folder, "a.wav"), (folder, "b.wav")):
        spoken = say(source, TEXT, out=tmp_path / name)
        assert (spoken.step, spoken.ssrn_step) == (5, 3)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_the_ema_weights_are_exported(make_voice, tmp_path):
    voice = make_voice(text2mel=5)
    entry = voice.newest("text2mel")
    checkpoint = load_checkpoint(entry.path)
    ema = {name: weight + 0.01 for name, weight in checkpoint.weights.items()}
    save_checkpoint(replace(checkpoint, ema=ema, optimizer=dict(ema)), entry.path)
    folder = export_voice(voice.folder, tmp_path / "out").folder
    found = load_checkpoint(Voice.open(folder).newest("text2mel").path)
    assert (found.ema, found.optimizer) == ({}, {})
    assert all(torch.equal(found.weights[name], ema[name]) for name in ema)


def test_16_bits_take_half_and_speak_nearly_the_same(make_voice, tmp_path, monkeypatch):
    monkeypatch.setattr(synthesizer, "has_bf16", lambda _: False)
    voice = make_voice(text2mel=5, ssrn=3)
    arrays, sizes = [], []
    for half in (False, True):
        done = export_voice(voice.folder, tmp_path / f"{half}", half=half)
        path = tmp_path / f"{half}.npz"
        say(done.folder, TEXT, out=tmp_path / "x.wav", arrays=path)
        arrays.append(np.load(path)["mel"][:8])
        weights = Voice.open(done.folder).newest("text2mel").path / "weights.safetensors"
        sizes.append(weights.stat().st_size)
    assert sizes[1] < 0.65 * sizes[0]
    np.testing.assert_allclose(*arrays, atol=0.02)


def test_a_checkpoint_can_be_chosen_and_a_damaged_one_is_named(make_voice, tmp_path):
    voice = make_voice(text2mel=871)
    whole = load_checkpoint(voice.checkpoint_folder("text2mel", 871))
    for step in (869, 870):
        save_checkpoint(replace(whole, step=step), voice.checkpoint_folder("text2mel", step))
    assert export_voice(voice.folder, tmp_path / "chosen", step=869).step == 869
    with pytest.raises(InputError, match="no Text2Mel checkpoint of step 6"):
        export_voice(voice.folder, tmp_path / "none", step=6)
    weights = voice.checkpoint_folder("text2mel", 871) / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"step-000000871 is damaged.*; --step 870 exports"):
        export_voice(voice.folder, tmp_path / "out")
    assert export_voice(voice.folder, tmp_path / "out", step=870).step == 870
    for step in (869, 870):
        shutil.rmtree(voice.checkpoint_folder("text2mel", step))
    with pytest.raises(InputError, match="there is none before it"):
        export_voice(voice.folder, tmp_path / "other")


def test_a_voice_without_ssrn_or_figures_says_so(make_voice, tmp_path):
    done = export_voice(make_voice("al\nice").folder, tmp_path / "out")
    assert done.ssrn_step is None
    readme = (done.folder / "README.md").read_text()
    assert "# al\ufffdice\n" in readme
    assert "a corpus of unknown size" in readme
    assert "no SSRN" in readme
    assert "no SSRN" in say(done.folder, TEXT, out=tmp_path / "x.wav").note


def test_a_folder_that_is_not_empty_is_left_alone(make_voice, tmp_path):
    voice = make_voice()
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "letter.txt").touch()
    for out in (taken, voice.folder):
        with pytest.raises(InputError, match="is not empty"):
            export_voice(voice.folder, out)
    for out in (voice.folder / "export", voice.folder / "text2mel" / "checkpoints"):
        with pytest.raises(InputError, match=r"is inside the voice .*; name another folder"):
            export_voice(make_voice().folder, out)
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
    assert "voice.toml" in names(tmp_path / "empty")
    assert (tmp_path / "link").is_symlink()


def test_a_write_that_breaks_off_leaves_nothing(make_voice, tmp_path, monkeypatch):
    voice = make_voice(ssrn=1)

    def full(folder):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.jobs.export.fsync", full)
    with pytest.raises(EngineError, match=r"out cannot be written: No space left"):
        export_voice(voice.folder, tmp_path / "out")
    assert names(tmp_path) == ["voice"]


def test_what_cannot_speak_is_not_exported(make_voice, tmp_path):
    with pytest.raises(InputError, match="no voice in"):
        export_voice(tmp_path / "nobody", tmp_path / "out")
    with pytest.raises(InputError, match="cannot speak yet"):
        export_voice(make_voice("mute", text2mel=None).folder, tmp_path / "out")
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


def test_an_export_of_an_earlier_version_is_refused(make_voice, training, speech, tmp_path):
    old = tmp_path / "old"
    old.mkdir()
    (old / "voice.json").write_text("{}")
    sentence = "was exported by an earlier version; export the voice again"
    for use in (describe, Voice.open, lambda folder: say(folder, TEXT)):
        with pytest.raises(InputError, match=sentence):
            use(old)
    with pytest.raises(InputError, match=sentence):
        training.start(tmp_path / "new", "+1", dataset=speech, source=old)
