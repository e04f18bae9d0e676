"""Checkpoints: never half of one, never the last good one removed."""

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.checkpoint_folders import CheckpointEntry, is_checkpoint, read_state
from engine.choices import NetworkName
from engine.errors import EngineError, InputError
from engine.host.files import sync_folder
from engine.host.time_of_day import now
from engine.networks.build import network_with
from engine.networks.specs import NetworkSpec, SSRNSpec, Text2MelSpec
from engine.networks.ssrn import SSRN
from engine.networks.text2mel import Text2Mel
from engine.voice import Voice

_FORMAT = 1
_AVERAGE = "average.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """All that is needed to speak with a network and to train it on."""

    network: NetworkName
    spec: NetworkSpec
    symbols: str
    """The vocabulary that the weights were trained with."""
    step: int
    base_step: int
    recipe: str
    seed: int
    moments_from: int
    """The step at which Adam started without moments; 0 where it never had to start anew."""
    weights: dict[str, Tensor]
    """The weights that are trained."""
    average: dict[str, Tensor]
    """Their running average, which speaks; empty when the recipe keeps none."""
    optimizer: dict[str, Tensor]
    """Adam's moments; empty in a checkpoint made for speaking alone."""
    symbols_from: dict[str, Any] = field(default_factory=dict)
    """In the base of a voice with other symbols than its source: where each row of the embedding
    came from, as `engine.corpus.symbols.SymbolMapping` tells it. Empty in any other."""

    @property
    def speaking(self) -> dict[str, Tensor]:
        """The weights to speak with, and to start another voice from."""
        return self.average or self.weights


def save_checkpoint(checkpoint: Checkpoint, target: Path) -> None:
    """Write a checkpoint: a temporary folder, made safe on disk, then renamed into place.

    Raises:
        EngineError: the disk is full or the folder cannot be written; nothing is left of it.
    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        save_file(checkpoint.weights, temporary / "weights.safetensors")
        if checkpoint.average:
            save_file(checkpoint.average, temporary / _AVERAGE)
        if checkpoint.optimizer:
            save_file(checkpoint.optimizer, temporary / "optimizer.safetensors")
        said = {**_state(checkpoint), "sha256": _digests(temporary)}
        state = json.dumps(said, indent=2, ensure_ascii=False)
        (temporary / "state.json").write_text(state + "\n", encoding="utf-8")
        for path in temporary.iterdir():
            _sync_file(path)
        sync_folder(temporary)
        _put_in_place(temporary, target)
        sync_folder(target.parent)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise EngineError(
            f"The checkpoint {target} cannot be written: {error}; free some space, the ones "
            f"before it are untouched."
        ) from error


def _put_in_place(temporary: Path, target: Path) -> None:
    """Rename; a checkpoint of the same step, made on purpose again, gives way last."""
    if target.exists():
        old = target.with_name(f".{target.name}.{os.getpid()}.old")
        target.rename(old)
        temporary.rename(target)
        shutil.rmtree(old)
    else:
        temporary.rename(target)


def _digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file of tensors, by name."""
    return {path.name: _digest(path) for path in sorted(folder.glob("*.safetensors"))}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _state(checkpoint: Checkpoint) -> dict[str, Any]:
    state = {
        "format": _FORMAT,
        "network": checkpoint.network,
        "step": checkpoint.step,
        "base_step": checkpoint.base_step,
        "recipe": checkpoint.recipe,
        "seed": checkpoint.seed,
        "moments_from": checkpoint.moments_from,
        "symbols": checkpoint.symbols,
        "parameters": sum(tensor.numel() for tensor in checkpoint.weights.values()),
        "spec": asdict(checkpoint.spec),
        "saved": now(),
    }
    if checkpoint.symbols_from:
        state["symbols_from"] = checkpoint.symbols_from
    return state


def load_checkpoint(folder: Path, *, to_speak: bool = False) -> Checkpoint:
    """Read a checkpoint; weights stored in half precision come back in single precision.

    Args:
        folder: a `step-…` folder.
        to_speak: leave out what only training needs.

    Raises:
        InputError: a file is missing, damaged, or not a checkpoint's.
    """
    state = read_state(folder)
    network: NetworkName = state["network"]
    try:
        kind = Text2MelSpec if network == "text2mel" else SSRNSpec
        digests = dict(state.get("sha256", {}))
        return Checkpoint(
            network=network,
            spec=kind(**state["spec"]),
            symbols=state["symbols"],
            step=state["step"],
            base_step=state["base_step"],
            recipe=str(state["recipe"]),
            seed=int(state["seed"]),
            moments_from=int(state.get("moments_from", 0)),
            weights=_tensors(folder, "weights.safetensors", digests),
            average=_tensors(folder, _AVERAGE, digests, optional=True),
            optimizer={}
            if to_speak
            else _tensors(folder, "optimizer.safetensors", digests, optional=True),
            symbols_from=dict(state.get("symbols_from", {})),
        )
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"The checkpoint {folder} cannot be used: {error}; move it away to use the one before."
        ) from error


def has_average(folder: Path) -> bool:
    """Whether a checkpoint speaks with an average of its weights; says so without reading it."""
    return (folder / _AVERAGE).is_file()


def speaking_network(checkpoint: Checkpoint) -> Text2Mel | SSRN:
    """Return a checkpoint's network in evaluation mode, with the weights that speak.

    Raises:
        InputError: the weights are not those of the network that `state.json` tells of.
    """
    try:
        return network_with(checkpoint.spec, checkpoint.speaking)
    except RuntimeError as error:
        raise InputError(
            f"The checkpoint of {checkpoint.network} at step {checkpoint.step:,} does not fit its "
            f"own state.json: {str(error).splitlines()[0]}"
        ) from error


def _tensors(
    folder: Path, name: str, digests: dict[str, str], *, optional: bool = False
) -> dict[str, Tensor]:
    """Read a file of tensors that is still as it was written.

    Raises:
        ValueError: a byte of it has changed.
        OSError: it is gone.
    """
    path = folder / name
    if optional and not path.exists():
        return {}
    if name in digests and _digest(path) != digests[name]:
        raise ValueError(f"{name} is damaged: its content is not what was written")
    # Copies: what safetensors returns is the file itself, mapped, and a file that is written
    # over would take the process with it.
    return {key: tensor.to(torch.float32, copy=True) for key, tensor in load_file(path).items()}


def remove_superseded(voice: Voice, network: NetworkName, base_step: int) -> list[CheckpointEntry]:
    """Remove old checkpoints, except the newest few, every 50k-th, and the base.

    Returns:
        Those that were removed.

    Raises:
        OSError: one cannot be removed.
    """
    settings = voice.settings
    found = voice.checkpoints(network)
    old = [
        entry
        for entry in found[: -settings.keep_newest]
        if entry.step % settings.keep_every != 0 and entry.step != base_step
    ]
    for entry in old:
        # Out of sight first: a removal that is cut off must not leave half a checkpoint.
        doomed = entry.path.with_name(f".{entry.path.name}.removed")
        shutil.rmtree(doomed, ignore_errors=True)
        entry.path.rename(doomed)
        shutil.rmtree(doomed)
    return old


def sweep(folder: Path) -> None:
    """Clear away what a process that died while writing or removing has left in a folder.

    A checkpoint that was about to give way to another of its step, which then did not come,
    is put back.
    """
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if not path.name.startswith(".step-"):
            continue
        target = path.with_name(path.name[1:].partition(".")[0])
        if path.suffix == ".old" and is_checkpoint(path) and not target.exists():
            path.rename(target)
        else:
            shutil.rmtree(path, ignore_errors=True)
