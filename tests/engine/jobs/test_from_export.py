"""Training from an export: its settings, weights and steps are what the new voice starts from."""

import pytest
import torch

from engine.checkpoints.checkpoint import load_checkpoint
from engine.data.clips import Limits
from engine.errors import InputError
from engine.jobs.export import export_voice
from engine.run.commands import Finish
from engine.voice.folder import Voice

pytestmark = pytest.mark.slow
GERMAN = "PE abcdefghijklmnopqrstuvwxyzäöü'.?,;"


@pytest.fixture
def export(make_voice, tmp_path):
    """Export a voice of 871 steps; returns the folder of the export, and the voice."""

    def make(half=False, **given):
        voice = make_voice("theirs", text2mel=871, base_step=855, ssrn=767, **given)
        return export_voice(voice.folder, tmp_path / "out", half=half).folder, voice

    return make


def test_a_voice_starts_from_an_export_as_from_the_voice(export, training, tmp_path, speech):
    folder, theirs = export(sharpening=1.4, limits=Limits(150, 200), cleaner="plain")
    for name, source in (("a", folder), ("b", theirs.folder)):
        training.end(training.start(tmp_path / name, None, Finish(), dataset=speech, source=source))
    ours, other = Voice.open(tmp_path / "a"), Voice.open(tmp_path / "b")
    assert ours.settings == other.settings
    assert (ours.settings.sharpening, ours.settings.limits) == (1.4, Limits(150, 200))
    for network, step in (("text2mel", 871), ("ssrn", 767)):
        checkpoint = load_checkpoint(ours.checkpoint_folder(network, step))
        same = load_checkpoint(other.checkpoint_folder(network, step))
        assert (checkpoint.spec, checkpoint.base_step) == (same.spec, same.base_step)
        assert all(torch.equal(same.weights[name], w) for name, w in checkpoint.weights.items())


def test_16_bits_are_widened_and_symbols_mapped(export, training, tmp_path, speech):
    folder, theirs = export(half=True)
    german = {"vocabulary": GERMAN, "cleaner": "plain"}
    session = training.start(
        tmp_path / "mine", None, Finish(), dataset=speech, source=folder, **german
    )
    assert "'ä' from 'a'" in " ".join(training.texts(training.end(session)))
    ours = load_checkpoint(Voice.open(tmp_path / "mine").checkpoint_folder("text2mel", 871))
    whole = load_checkpoint(theirs.newest("text2mel").path)
    table = "text_encoder.embedding.weight"
    for name, weights in ours.weights.items():
        assert weights.dtype is torch.float32
        if name != table:
            assert torch.equal(weights, whole.weights[name].half().float())
    for row, symbol in enumerate(GERMAN):
        whose = theirs.settings.symbols.index({"ä": "a", "ö": "o", "ü": "u"}.get(symbol, symbol))
        assert torch.equal(ours.weights[table][row], whole.weights[table][whose].half().float())


def test_the_step_of_the_network_that_is_trained_counts(export, training, tmp_path, speech):
    folder, _ = export()
    given = {"dataset": speech, "source": folder, "network": "ssrn"}
    with pytest.raises(InputError, match="767"):
        training.start(tmp_path / "mine", "760", **given)
    snapshot = training.end(training.start(tmp_path / "mine", "768", **given))
    assert (snapshot.step, snapshot.base_step, snapshot.failure) == (768, 767, "")
    # The optimizer starts anew.
    ours = Voice.open(tmp_path / "mine")
    assert load_checkpoint(ours.newest("ssrn").path).optimizer_start_step == 767


def test_an_export_is_trained_on_like_an_imported_voice(export, training, speech):
    folder, _ = export()
    snapshot = training.end(training.start(folder, "+1", dataset=speech))
    assert (snapshot.failure, snapshot.step, snapshot.base_step) == ("", 872, 855)
    assert Voice.open(folder).settings.dataset == speech


def test_a_damaged_export_makes_no_voice(export, training, tmp_path, speech):
    folder, _ = export()
    path = Voice.open(folder).newest("text2mel").path / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:9000])
    session = training.start(tmp_path / "mine", "+1", dataset=speech, source=folder)
    snapshot = training.end(session)
    assert isinstance(session.error, InputError)
    assert "weights.safetensors is not as it was written" in snapshot.failure
    assert "\n" not in snapshot.failure
    assert not (tmp_path / "mine").exists()
