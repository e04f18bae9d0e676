"""What is checked, swept or refused before the first step."""

from types import SimpleNamespace

import pytest
import torch

from engine.checkpoints.checkpoint import load_checkpoint
from engine.errors import EngineError, InputError
from engine.machine import device as devices
from engine.run.options import TrainOptions
from engine.run.snapshot import Phase
from engine.run.stop import parse_stop
from engine.session import Session
from engine.training import precision

pytestmark = pytest.mark.slow


def test_too_little_room_is_reported_before_features(make_voice, training, monkeypatch):
    voice = make_voice()
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=4_300_000))
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


@pytest.fixture
def run_to_one(training, monkeypatch, tmp_path):
    """Train to step 1 on `auto`, on a machine with a GPU of whose driver torch knows nothing."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(devices, "_CONTROL", tmp_path)

    def run(voice, **changes):
        session = Session(TrainOptions(voice.folder, stop=parse_stop("1"), **changes))
        session.start()
        return session, training.end(session)

    return run


def test_with_a_price_an_unused_gpu_ends_the_run(make_voice, run_to_one):
    voice = make_voice()
    session, snapshot = run_to_one(voice, price=0.5)
    assert isinstance(session.error, InputError)
    assert "the GPU is not used" in snapshot.failure
    assert "--device cpu" in snapshot.failure
    assert snapshot.step == 0
    _, snapshot = run_to_one(voice, price=0.5, device="cpu")
    assert (snapshot.phase, snapshot.step) == (Phase.STOPPED, 1)


def test_where_nothing_is_paid_it_is_told(make_voice, run_to_one, training):
    session, snapshot = run_to_one(make_voice())
    assert session.error is None
    assert (snapshot.phase, snapshot.step) == (Phase.STOPPED, 1)
    assert any("the GPU is not used" in text for text in training.texts(snapshot))


def test_auto_times_each_precision_and_keeps_to_the_fastest(make_voice, training, monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    voice, seconds = make_voice(), {torch.float32: 0.5, torch.bfloat16: 2.0}
    monkeypatch.setattr(precision, "timed_step", lambda learner, *_: seconds[learner.precision])

    def train(stop):
        options = TrainOptions(voice.folder, network="ssrn", device="cpu", stop=parse_stop(stop))
        session = Session(options)
        session.start()
        snapshot = training.end(session)
        assert (snapshot.failure, snapshot.step) == ("", int(stop))
        told = any("SSRN starts from random weights" in text for text in training.texts(snapshot))
        assert told == (stop == "1")
        return snapshot.precision, [text for text in training.texts(snapshot) if "times" in text]

    assert train("1") == ("fp32", ["fp32 is 4.0 times as fast as bf16 here"])
    # On the same device a resumed run makes the same steps, whatever a clock would say now.
    seconds[torch.bfloat16] = 0.25
    assert train("2") == ("fp32", [])
    monkeypatch.setattr(precision, "model_of", lambda device: "another")
    assert train("3") == ("bf16", ["bf16 is 2.0 times as fast as fp32 here"])


@pytest.mark.slow
def test_a_gpu_that_is_full_at_the_start_is_told(make_voice, training, monkeypatch):
    def refuse(*given, **settings):
        raise RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported later")

    monkeypatch.setattr("engine.training.setup.Learner", refuse)
    snapshot = training.end(training.start(make_voice(), "3"))
    assert snapshot.phase is Phase.FAILED
    assert snapshot.failure.startswith("Out of memory on cpu before the first step (CUDA error")
    assert "stop other programs that use it" in snapshot.failure
