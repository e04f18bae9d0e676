"""Training from an export: what its card and weights say is what the new voice starts from."""

import json
from dataclasses import replace

import pytest
import torch

from engine.checkpoints.checkpoint import load_checkpoint
from engine.data.clips import Limits
from engine.errors import InputError
from engine.jobs.export import export_voice
from engine.run.commands import Finish
from engine.voice.folder import Voice

GERMAN = "PE abcdefghijklmnopqrstuvwxyzäöü'.?,;"


@pytest.fixture
def export(make_voice, tmp_path):
    """Export a voice of 871 steps; returns the folder of the export, and the voice."""

    def make(half=False, **given):
        voice = make_voice("theirs", text2mel=871, base_step=855, ssrn=767, **given)
        return export_voice(voice.folder, tmp_path / "out", half=half).folder, voice

    return make


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_voice_starts_from_an_export_as_from_the_voice_itself(export, training, tmp_path, speech):
    folder, theirs = export(sharpening=1.4, limits=Limits(150, 200), cleaner="plain")
    before = contents(folder)
    told = []
    for name, source in (("a", folder), ("b", theirs.folder)):
        session = training.start(tmp_path / name, None, Finish(), dataset=speech, source=source)
        told += training.texts(training.end(session))
    start = f"text2mel starts from step 871 of {folder}, with the weights that speak"
    assert any(start in text for text in told)
    ours, other = Voice.open(tmp_path / "a"), Voice.open(tmp_path / "b")
    # Its networks have widths of their own, which are those of no preset.
    assert replace(ours.settings, preset="small") == other.settings
    assert (ours.settings.sharpening, ours.settings.limits) == (1.4, Limits(150, 200))
    assert ours.settings.cleaner == "plain"
    for network, step in (("text2mel", 871), ("ssrn", 767)):
        checkpoint = load_checkpoint(ours.checkpoint_folder(network, step))
        same = load_checkpoint(other.checkpoint_folder(network, step))
        assert (checkpoint.spec, checkpoint.base_step) == (same.spec, same.base_step)
        assert all(torch.equal(same.weights[name], w) for name, w in checkpoint.weights.items())
    assert contents(folder) == before


def test_weights_of_16_bits_are_widened_and_it_is_told(export, training, tmp_path, speech):
    folder, theirs = export(half=True)
    session = training.start(tmp_path / "mine", None, Finish(), dataset=speech, source=folder)
    told = training.texts(training.end(session))
    assert f"{folder / 'text2mel.safetensors'} has weights of 16 bits: widened to 32" in told
    ours = load_checkpoint(Voice.open(tmp_path / "mine").checkpoint_folder("text2mel", 871))
    whole = load_checkpoint(theirs.newest("text2mel").path)
    for name, weights in ours.weights.items():
        assert weights.dtype is torch.float32
        assert torch.equal(weights, whole.weights[name].half().float())


def test_symbols_of_an_export_are_mapped_by_symbol(export, training, tmp_path, speech):
    folder, theirs = export()
    session = training.start(
        tmp_path / "mine", None, Finish(), dataset=speech, source=folder, vocabulary=GERMAN
    )
    told = " ".join(training.texts(training.end(session)))
    assert "'ä' from 'a'" in told
    ours = Voice.open(tmp_path / "mine")
    table = "text_encoder.embedding.weight"
    rows = load_checkpoint(ours.checkpoint_folder("text2mel", 871)).weights[table]
    source = load_checkpoint(theirs.newest("text2mel").path).weights[table]
    for row, symbol in enumerate(GERMAN):
        whose = {"ä": "a", "ö": "o", "ü": "u"}.get(symbol, symbol)
        assert torch.equal(rows[row], source[theirs.settings.symbols.index(whose)])


def test_the_step_of_the_network_that_is_trained_counts(export, training, tmp_path, speech):
    folder, _ = export()
    given = {"dataset": speech, "source": folder, "network": "ssrn"}
    with pytest.raises(InputError, match="767"):
        training.start(tmp_path / "mine", "760", **given)
    snapshot = training.end(training.start(tmp_path / "mine", "768", **given))
    assert (snapshot.step, snapshot.base_step, snapshot.failure) == (768, 767, "")
    ours = Voice.open(tmp_path / "mine")
    assert load_checkpoint(ours.newest("ssrn").path).moments_from == 767


def cut(folder):
    path = folder / "text2mel.safetensors"
    path.write_bytes(path.read_bytes()[:9000])
    return "cut short"


def flip(folder):
    path = folder / "text2mel.safetensors"
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)
    return "is damaged"


def lose(folder):
    (folder / "ssrn.safetensors").unlink()
    return f"Cannot read {folder / 'ssrn.safetensors'}"


def lie(folder):
    card = json.loads((folder / "voice.json").read_text())
    card["networks"]["text2mel"]["parameters"] += 1
    (folder / "voice.json").write_text(json.dumps(card))
    return "networks.text2mel.parameters"


@pytest.mark.parametrize("harm", [cut, flip, lose, lie])
def test_a_damaged_export_makes_no_voice(export, training, tmp_path, speech, harm):
    folder, _ = export()
    sentence = harm(folder)
    session = training.start(tmp_path / "mine", "+1", dataset=speech, source=folder)
    snapshot = training.end(session)
    assert isinstance(session.error, InputError)
    assert sentence in snapshot.failure
    assert "\n" not in snapshot.failure
    assert not (tmp_path / "mine").exists()


def test_a_card_that_cannot_be_used_is_refused_before_anything_is_made(
    export, training, tmp_path, speech
):
    folder, _ = export()
    (folder / "voice.json").write_text("{}")
    with pytest.raises(InputError, match=r"voice\.json"):
        training.start(tmp_path / "mine", "+1", dataset=speech, source=folder)
    assert not (tmp_path / "mine").exists()


def test_an_export_itself_is_not_trained(export, training, speech):
    folder, _ = export()
    with pytest.raises(InputError, match="--voice NEW --from"):
        training.start(folder, "+1", dataset=speech)
