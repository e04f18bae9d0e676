"""Where the checkpoints of a voice lie."""

import re
from dataclasses import dataclass
from pathlib import Path

STEP_FOLDER = re.compile(r"step-([0-9]{9,10})")
"""The name of a checkpoint's folder."""


@dataclass(frozen=True)
class CheckpointEntry:
    """A checkpoint on disk."""

    step: int
    path: Path


def step_folder(checkpoints: Path, step: int) -> Path:
    """Where the checkpoint of a step is, or will be."""
    return checkpoints / f"step-{step:09d}"


def step_folders(folder: Path) -> list[CheckpointEntry]:
    """All that has the name of a checkpoint, oldest first, whether or not it is complete."""
    if not folder.is_dir():
        return []
    found = [
        CheckpointEntry(int(match[1]), path)
        for path in folder.iterdir()
        if (match := STEP_FOLDER.fullmatch(path.name)) and path.is_dir()
    ]
    return sorted(found, key=lambda entry: entry.step)


def list_checkpoints(folder: Path) -> list[CheckpointEntry]:
    """The complete checkpoints in a folder, oldest first."""
    return [entry for entry in step_folders(folder) if is_checkpoint(entry.path)]


def is_checkpoint(folder: Path) -> bool:
    """Whether a folder is a complete checkpoint, as far as the disk can tell."""
    try:
        return (folder / "state.json").is_file()
    except OSError:
        # Whoever reads this folder says why; the others are good checkpoints all the same.
        return False
