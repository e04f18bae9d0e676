"""`import_voice`: finding the models, making the voice, refusing what cannot be one."""

import os
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from dc_tts_files import (
    attempt,
    field,
    header,
    saved,
    ssrn_shapes,
    table,
    text2mel_shapes,
    write_bundle,
    write_models,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.checkpoints.checkpoint import load_checkpoint
from engine.errors import InputError
from engine.jobs.import_models import KYUBYONG_SYMBOLS, import_voice
from engine.text.vocabulary import BBC_SYMBOLS
from engine.voice.folder import Voice

SMALL_TEXT2MEL = text2mel_shapes(34, 6, 4, 4)
SMALL_SSRN = ssrn_shapes(6, 9, 4)


@pytest.fixture
def models(tmp_path):
    return write_models(tmp_path / "models")


def refusal(models, folder, **options):
    """The sentence with which an import is refused; it leaves nothing behind."""
    before = everything(folder.parent.parent)
    with pytest.raises(InputError) as refused:
        import_voice(models, folder, **options)
    assert everything(folder.parent.parent) == before
    sentence = str(refused.value)
    assert len(sentence.splitlines()) == 1
    assert sentence.endswith(".")
    return sentence


def everything(folder):
    return sorted(map(str, folder.rglob("*")))


@pytest.fixture
def target(tmp_path):
    """A voice folder whose parents are not there either."""
    return tmp_path / "new" / "voice"


def checkpoint_of(voice, network):
    return load_checkpoint(voice.newest(network).path)


@pytest.mark.parametrize("seed", [0, 1])
def test_both_networks_with_step_weights_and_moments(tmp_path, target, seed):
    models = write_models(tmp_path / "models", seed=seed, step=45_000)
    told = []
    imported = import_voice(models, target, on_progress=lambda *said: told.append(said))
    voice = Voice.open(target)
    assert [one.network for one in imported.networks] == ["text2mel", "ssrn"]
    for network, shapes, step in (
        ("text2mel", SMALL_TEXT2MEL, 45_000),
        ("ssrn", SMALL_SSRN, 45_001),
    ):
        checkpoint = checkpoint_of(voice, network)
        assert (checkpoint.step, checkpoint.base_step) == (step, step)
        assert checkpoint.optimizer_start_step == 0
        assert checkpoint.ema == {}
        count = sum(int(np.prod(shape)) for shape in shapes.values())
        assert sum(tensor.numel() for tensor in checkpoint.weights.values()) == count
        assert len(checkpoint.optimizer) == 3 * len(checkpoint.weights)
        for name in checkpoint.weights:
            assert float(checkpoint.optimizer[f"step/{name}"]) == 3
            assert (checkpoint.optimizer[f"exp_avg_sq/{name}"] >= 0).all()
        named = next(one for one in imported.networks if one.network == network)
        assert (named.step, named.parameters, named.updates) == (step, count, 3)
        assert named.moments
    assert voice.settings.dataset is None
    assert voice.settings.recipe == "standard"
    assert imported.missing is None
    assert {what for what, _, _ in told} >= {"reading Text2Mel", "reading SSRN"}
    assert all(done <= total for what, done, total in told if total)


def test_usual_sizes_keep_the_usual_audio_settings(tmp_path, target):
    write_bundle(tmp_path / "ssrn", saved(ssrn_shapes(80, 1025, 2), moments=False))
    imported = import_voice(tmp_path / "ssrn", target)
    audio = Voice.open(target).settings.audio
    assert audio == imported.audio
    assert (audio.n_fft, audio.win_length, audio.hop_length, audio.n_mels) == (2048, 1102, 275, 80)
    assert imported.missing == "text2mel"
    assert not imported.notes


def test_short_transform_shortens_window_and_hop(models, target):
    imported = import_voice(models, target)
    audio = Voice.open(target).settings.audio
    assert (audio.n_fft, audio.win_length, audio.hop_length, audio.n_mels) == (16, 16, 8, 6)
    assert any("window is set to 16 and the hop to 8" in note for note in imported.notes)


def test_transform_of_two_hops_keeps_the_hop(tmp_path, target):
    write_bundle(tmp_path / "ssrn", saved(ssrn_shapes(80, 513, 2), moments=False))
    audio = import_voice(tmp_path / "ssrn", target).audio
    assert (audio.n_fft, audio.win_length, audio.hop_length) == (1024, 1024, 275)


@pytest.mark.parametrize(
    ("rows", "symbols", "whose"),
    [(34, BBC_SYMBOLS, "the BBC's 34"), (32, KYUBYONG_SYMBOLS, "Kyubyong's 32")],
)
def test_vocabulary_by_its_number_of_symbols(tmp_path, target, rows, symbols, whose):
    models = write_models(tmp_path / "models", symbols=rows)
    imported = import_voice(models, target)
    assert imported.symbols == Voice.open(target).settings.symbols == symbols
    assert checkpoint_of(Voice.open(target), "text2mel").symbols == symbols
    assert any(whose in note for note in imported.notes)


def test_other_vocabulary_must_be_given_and_fit(tmp_path, target):
    models = write_models(tmp_path / "models", symbols=7)
    assert "The models have 7 symbols" in refusal(models, target)
    sentence = refusal(models, target, symbols="PE abc")
    assert "6 symbols" in sentence
    assert "have 7" in sentence
    assert "P (padding)" in refusal(models, target, symbols="abc def")
    assert "invisible characters" in refusal(models, target, symbols="PE abc\udcff")
    import_voice(models, target, symbols="PE äöü?")
    assert Voice.open(target).settings.symbols == "PE äöü?"


@pytest.mark.parametrize("suffix", ["", ".index", ".data-00000-of-00001"])
def test_prefix_imports_one_network(models, target, suffix):
    prefix = models / "LJ01-1" / f"model_gs_001k{suffix}"
    imported = import_voice(prefix, target)
    assert [one.network for one in imported.networks] == ["text2mel"]
    assert imported.missing == "ssrn"
    assert not Voice.open(target).checkpoints("ssrn")


def test_note_stands_for_the_checkpoint_it_names(models, target):
    note = models / "LJ01-2" / "checkpoint"
    note.write_text('model_checkpoint_path: "/far/away/model_gs_001k"\n')
    assert [one.network for one in import_voice(note, target).networks] == ["ssrn"]
    note.write_text('model_checkpoint_path: "checkpoint"\n')
    assert "is not a TensorFlow checkpoint" in refusal(note, target.with_name("other"))


def test_one_checkpoint_may_hold_both_networks(tmp_path, target):
    both = saved(SMALL_TEXT2MEL) | saved(SMALL_SSRN)
    write_bundle(tmp_path / "both", both)
    imported = import_voice(tmp_path / "both", target)
    assert [one.step for one in imported.networks] == [1000, 1000]


@pytest.mark.parametrize("name", ["m.tar", "m.tar.gz", "m.tgz"])
@pytest.mark.slow
def test_archive_is_as_good_as_its_folder(models, tmp_path, target, name):
    with tarfile.open(tmp_path / name, "w" if name.endswith(".tar") else "w:gz") as tar:
        tar.add(models, "models")
    imported = import_voice(tmp_path / name, target)
    straight = tmp_path / "straight"
    import_voice(models, straight)
    for network in ("text2mel", "ssrn"):
        ours, theirs = (checkpoint_of(Voice.open(folder), network) for folder in (target, straight))
        assert ours.weights.keys() == theirs.weights.keys()
        assert all(torch.equal(ours.weights[n], theirs.weights[n]) for n in ours.weights)
    assert imported.networks[0].source == f"{tmp_path / name}/models/LJ01-1/model_gs_001k"


def test_weights_without_moments_have_no_optimizer_state(tmp_path, target):
    write_bundle(tmp_path / "ssrn", saved(SMALL_SSRN, moments=False))
    imported = import_voice(tmp_path / "ssrn", target)
    assert not imported.networks[0].moments
    assert checkpoint_of(Voice.open(target), "ssrn").optimizer == {}


@pytest.mark.parametrize(
    ("updates", "step", "counted"),
    [
        (0, 1000, 0),
        (3, 1000, 3),
        (700, 5000, 700),
        (2_000, 5000, 2_000),
        (30_000, 90_000, 30_000),
        (150_000, 1_450_000, 1_450_000),
    ],
)
def test_update_count_comes_from_powers_of_decay(tmp_path, target, updates, step, counted):
    write_bundle(tmp_path / "ssrn", saved(SMALL_SSRN, step=step, updates=updates))
    assert import_voice(tmp_path / "ssrn", target).networks[0].updates == counted
    optimizer = checkpoint_of(Voice.open(target), "ssrn").optimizer
    assert float(optimizer["step/layers.0.convolution.bias"]) == counted


@pytest.mark.parametrize("power", [0.5**4, 0.9**30, 2.0, -1.0, np.nan])
def test_other_decay_rates_leave_the_global_step(tmp_path, target, power):
    variables = saved(SMALL_SSRN, step=77) | {"beta1_power": np.float32(power)}
    write_bundle(tmp_path / "ssrn", variables)
    assert import_voice(tmp_path / "ssrn", target).networks[0].updates == 77


# Which of several.


def test_named_step_else_the_highest_is_imported(models, target):
    later = saved(SMALL_SSRN, step=9000)
    write_bundle(models / "LJ01-2" / "model_gs_009k", later)
    imported = import_voice(models, target)
    assert imported.networks[1].step == 9000
    assert any("model_gs_001k at step 1,001" in note for note in imported.notes)
    (models / "LJ01-2" / "checkpoint").write_text('model_checkpoint_path: "/far/model_gs_001k"\n')
    assert import_voice(models, target.with_name("other")).networks[1].step == 1001


NO_NOTES = ["", "nonsense", 'model_checkpoint_path: "gone"', "\0" * 9]
NO_NOTES += [f'model_checkpoint_path: "{name}"' for name in ("x" * 999, "a\0b", "..", "/", "\\")]


@pytest.mark.parametrize("note", NO_NOTES)
def test_note_that_names_nothing_is_ignored(models, target, note):
    (models / "LJ01-2" / "checkpoint").write_text(note)
    assert import_voice(models, target).networks[1].step == 1001


def test_folder_with_the_usual_name_is_imported(models, target):
    shutil.copytree(models / "LJ01-1", models / "LJ01-1-one-step-later")
    imported = import_voice(models, target)
    assert imported.networks[0].source.endswith("LJ01-1/model_gs_001k")
    assert any("one-step-later" in note for note in imported.notes)


def test_ambiguous_folders_are_refused(models, target):
    shutil.copytree(models / "LJ01-1", models / "LJ02-1")
    sentence = refusal(models, target)
    assert "LJ01-1" in sentence
    assert "LJ02-1" in sentence


def test_ambiguous_steps_are_refused(models, target):
    write_bundle(models / "LJ01-2" / "again", saved(SMALL_SSRN, step=1001))
    assert "more than one SSRN of step 1,001" in refusal(models, target)


def test_other_checkpoints_and_hidden_files_are_ignored(models, target):
    write_bundle(models / "other" / "model", {"dense/kernel": np.zeros(3, np.float32)})
    (models / "LJ01-1" / "._model_gs_001k.index").write_bytes(b"of a Macintosh")
    imported = import_voice(models, target)
    assert any("something else" in note for note in imported.notes)


# What cannot be imported.


def test_existing_voice_is_not_touched(models, tmp_path):
    folder = tmp_path / "voice"
    import_voice(models, folder)
    assert "There is a voice" in refusal(tmp_path / "nothing", folder)


def test_folder_with_other_files_is_refused(models, tmp_path, target):
    target.mkdir(parents=True)
    (target / "letter.txt").write_text("dear")
    assert "letter.txt" in refusal(models, target)
    assert "not a folder" in refusal(models, target / "letter.txt")
    assert "Not a directory" in refusal(models, target / "letter.txt" / "voice")
    assert "File name too long" in refusal(models, target / ("x" * 300))


def test_empty_folder_may_become_the_voice(models, target):
    target.mkdir(parents=True)
    import_voice(models, target)
    assert Voice.exists(target)


@pytest.mark.parametrize("network", ["LJ01-1", "LJ01-2"])
def test_lone_network_is_refused_with_its_prefix(models, target, network):
    shutil.rmtree(models / network)
    sentence = refusal(models, target)
    assert ("but no Text2Mel" if network == "LJ01-1" else "but no SSRN") in sentence
    assert "model_gs_001k" in sentence


@pytest.mark.parametrize("lost", ["index", "data-00000-of-00001"])
def test_half_a_checkpoint_is_refused(models, target, lost):
    (models / "LJ01-2" / f"model_gs_001k.{lost}").unlink()
    assert "has lost its" in refusal(models, target)
    assert "model_gs_001k" in refusal(models / "LJ01-2" / "model_gs_001k", target)


def test_different_mel_bands_are_refused(models, target):
    write_bundle(models / "LJ01-2" / "model_gs_001k", saved(ssrn_shapes(5, 9, 4)))
    assert "6 mel bands, SSRN 5" in refusal(models, target)


def without(name):
    return {key: value for key, value in saved(SMALL_SSRN).items() if key != name}


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        (without("SSRN/C_10/conv1d/bias"), "lacks 1 of 240"),
        (without("SSRN/C_10/conv1d/bias/Adam_1"), "lacks 1 of 240"),
        (without("SSRN/C_1/conv1d/kernel"), "no variable SSRN/C_1/conv1d/kernel"),
        (without("gs/global_step"), "no whole number gs/global_step"),
        ({"gs/global_step": np.float32(5)}, "no whole number"),
        ({"gs/global_step": np.zeros(2, np.int32)}, "no whole number"),
        ({"gs/global_step": np.int32(-5)}, "at step -5"),
        ({"gs/global_step": np.int64(2**40)}, "at step 1,099,511,627,776"),
        ({"SSRN/C_1/conv1d/bias": np.zeros(5, np.float32)}, "has the shape (5,), not (4,)"),
        ({"SSRN/C_1/conv1d/bias": np.zeros(4)}, "are float64, not float32"),
        ({"SSRN/C_1/conv1d/bias": np.zeros(4, np.float16)}, "are float16, not float32"),
        ({"SSRN/C_1/conv1d/bias": np.full(4, np.nan, np.float32)}, "no training produces"),
        ({"SSRN/C_1/conv1d/bias/Adam": np.full(4, np.inf, np.float32)}, "no training produces"),
        ({"SSRN/C_1/conv1d/bias/Adam_1": np.full(4, -1, np.float32)}, "a negative square"),
        ({"SSRN/C_17/conv1d/bias": np.zeros(4, np.float32)}, "'SSRN/C_17/conv1d/bias'"),
        ({"SSRN/C_1/conv1d/kernel": np.zeros((1, 6, 0), np.float32)}, "no DC-TTS network has"),
    ],
)
def test_other_variables_are_refused(tmp_path, target, changes, what):
    variables = changes if len(changes) > 9 else saved(SMALL_SSRN) | changes
    write_bundle(tmp_path / "odd" / "model", variables)
    sentence = refusal(tmp_path / "odd" / "model", target)
    assert what in sentence


