"""`import_voice`: finding the models, making the voice, refusing what cannot be one."""

import os
import shutil
import tarfile

import numpy as np
import pytest
import torch
from dc_tts_files import (
    field,
    header,
    saved,
    ssrn_shapes,
    table,
    text2mel_shapes,
    write_bundle,
    write_models,
)

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


@pytest.fixture
def target(tmp_path):
    """A voice folder whose parents are not there either."""
    return tmp_path / "new" / "voice"


def everything(folder):
    return sorted(map(str, folder.rglob("*")))


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


def checkpoint_of(folder, network):
    return load_checkpoint(Voice.open(folder).newest(network).path)


@pytest.mark.slow
def test_both_networks_with_step_weights_and_moments(tmp_path, target):
    models = write_models(tmp_path / "models", step=45_000)
    progress = []
    imported = import_voice(models, target, on_progress=lambda *args: progress.append(args))
    steps = {"text2mel": (45_000, SMALL_TEXT2MEL), "ssrn": (45_001, SMALL_SSRN)}
    for one, (network, (step, shapes)) in zip(imported.networks, steps.items(), strict=True):
        checkpoint = checkpoint_of(target, network)
        assert (checkpoint.step, checkpoint.base_step) == (step, step)
        assert (checkpoint.optimizer_start_step, checkpoint.ema) == (0, {})
        count = sum(int(np.prod(shape)) for shape in shapes.values())
        assert sum(tensor.numel() for tensor in checkpoint.weights.values()) == count
        assert len(checkpoint.optimizer) == 3 * len(checkpoint.weights)
        for name in checkpoint.weights:
            assert float(checkpoint.optimizer[f"step/{name}"]) == 3
            assert (checkpoint.optimizer[f"exp_avg_sq/{name}"] >= 0).all()
        assert (one.network, one.step, one.parameters, one.updates) == (network, step, count, 3)
    assert Voice.open(target).settings.dataset is None
    assert Voice.open(target).settings.recipe == "standard"
    assert imported.missing is None
    assert {what for what, _, _ in progress} >= {"reading Text2Mel", "reading SSRN"}
    assert all(done <= total for _, done, total in progress if total)


@pytest.mark.parametrize(
    ("bins", "n_fft", "window", "hop"),
    [(1025, 2048, 1102, 275), (513, 1024, 1024, 275), (129, 256, 256, 128)],
)
def test_audio_settings_come_from_the_number_of_bins(tmp_path, target, bins, n_fft, window, hop):
    write_bundle(tmp_path / "ssrn", saved(ssrn_shapes(80, bins, 2), moments=False))
    imported = import_voice(tmp_path / "ssrn", target)
    audio = Voice.open(target).settings.audio
    assert (audio.n_fft, audio.win_length, audio.hop_length) == (n_fft, window, hop)
    assert audio.n_mels == 80
    # Without Adam's moments there is no optimizer state.
    assert (imported.missing, imported.networks[0].updates) == ("text2mel", None)
    assert checkpoint_of(target, "ssrn").optimizer == {}
    assert any(f"the window is set to {window:,}" in n for n in imported.notes) == (bins < 1025)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "symbols", "whose"),
    [(34, BBC_SYMBOLS, "the BBC's 34"), (32, KYUBYONG_SYMBOLS, "Kyubyong's 32")],
)
def test_vocabulary_by_its_number_of_symbols(tmp_path, target, rows, symbols, whose):
    imported = import_voice(write_models(tmp_path / "models", symbols=rows), target)
    assert imported.symbols == Voice.open(target).settings.symbols == symbols
    assert checkpoint_of(target, "text2mel").symbols == symbols
    assert any(whose in note for note in imported.notes)


@pytest.mark.slow
def test_other_vocabulary_must_be_given_and_fit(tmp_path, target):
    models = write_models(tmp_path / "models", symbols=7)
    assert "The models have 7 symbols" in refusal(models, target)
    assert "has 6 symbols, but the models have 7" in refusal(models, target, symbols="PE abc")
    assert "P (padding)" in refusal(models, target, symbols="abc def")
    assert "invisible characters" in refusal(models, target, symbols="PE abc\udcff")
    import_voice(models, target, symbols="PE äöü?")
    assert Voice.open(target).settings.symbols == "PE äöü?"


@pytest.mark.parametrize("suffix", ["", ".index", ".data-00000-of-00001"])
def test_prefix_imports_one_network(models, target, suffix):
    imported = import_voice(models / "LJ01-1" / f"model_gs_001k{suffix}", target)
    assert [one.network for one in imported.networks] == ["text2mel"]
    assert imported.missing == "ssrn"
    assert not Voice.open(target).checkpoints("ssrn")


