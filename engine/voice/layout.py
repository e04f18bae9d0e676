"""Where the files of a voice lie, and what may stand there."""

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from engine.errors import InputError
from engine.files import A_LINK, NOT_PLAIN

# What a voice keeps in folders; others in a voice folder are the person's, recordings perhaps.
_FOLDERS_OF_A_VOICE = frozenset(
    {"text2mel", "ssrn", "samples", "features", "tensorboard", ".restoring"}
)

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


def step_of(checkpoint: Path) -> int:
    """The step of a checkpoint, as its folder is named."""
    return int(checkpoint.name.removeprefix("step-"))


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
        # Whoever reads this folder says why; the others are still good checkpoints.
        return False


def require_plain(folder: Path) -> None:
    """Refuse a voice folder in which links or pipes stand where a voice has files and folders.

    Links to folders that are none of a voice's, such as one to the recordings, are left alone.

    Raises:
        InputError: naming the first of them.
        OSError: a folder cannot be read.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name in _FOLDERS_OF_A_VOICE or not (entry.is_dir() or _is_socket(entry)):
                _require_plain_tree(entry)


def _require_plain_tree(top: os.DirEntry[str]) -> None:
    waiting = [top]
    while waiting:
        entry = waiting.pop()
        if entry.is_dir(follow_symlinks=False):
            with os.scandir(entry.path) as entries:
                waiting += entries
        elif not entry.is_file(follow_symlinks=False) and os.path.lexists(entry.path):
            what = A_LINK if entry.is_symlink() else NOT_PLAIN
            raise InputError(
                f"{entry.path} cannot be used: {what}; replace it with the file or folder itself, "
                f"or delete it."
            )


def _is_socket(entry: os.DirEntry[str]) -> bool:
    """Whether it is a socket, as a run has one: it cannot be opened as a file."""
    try:
        return stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def is_exposed(path: Path, within: Path) -> bool:
    """Whether other users of this host can read a file that is in a folder, or below.

    Args:
        path: the file; one that is not there, or not in that folder, is not exposed.
        within: that folder; the permissions of those above it do not count.
    """
    try:
        # The group and all others, each of which needs both: to read the file, and to enter.
        who = path.stat().st_mode >> 2 & 0o011
        for folder in path.parents[: len(path.relative_to(within).parts)]:
            who &= folder.stat().st_mode
    except (OSError, ValueError):
        return False
    return bool(who)