@pytest.mark.parametrize(("mels", "bins"), [(6, 2), (6, 3), (1, 1)])
def test_fewer_bins_than_mel_bands_are_refused(tmp_path, target, mels, bins):
    write_bundle(tmp_path / "odd" / "model", saved(ssrn_shapes(mels, bins, 4)))
    assert "which no spectrum has" in refusal(tmp_path / "odd" / "model", target)


def empty(folder):
    folder.mkdir()


def text_files(folder):
    folder.mkdir()
    (folder / "model.index").write_text("Text2Mel: see the other folder\n")


def torch_file(folder):
    folder.mkdir()
    torch.save({"a": torch.zeros(3)}, folder / "model.pt")


def saved_model(folder):
    write_bundle(folder / "variables" / "variables", {"dense/kernel": np.zeros(3, np.float32)})
    (folder / "saved_model.pb").write_bytes(b"\x08\x01")


def bare_saved_model(folder):
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"\x08\x01")


def version_1(folder):
    folder.mkdir()
    (folder / "model_gs_001k").write_bytes(table({b"": b"", b"\0\1w": b"x"}))
    (folder / "model_gs_001k.meta").write_bytes(b"graph")


def big_endian(folder):
    write_bundle(folder / "model", saved(SMALL_SSRN), endianness=1)