@pytest.mark.slow
def test_note_or_prefix_of_both_networks(models, target):
    note = models / "LJ01-2" / "checkpoint"
    note.write_text('model_checkpoint_path: "/far/away/model_gs_001k"\n')
    assert [one.network for one in import_voice(note, target).networks] == ["ssrn"]
    note.write_text('model_checkpoint_path: "checkpoint"\n')
    assert "is not a TensorFlow checkpoint" in refusal(note, target.with_name("other"))
    write_bundle(models / "both", saved(SMALL_TEXT2MEL) | saved(SMALL_SSRN))
    both = import_voice(models / "both", target.with_name("both"))
    assert [one.step for one in both.networks] == [1000, 1000]


@pytest.mark.slow
def test_archive_is_as_good_as_its_folder(models, tmp_path, target):
    archive = tmp_path / "m.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(models, "models")
    imported = import_voice(archive, target)
    straight = tmp_path / "straight"
    import_voice(models, straight)
    for network in ("text2mel", "ssrn"):
        ours, theirs = (checkpoint_of(folder, network).weights for folder in (target, straight))
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert imported.networks[0].source == f"{archive}/models/LJ01-1/model_gs_001k"


@pytest.mark.parametrize(
    ("updates", "step", "power", "counted"),
    [
        (0, 1000, None, 0),
        (700, 5000, None, 700),
        (30_000, 90_000, None, 30_000),
        (150_000, 1_450_000, None, 1_450_000),
        # Of other decay rates nothing is known but the global step.
        *((3, 77, power, 77) for power in (0.5**4, 2.0, -1.0, np.nan)),
    ],
)
def test_update_count_comes_from_the_power_of_the_decay(
    tmp_path, target, updates, step, power, counted
):
    variables = saved(SMALL_SSRN, step=step, updates=updates)
    if power is not None:
        variables["beta2_power"] = np.float32(power)
    write_bundle(tmp_path / "ssrn", variables)
    assert import_voice(tmp_path / "ssrn", target).networks[0].updates == counted
    optimizer = checkpoint_of(target, "ssrn").optimizer
    assert float(optimizer["step/layers.0.convolution.bias"]) == counted


# Which of several.


@pytest.mark.slow
def test_named_step_else_the_highest_is_imported(models, target):
    write_bundle(models / "LJ01-2" / "model_gs_009k", saved(SMALL_SSRN, step=9000))
    imported = import_voice(models, target)
    assert imported.networks[1].step == 9000
    assert any("model_gs_001k at step 1,001" in note for note in imported.notes)
    (models / "LJ01-2" / "checkpoint").write_text('model_checkpoint_path: "/far/model_gs_001k"\n')
    assert import_voice(models, target.with_name("other")).networks[1].step == 1001


@pytest.mark.slow
def test_note_that_names_nothing_is_ignored(models, target):
    for number, name in enumerate(["", "gone", "x" * 999, "a\0b", "..", "/", "\\"]):
        (models / "LJ01-2" / "checkpoint").write_text(f'model_checkpoint_path: "{name}"')
        imported = import_voice(models / "LJ01-2" / "model_gs_001k", target.with_name(f"{number}"))
        assert imported.networks[0].step == 1001


def test_folder_with_the_usual_name_is_imported(models, target):
    shutil.copytree(models / "LJ01-1", models / "LJ01-1-one-step-later")
    imported = import_voice(models, target)
    assert imported.networks[0].source.endswith("LJ01-1/model_gs_001k")
    assert any("one-step-later" in note for note in imported.notes)


def test_ambiguous_models_are_refused(models, target):
    write_bundle(models / "LJ01-2" / "again", saved(SMALL_SSRN, step=1001))
    assert "more than one SSRN of step 1,001" in refusal(models, target)
    shutil.copytree(models / "LJ01-1", models / "LJ02-1")
    sentence = refusal(models, target)
    assert "LJ01-1" in sentence
    assert "LJ02-1" in sentence


def test_other_checkpoints_hidden_files_and_pipes_are_ignored(models, target):
    write_bundle(models / "other" / "model", {"dense/kernel": np.zeros(3, np.float32)})
    (models / "LJ01-1" / "._model_gs_001k.index").write_bytes(b"of a Macintosh")
    os.mkfifo(models / "pipe.index")
    os.mkfifo(models / "LJ01-1" / "checkpoint")
    assert any("something else" in note for note in import_voice(models, target).notes)


# What cannot be imported.


def test_voice_folder_must_be_new_or_empty(models, target):
    target.mkdir(parents=True)
    (target / "letter.txt").write_text("dear")
    assert "letter.txt" in refusal(models, target)
    assert "is a file" in refusal(models, target / "letter.txt")
    assert "Not a directory" in refusal(models, target / "letter.txt" / "voice")
    assert "File name too long" in refusal(models, target / ("x" * 300))
    (target / "letter.txt").unlink()
    import_voice(models, target)
    assert "There is a voice" in refusal(models, target)


