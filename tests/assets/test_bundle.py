"""Bundling a voice: what is kept of it, and what is never written over."""

from pathlib import Path

import bundle
import pytest
import torch

from engine.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from engine.errors import InputError
from engine.networks.build import build_network
from engine.networks.specs import SSRNSpec, Text2MelSpec
from engine.voice.folder import Voice
from engine.voice.settings import VoiceSettings
from engine.voice.spend import SpendEntry


def add_network(voice: Voice, network, spec) -> None:
    weights = {name: p.detach() for name, p in build_network(spec).named_parameters()}
    save_checkpoint(
        Checkpoint(
            network=network, spec=spec, symbols=voice.settings.symbols, step=900, base_step=0,
            recipe="standard", seed=1, optimizer_start_step=0, weights=weights,
            ema={name: weight + 1 for name, weight in weights.items()},
            optimizer={"step/x": torch.tensor(900.0)},
        ),
        voice.checkpoint_folder(network, 900),
    )  # fmt: skip


@pytest.fixture
def trained(tmp_path) -> Voice:
    voice = Voice.create(tmp_path / "trained", VoiceSettings(Path("corpus")))
    voice.spend.add(SpendEntry("", "", "text2mel", 0, 900, 60.0, 0.5))
    add_network(voice, "text2mel", Text2MelSpec(34, 4, embedding=4, hidden=4))
    return voice


@pytest.mark.slow
def test_the_ema_weights_are_kept_and_an_older_bundle_gives_way(trained, tmp_path):
    add_network(trained, "ssrn", SSRNSpec(4, 5, hidden=4))
    out = tmp_path / "out"
    for _ in range(2):
        bundle.bundle(trained, out, "Hello.")
    made = Voice.open(out)
    full = load_checkpoint(trained.newest("text2mel").path)
    small = load_checkpoint(made.newest("text2mel").path)
    assert (small.step, small.ema, small.optimizer) == (900, {}, {})
    for name, weight in full.ema.items():
        assert torch.equal(small.weights[name], weight.half().float())


def test_nothing_is_removed_for_a_bundle_that_cannot_be_made(trained, tmp_path):
    out = tmp_path / "out"
    Voice.create(out, VoiceSettings(Path("corpus")))
    with pytest.raises(InputError, match="no ssrn"):
        bundle.bundle(trained, out, "Hello.")
    assert Voice.exists(out)
    add_network(trained, "ssrn", SSRNSpec(4, 5, hidden=4))
    (tmp_path / "letters").mkdir()
    for precious in (trained.folder, tmp_path / "letters"):
        with pytest.raises(InputError, match="something else"):
            bundle.bundle(trained, precious, "Hello.")
        assert precious.is_dir()