def compressed(folder):
    folder.mkdir()
    (folder / "model.index").write_bytes(table({b"": header(), b"a": field(1, 1)}, kind=1))
    (folder / "model.data-00000-of-00001").write_bytes(b"")


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (empty, "it is empty"),
        (text_files, "is not the index of a TensorFlow checkpoint"),
        (torch_file, "'model.pt' is another kind of file"),
        (saved_model, "'dense/kernel'"),
        (bare_saved_model, "a SavedModel"),
        (version_1, "version 1 of the format"),
        (big_endian, "big-endian"),
        (compressed, "compressed (snappy)"),
    ],
)
def test_other_folders_are_named(tmp_path, target, make, what):
    make(tmp_path / "given")
    assert what in refusal(tmp_path / "given", target)


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("model.pt", b"PK\3\4", "is not a TensorFlow checkpoint"),
        ("model.tar.gz", b"not packed", "damaged or not an archive"),
        ("model.tar", b"", "damaged or not an archive"),
        ("model.index", b"short", "is not the index"),
    ],
)
def test_other_files_are_refused(tmp_path, target, name, content, what):
    (tmp_path / name).write_bytes(content)
    assert what in refusal(tmp_path / name, target)


def test_missing_models_are_named(tmp_path, target):
    assert "There is nothing at" in refusal(tmp_path / "gone[1]", target)
    assert "Cannot read" in refusal(tmp_path / ("long" * 99), target)