@pytest.mark.parametrize("network", ["LJ01-1", "LJ01-2"])
def test_lone_network_is_refused_with_its_prefix(models, tmp_path, target, network):
    shutil.rmtree(models / network)
    lacks = "but no Text2Mel" if network == "LJ01-1" else "but no SSRN"
    with tarfile.open(tmp_path / "m.tar", "w") as tar:
        tar.add(models, "models")
    for place in (models, tmp_path / "m.tar"):
        sentence = refusal(place, target)
        assert lacks in sentence
        assert f"{place}/" in sentence
        assert "model_gs_001k" in sentence


@pytest.mark.parametrize("lost", ["index", "data-00000-of-00001"])
def test_half_a_checkpoint_is_refused(models, target, lost):
    (models / "LJ01-2" / f"model_gs_001k.{lost}").unlink()
    assert "has lost its" in refusal(models, target)
    assert "model_gs_001k" in refusal(models / "LJ01-2" / "model_gs_001k", target)


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("SSRN/C_10/conv1d/bias", None, "lacks 1 of 240"),
        ("SSRN/C_10/conv1d/bias/Adam_1", None, "lacks 1 of 240"),
        ("SSRN/C_1/conv1d/kernel", None, "no variable SSRN/C_1/conv1d/kernel"),
        ("gs/global_step", None, "no whole number gs/global_step"),
        ("gs/global_step", np.float32(5), "no whole number"),
        ("gs/global_step", np.zeros(2, np.int32), "no whole number"),
        ("gs/global_step", np.int32(-5), "at step -5"),
        ("gs/global_step", np.int64(2**40), "at step 1,099,511,627,776"),
        ("SSRN/C_1/conv1d/bias", np.zeros(5, np.float32), "has the shape (5,), not (4,)"),
        ("SSRN/C_1/conv1d/bias", np.zeros(4, np.float16), "are float16, not float32"),
        ("SSRN/C_1/conv1d/bias", np.full(4, np.nan, np.float32), "no training produces"),
        ("SSRN/C_1/conv1d/bias/Adam_1", np.full(4, -1, np.float32), "a negative square"),
        ("SSRN/C_17/conv1d/bias", np.zeros(4, np.float32), "'SSRN/C_17/conv1d/bias'"),
        ("SSRN/C_1/conv1d/kernel", np.zeros((1, 6, 0), np.float32), "no DC-TTS network has"),
    ],
)
def test_other_variables_are_refused(tmp_path, target, name, value, what):
    variables = saved(SMALL_SSRN) | {name: value}
    if value is None:
        del variables[name]
    write_bundle(tmp_path / "odd" / "model", variables)
    assert what in refusal(tmp_path / "odd" / "model", target)


@pytest.mark.parametrize(
    ("mels", "bins", "what"),
    [(5, 9, "6 mel bands, SSRN 5"), (6, 3, "which no spectrum has"), (6, 1, "which no spectrum")],
)
def test_sizes_that_do_not_fit_are_refused(models, target, mels, bins, what):
    write_bundle(models / "LJ01-2" / "model_gs_001k", saved(ssrn_shapes(mels, bins, 4)))
    assert what in refusal(models, target)


@pytest.mark.parametrize(
    ("index", "what"),
    [
        (None, "holds no TensorFlow checkpoint"),
        (b"Text2Mel: see the other folder\n", "is not the index of a TensorFlow checkpoint"),
        (table({b"": header()}), "no variable at all"),
        (table({b"": header(), b"dense": field(1, 1) + field(5, 4)}), "'dense'"),
    ],
    ids=["empty", "text", "no variable", "other variable"],
)
def test_other_folders_are_refused(tmp_path, target, index, what):
    (tmp_path / "given").mkdir()
    if index is not None:
        (tmp_path / "given" / "model.index").write_bytes(index)
        (tmp_path / "given" / "model.data-00000-of-00001").write_bytes(bytes(4))
    assert what in refusal(tmp_path / "given", target)


def test_other_files_are_refused(tmp_path, target):
    for name, content, what in (
        ("model.pt", b"PK\3\4", "is not a TensorFlow checkpoint"),
        ("model.tar.gz", b"not packed", "damaged or not an archive"),
        ("model.index", b"short", "is not the index"),
    ):
        (tmp_path / name).write_bytes(content)
        assert what in refusal(tmp_path / name, target)
    assert "There is no TensorFlow checkpoint at" in refusal(tmp_path / "gone[1]", target)
    assert "Cannot read" in refusal(tmp_path / ("long" * 99), target)
