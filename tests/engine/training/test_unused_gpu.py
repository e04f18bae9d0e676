"""A machine whose GPU torch cannot use: told where it is free, refused where it is paid for."""

import pytest
import torch

from engine.errors import InputError
from engine.machine import device as devices
from engine.run.options import TrainOptions
from engine.run.snapshot import Phase
from engine.run.stop import parse_stop
from engine.session import Session


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
