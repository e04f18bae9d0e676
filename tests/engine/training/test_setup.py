"""What is checked, swept or refused before the first step."""

import pytest

from engine.checkpoints.checkpoint import load_checkpoint
from engine.errors import EngineError, InputError


def test_too_little_room_is_reported_before_features(make_voice, training, monkeypatch):
    voice = make_voice()
    monkeypatch.setattr("engine.files.free_bytes", lambda path: 4_300_000)
    session = training.start(voice, "+1")
    snapshot = training.end(session)
    assert isinstance(session.error, EngineError)
    for words in ("two checkpoints of", "features of", "but 4.3 MB are free"):
        assert words in snapshot.failure
    assert not list(voice.features.glob("*.features"))


def test_half_checkpoints_of_a_dead_process_are_swept(make_voice, training):
    voice = make_voice()
    half = voice.folder / "text2mel" / "checkpoints" / ".step-000000009.1.tmp"
    half.mkdir()
    (half / "state.json").write_text("{}")
    assert training.end(training.start(voice, "+1")).step == 1
    assert not half.exists()


def test_a_damaged_checkpoint_is_an_input_error(make_voice, training):
    voice = make_voice()
    (voice.newest("text2mel").path / "weights.safetensors").write_bytes(b"nothing")
    session = training.start(voice, "+1")
    snapshot = training.end(session)
    assert isinstance(session.error, InputError)
    assert "step-000000000" in snapshot.failure
    assert voice.folder.is_dir()


def test_a_lost_optimizer_state_is_reported(make_voice, training):
    voice = make_voice()
    training.end(training.start(voice, "3"))
    (voice.newest("text2mel").path / "optimizer.safetensors").unlink()
    snapshot = training.end(training.start(voice, "5"))
    assert snapshot.step == 5
    assert any("optimizer reset" in text for text in training.texts(snapshot))
    assert load_checkpoint(voice.newest("text2mel").path).optimizer_start_step == 3


@pytest.mark.parametrize(
    ("old", "new", "word"), [("?,;", "?,;!", "symbols"), ("n_mels = 20", "n_mels = 24", "n_mels")]
)
def test_settings_that_do_not_fit_the_weights_are_refused(make_voice, training, old, new, word):
    voice = make_voice()
    path = voice.folder / "voice.toml"
    path.write_text(path.read_text().replace(old, new))
    session = training.start(voice, "+1")
    snapshot = training.end(session)
    assert isinstance(session.error, InputError)
    assert word in snapshot.failure
    assert [entry.step for entry in voice.checkpoints("text2mel")] == [0]
