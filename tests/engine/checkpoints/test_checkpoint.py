"""Checkpoints: whole or not there, and the right ones kept."""

import errno
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from saved import same

from engine.checkpoints.checkpoint import (
    Checkpoint,
    inference_network,
    load_checkpoint,
    save_checkpoint,
)
from engine.checkpoints.state import DamagedCheckpointError, sealed, source_checkpoints
from engine.errors import EngineError, InputError
from engine.networks.build import build_network
from engine.networks.specs import SSRNSpec, Text2MelSpec
from engine.voice.layout import list_checkpoints

SPEC = Text2MelSpec(34, n_mels=6, embedding=4, hidden=4)


def checkpoint(step=5, *, spec=SPEC, ema=True, moments=True) -> Checkpoint:
    torch.manual_seed(step)
    weights = {n: p.detach().clone() for n, p in build_network(spec).named_parameters()}
    return Checkpoint(
        network="text2mel" if isinstance(spec, Text2MelSpec) else "ssrn",
        spec=spec,
        symbols="PE abc",
        step=step,
        base_step=2,
        recipe="standard",
        seed=3,
        optimizer_start_step=2,
        weights=weights,
        ema={n: p + 1 for n, p in weights.items()} if ema else {},
        optimizer={f"exp_avg/{n}": p + 2 for n, p in weights.items()} if moments else {},
    )


def refuse_to_rename(*_):
    """Be overlayfs, and asked to rename a folder of a lower layer."""
    raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("spec", [SPEC, SSRNSpec(6, 9, hidden=4)])
def test_what_was_saved_is_loaded(tmp_path, spec):
    saved = checkpoint(spec=spec)
    save_checkpoint(saved, tmp_path / "step-000000005")
    loaded = load_checkpoint(tmp_path / "step-000000005")
    for name in ("weights", "ema", "optimizer"):
        assert same(getattr(saved, name), getattr(loaded, name))
    for name in ("network", "spec", "symbols", "step", "base_step", "seed", "optimizer_start_step"):
        assert getattr(saved, name) == getattr(loaded, name)
    assert load_checkpoint(tmp_path / "step-000000005", with_optimizer=False).optimizer == {}


def test_half_precision_comes_back_single(tmp_path):
    single = checkpoint(ema=False, moments=False)
    halves = {name: tensor.half() for name, tensor in single.weights.items()}
    save_checkpoint(replace(single, weights=halves), tmp_path / "c")
    stored = load_file(tmp_path / "c/weights.safetensors")
    assert same(stored, halves)
    loaded = load_checkpoint(tmp_path / "c")
    # They outlive the file that they were read from.
    (tmp_path / "c/weights.safetensors").write_bytes(b"")
    assert same(loaded.weights, {n: t.float() for n, t in halves.items()})
    inference_network(loaded)(torch.tensor([[2, 1]]), torch.rand(1, 3, 6))


def test_the_ema_speaks():
    for saved in (checkpoint(), checkpoint(ema=False)):
        speaking = dict(inference_network(saved).named_parameters())
        assert same(speaking, saved.ema or saved.weights)


def test_a_write_that_breaks_off_leaves_the_one_before(tmp_path, monkeypatch):
    target = tmp_path / "step-000000005"
    save_checkpoint(checkpoint(), target)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.checkpoints.checkpoint._write_synced", full)
    with pytest.raises(EngineError, match="No space left"):
        save_checkpoint(checkpoint(6), tmp_path / "step-000000006")
    assert names(tmp_path) == [target.name]
    load_checkpoint(target)


def test_a_checkpoint_made_again_replaces_the_one_before(tmp_path):
    target = tmp_path / "step-000000005"
    save_checkpoint(checkpoint(ema=True), target)
    save_checkpoint(checkpoint(ema=False), target)
    assert load_checkpoint(target).ema == {}
    assert names(tmp_path) == [target.name]


def test_a_checkpoint_that_cannot_be_renamed_is_kept(tmp_path, monkeypatch):
    target = tmp_path / "step-000000005"
    save_checkpoint(checkpoint(ema=True), target)
    rename = Path.rename

    def refuse(path, to):
        return refuse_to_rename(path, to) if path == target else rename(path, to)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(EngineError, match=r"copy the voice to another disk.*are untouched"):
        save_checkpoint(checkpoint(ema=False), target)
    assert load_checkpoint(target).ema
    assert names(tmp_path) == [target.name]


def test_an_unreadable_checkpoint_hides_no_others(tmp_path, monkeypatch):
    for step in (5, 6):
        save_checkpoint(checkpoint(step), tmp_path / f"step-{step:09d}")
    is_file = Path.is_file

    def refuse(path):
        if path.parent.name == "step-000000005":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", refuse)
    assert [entry.step for entry in list_checkpoints(tmp_path)] == [6]


def edit(folder, **changes):
    state = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(sealed({**state, **changes}))


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "weights.safetensors").unlink(),
        lambda folder: (folder / "weights.safetensors").write_bytes(b"no tensors"),
        lambda folder: (folder / "average.safetensors").write_bytes(b""),
        lambda folder: (folder / "state.json").write_text("{"),
        lambda folder: edit(folder, spec={"vocabulary_size": 34, "n_mels": 6, "hidden": 8}),
        lambda folder: edit(folder, spec={"vocabulary_size": 0}),
        lambda folder: edit(folder, network="vocoder"),
        lambda folder: edit(folder, seed="x"),
        lambda folder: edit(folder, step=6),
    ],
)
def test_a_damaged_checkpoint_is_bad_input_that_names_it(tmp_path, damage):
    folder = tmp_path / "step-000000005"
    save_checkpoint(checkpoint(), folder)
    damage(folder)
    with pytest.raises(DamagedCheckpointError, match=f"{folder} is damaged"):
        load_checkpoint(folder)


def test_a_checkpoint_lies_under_its_own_network(make_voice):
    voice = make_voice(text2mel=5)
    wrong = voice.checkpoint_folder("ssrn", 5)
    wrong.parent.mkdir(parents=True)
    voice.checkpoint_folder("text2mel", 5).rename(wrong)
    with pytest.raises(DamagedCheckpointError, match="is of text2mel, not of ssrn"):
        load_checkpoint(wrong)


def test_a_state_of_a_later_version_is_not_damaged(tmp_path):
    save_checkpoint(checkpoint(), tmp_path / "c")
    path = tmp_path / "c" / "state.json"
    state = {**json.loads(path.read_text()), "format": 3}
    body = json.dumps({k: v for k, v in state.items() if k != "checksum"}, indent=2)[:-2] + ",\n"
    digest = hashlib.sha256(body.encode()).hexdigest()
    path.write_text(body + f'  "checksum": "{digest}"\n}}\n')
    with pytest.raises(InputError, match="a later voicecoach wrote") as caught:
        load_checkpoint(tmp_path / "c")
    assert not isinstance(caught.value, DamagedCheckpointError)


def test_a_source_is_a_voice_or_one_of_its_checkpoints(make_voice, tmp_path):
    voice = make_voice(text2mel=871, ssrn=767)
    found = source_checkpoints(voice.folder)
    assert {network: path.name for network, path in found.items()} == {
        "text2mel": "step-000000871",
        "ssrn": "step-000000767",
    }
    # Of one checkpoint's voice, the other network comes along.
    assert source_checkpoints(found["ssrn"]) == found
    alone = found["ssrn"].rename(tmp_path / "step-000000767")
    assert source_checkpoints(alone) == {"ssrn": alone}
    with pytest.raises(InputError, match="neither"):
        source_checkpoints(tmp_path)
