"""Which checkpoints there are in a folder, by the names of their files."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from engine.errors import InputError
from engine.tf_import.bundle import INDEX

NOTE = "checkpoint"
"""The file in which TensorFlow names the newest checkpoint of a folder."""

_DATA = re.compile(r"(.+)\.data-[0-9]{5}-of-[0-9]{5}")
_NAMED = re.compile(r'^model_checkpoint_path: "([^"\n]+)"', re.MULTILINE)
_SMALL = 64_000


def is_checkpoint_file(name: str) -> bool:
    """Whether a file of this name belongs to a checkpoint."""
    return name == NOTE or name.endswith(INDEX) or _DATA.fullmatch(name) is not None


def prefix_of(path: Path) -> Path | None:
    """The prefix of the checkpoint that a path names: by itself, or by one of its files.

    None where there is no index of it.
    """
    match = _DATA.fullmatch(path.name)
    names = [path.name, match[1] if match else path.name.removesuffix(INDEX)]
    for name in names:
        if name and _is_file(path.with_name(name + INDEX)):
            return path.with_name(name)
    return None


def _is_file(path: Path) -> bool:
    """Whether there is a file; False for a name that no file can have."""
    try:
        return path.is_file()
    except OSError:
        return False


def prefixes_in(folder: Path) -> list[Path]:
    """The prefixes of all checkpoints in a folder and the folders in it, in order.

    Links to folders and hidden files are left alone.

    Raises:
        InputError: there is data without its index, or a folder cannot be read.
    """
    indices: set[Path] = set()
    data: dict[Path, Path] = {}
    for path in _files(folder):
        if not is_checkpoint_file(path.name) or not _is_file(path):
            continue  # a pipe of that name would be waited for without end
        match = _DATA.fullmatch(path.name)
        if match:
            data[path.with_name(match[1])] = path
        elif path.name.endswith(INDEX) and path.name != INDEX:
            indices.add(path.with_name(path.name.removesuffix(INDEX)))
    for prefix in sorted(data.keys() - indices):
        raise InputError(
            f"{data[prefix]} has lost its index: there is no file {prefix.name}{INDEX} beside it; "
            f"copy both, or move it away."
        )
    return sorted(indices)


def newest_by_name(folder: Path) -> Path | None:
    """The prefix that TensorFlow's own note names as the newest.

    None where there is no such note, or what it names is not in the folder.
    """
    note = folder / NOTE
    if not _is_file(note):
        return None
    try:
        with note.open("rb") as file:
            text = file.read(_SMALL).decode(errors="replace")
    except OSError as error:
        raise InputError(f"Cannot read {note}: {error.strerror}.") from error
    match = _NAMED.search(text)
    # It may hold a whole path of the machine that trained, which means nothing here.
    name = match[1].replace("\\", "/").rpartition("/")[2] if match else ""
    if not name or "\0" in name:
        return None
    return prefix_of(folder / name)


def _files(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise InputError(f"Cannot read the folder {error.filename}: {error.strerror}.") from error

    for root, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(root) / name for name in sorted(names) if not name.startswith("."))
