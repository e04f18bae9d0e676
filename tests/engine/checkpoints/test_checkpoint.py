"""Checkpoints: whole or not there, and the right ones kept."""

import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from engine.checkpoints.checkpoint import (
    Checkpoint,
    inference_network,
    load_checkpoint,
    save_checkpoint,
)
from engine.checkpoints.retention import remove_superseded, sweep
from engine.checkpoints.state import sealed, source_checkpoints
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


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


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


def test_a_state_is_readable_and_tells_the_size(tmp_path):
    save_checkpoint(checkpoint(), tmp_path / "c")
    state = json.loads((tmp_path / "c" / "state.json").read_text())
    assert state["step"] == 5
    assert state["parameters"] == sum(t.numel() for t in checkpoint().weights.values())


def test_half_precision_comes_back_single(tmp_path):
    single = checkpoint(ema=False, moments=False)
    halves = {name: tensor.half() for name, tensor in single.weights.items()}
    save_checkpoint(replace(single, weights=halves), tmp_path / "c")
    assert {t.dtype for t in load_file(tmp_path / "c/weights.safetensors").values()} == {
        torch.float16
    }
    loaded = load_checkpoint(tmp_path / "c")
    assert {t.dtype for t in loaded.weights.values()} == {torch.float32}
    assert same(loaded.weights, {n: t.float() for n, t in halves.items()})
    inference_network(loaded)(torch.tensor([[2, 1]]), torch.rand(1, 3, 6))


def test_weights_outlive_the_file_that_they_were_read_from(tmp_path):
    save_checkpoint(checkpoint(), tmp_path / "c")
    loaded = load_checkpoint(tmp_path / "c")
    for path in (tmp_path / "c").glob("*.safetensors"):
        path.write_bytes(b"")
    assert same(loaded.weights, checkpoint().weights)
    assert same(loaded.optimizer, checkpoint().optimizer)


def test_the_average_speaks(tmp_path):
    saved = checkpoint()
    assert same(dict(inference_network(saved).named_parameters()), saved.ema)
    plain = checkpoint(ema=False)
    assert same(dict(inference_network(plain).named_parameters()), plain.weights)


def test_a_disk_that_is_in_the_way_leaves_nothing_and_says_so(tmp_path):
    (tmp_path / "checkpoints").write_text("a file where a folder should be")
    with pytest.raises(EngineError, match="step-000000005"):
        save_checkpoint(checkpoint(), tmp_path / "checkpoints" / "step-000000005")
    assert names(tmp_path) == ["checkpoints"]


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


def test_a_checkpoint_made_again_takes_the_place_of_the_one_before(tmp_path):
    target = tmp_path / "step-000000005"
    save_checkpoint(checkpoint(ema=True), target)
    save_checkpoint(checkpoint(ema=False), target)
    assert load_checkpoint(target).ema == {}
    assert names(tmp_path) == [target.name]


def test_what_a_dead_process_left_is_never_listed_and_swept(tmp_path):
    save_checkpoint(checkpoint(5), tmp_path / "step-000000005")
    for name in (".step-000000006.4711.tmp", ".step-000000001.removed", "step-000000007", "notes"):
        (tmp_path / name).mkdir()
    (tmp_path / ".step-000000006.4711.tmp" / "state.json").write_text("{}")
    assert [entry.step for entry in list_checkpoints(tmp_path)] == [5]
    sweep(tmp_path)
    assert names(tmp_path) == ["notes", "step-000000005", "step-000000007"]


def test_what_cannot_be_put_back_keeps_nothing_else(tmp_path, monkeypatch):
    save_checkpoint(checkpoint(5), tmp_path / "step-000000005")
    old = (tmp_path / "step-000000005").rename(tmp_path / ".step-000000005.4711.old")
    (tmp_path / ".step-000000006.4711.tmp").mkdir()
    monkeypatch.setattr(Path, "rename", refuse_to_rename)
    left = sweep(tmp_path)
    assert {path: error.errno for path, error in left.items()} == {old: errno.EXDEV}
    assert names(tmp_path) == [old.name]


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


def test_a_disk_that_does_not_know_of_one_lists_the_others(tmp_path, monkeypatch):
    for step in (5, 6):
        save_checkpoint(checkpoint(step), tmp_path / f"step-{step:09d}")
    is_file = Path.is_file

    def refuse(path):
        if path.parent.name == "step-000000005":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", refuse)
    assert [entry.step for entry in list_checkpoints(tmp_path)] == [6]


def test_a_checkpoint_whose_successor_never_came_is_put_back(tmp_path):
    save_checkpoint(checkpoint(5), tmp_path / "step-000000005")
    (tmp_path / "step-000000005").rename(tmp_path / ".step-000000005.4711.old")
    sweep(tmp_path)
    assert load_checkpoint(tmp_path / "step-000000005").step == 5


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "weights.safetensors").unlink(),
        lambda folder: (folder / "weights.safetensors").write_bytes(b"no tensors"),
        lambda folder: (folder / "average.safetensors").write_bytes(b""),
        lambda folder: (folder / "state.json").write_text("{"),
        lambda folder: _edit(folder, spec={"hidden": 4, "colour": 1}),
        lambda folder: _edit(folder, spec={"vocabulary_size": 0}),
        lambda folder: _edit(folder, network="vocoder"),
        lambda folder: _edit(folder, seed="x"),
    ],
)
def test_a_damaged_checkpoint_is_bad_input_that_names_it(tmp_path, damage):
    save_checkpoint(checkpoint(), tmp_path / "step-000000005")
    damage(tmp_path / "step-000000005")
    with pytest.raises(InputError):
        load_checkpoint(tmp_path / "step-000000005")


@pytest.mark.parametrize("name", ["weights", "average", "optimizer"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.999])
def test_a_single_changed_bit_is_noticed(tmp_path, name, share):
    folder = tmp_path / "step-000000005"
    save_checkpoint(checkpoint(), folder)
    path = folder / f"{name}.safetensors"
    content = bytearray(path.read_bytes())
    content[int(share * len(content))] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=name):
        load_checkpoint(folder)


def _edit(folder, **changes):
    state = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(sealed({**state, **changes}))


def test_weights_of_another_size_are_bad_input(tmp_path):
    save_checkpoint(checkpoint(), tmp_path / "c")
    _edit(tmp_path / "c", spec={"vocabulary_size": 34, "n_mels": 6, "embedding": 4, "hidden": 8})
    with pytest.raises(InputError, match="does not fit"):
        inference_network(load_checkpoint(tmp_path / "c"))


def test_the_newest_the_multiples_and_the_base_are_kept(make_voice):
    voice = make_voice(text2mel=7, base_step=7, keep_newest=3, keep_every=100)
    folder = voice.folder / "text2mel" / "checkpoints"
    for step in (50, 100, 150, 200, 250, 300, 310, 320):
        (folder / f"step-{step:09d}").mkdir()
        (folder / f"step-{step:09d}" / "state.json").write_text("{}")
    assert remove_superseded(voice, "text2mel", base_step=7) == {}
    left = [entry.step for entry in voice.checkpoints("text2mel")]
    assert left == [7, 100, 200, 300, 310, 320]
    assert len(names(folder)) == len(left)
    assert remove_superseded(voice, "text2mel", base_step=7) == {}
    assert [entry.step for entry in voice.checkpoints("text2mel")] == left


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
