"""Checkpoints as folders: which there are, and what their readable half says.

Nothing here imports torch, so that `info` answers at once and an order is checked at once.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.choices import NETWORKS, NetworkName
from engine.errors import InputError

_STEP_FOLDER = re.compile(r"step-([0-9]{9,})")


@dataclass(frozen=True)
class CheckpointEntry:
    """A checkpoint on disk."""

    step: int
    path: Path


def step_folder(checkpoints: Path, step: int) -> Path:
    """Where the checkpoint of a step is, or will be."""
    return checkpoints / f"step-{step:09d}"


def list_checkpoints(folder: Path) -> list[CheckpointEntry]:
    """The complete checkpoints in a folder, oldest first."""
    if not folder.is_dir():
        return []
    found = [
        CheckpointEntry(int(match[1]), path)
        for path in folder.iterdir()
        if (match := _STEP_FOLDER.fullmatch(path.name)) and is_checkpoint(path)
    ]
    return sorted(found, key=lambda entry: entry.step)


def is_checkpoint(folder: Path) -> bool:
    """Whether a folder is a complete checkpoint."""
    return (folder / "state.json").is_file()


def read_state(checkpoint: Path) -> dict[str, Any]:
    """Read a checkpoint's `state.json`.

    Returns:
        What it says; `network`, `step`, `base_step` and `symbols` are there and of their type.

    Raises:
        InputError: it cannot be read, or is not a checkpoint's state.
    """
    path = checkpoint / "state.json"
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"Cannot read the checkpoint {checkpoint}: {error}; move it away to use the one before."
        ) from error
    if not isinstance(state, dict):
        raise InputError(f"{path} is not the state of a checkpoint.")
    for name, kind in (("network", str), ("step", int), ("base_step", int), ("symbols", str)):
        if type(state.get(name)) is not kind:
            raise InputError(
                f"{path} is not the state of a checkpoint: its {name} is {state.get(name)!r}."
            )
    if state["network"] not in NETWORKS:
        raise InputError(
            f"{path}: the network is {state['network']!r}, neither of {' and '.join(NETWORKS)}."
        )
    return state


def source_checkpoints(source: Path) -> dict[NetworkName, Path]:
    """Find the newest checkpoints in a voice.

    Of a voice's checkpoint, take that one, and the newest of the other network beside it: a
    Text2Mel is heard through the SSRN of its voice.

    Raises:
        InputError: it is neither, or a voice without checkpoints.
    """
    if is_checkpoint(source):
        own: NetworkName = read_state(source)["network"]
        return {**_newest_of(source.resolve().parent.parent.parent), own: source}
    found = _newest_of(source)
    if not found:
        raise InputError(
            f"{source} is neither a voice with checkpoints nor a checkpoint; give the folder of "
            f"a voice, or one of its step-… folders."
        )
    return found


def _newest_of(voice: Path) -> dict[NetworkName, Path]:
    """The newest checkpoint of each network that the folder of a voice has."""
    found: dict[NetworkName, Path] = {}
    for network in NETWORKS:
        entries = list_checkpoints(voice / network / "checkpoints")
        if entries:
            found[network] = entries[-1].path
    return found
