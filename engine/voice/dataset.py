"""The recordings that a voice is trained on: are they there, and how its settings name them."""

from pathlib import Path

from engine.data.clips import METADATA, RECORDINGS
from engine.errors import InputError


def require_dataset(dataset: Path) -> None:
    """Check that a folder looks like a dataset; its rows are read later.

    Raises:
        InputError: saying what is missing.
    """
    if not dataset.is_dir():
        raise InputError(f"There is no dataset folder {dataset}; check the path.")
    for name, kind in ((METADATA, "file"), (RECORDINGS, "folder")):
        if not (dataset / name).exists():
            raise InputError(
                f"{dataset} has no {kind} {name}; a dataset in LJ Speech layout has "
                f"{METADATA} and {RECORDINGS}/."
            )


def as_stored(dataset: Path, folder: Path) -> Path:
    """The path for `voice.toml`: relative inside the voice folder, so that the folder can move."""
    dataset, home = dataset.resolve(), folder.resolve()
    return dataset.relative_to(home) if dataset.is_relative_to(home) else dataset