def test_pipe_is_not_waited_for(models, target):
    os.mkfifo(models / "pipe.index")
    os.mkfifo(models / "LJ01-1" / "checkpoint")
    import_voice(models, target)


def test_archive_with_one_network_is_named(models, tmp_path, target):
    shutil.rmtree(models / "LJ01-2")
    with tarfile.open(tmp_path / "m.tar.gz", "w:gz") as tar:
        tar.add(models, "models")
    assert f"{tmp_path}/m.tar.gz/models/LJ01-1" in refusal(tmp_path / "m.tar.gz", target)


@pytest.fixture(scope="module")
def sound_models(tmp_path_factory):
    return write_models(tmp_path_factory.mktemp("sound") / "models")


@given(st.data())
@settings(max_examples=20, deadline=None)
@pytest.mark.slow
def test_damage_anywhere_is_refused_or_harmless(sound_models, tmp_path_factory, data):
    home = tmp_path_factory.mktemp("damage")
    models = Path(shutil.copytree(sound_models, home / "models"))
    files = sorted(path for path in models.rglob("*") if path.is_file())
    path = data.draw(st.sampled_from(files))
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[place] ^= data.draw(st.integers(1, 255))
    else:
        del content[place:]
    path.write_bytes(content)
    imported, sentence = attempt(import_voice, models, home / "deep" / "voice")
    if sentence:
        assert "LJ01-" in sentence
        assert not (home / "deep").exists()
    else:
        assert [one.step for one in imported.networks] == [1000, 1001]
    shutil.rmtree(home)
