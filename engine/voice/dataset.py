"""What a new voice needs: recordings, and a folder with nothing else in it."""

from pathlib import Path

from engine.data.clips import METADATA, RECORDINGS
from engine.errors import InputError
from engine.machine.lock import LOCK_NAME
from engine.voice.folder import RESTORING

LEFTOVERS = {LOCK_NAME, "socket", "features", "corpus.json", "check.json", RESTORING}
"""What a run that ended early may have left in the folder of a voice that is yet to be."""


def require_dataset(dataset: Path) -> None:
    """Check that a folder looks like a dataset; its rows are read later.

    Raises:
        InputError: saying what is missing.
    """
    if not dataset.is_dir():
        raise InputError(f"There is no corpus folder {dataset}; check the path.")
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


def require_free(folder: Path, leftovers: set[str], dataset: Path | None) -> None:
    """Refuse to make a voice among somebody's other files.

    Args:
        folder: of the voice; it need not exist.
        leftovers: names of what an earlier run may have left there.
        dataset: the recordings, which may lie in the folder.

    Raises:
        InputError: naming a file that is in the way.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"{folder} is a file; give a folder with --voice.")
    expected = set(leftovers)
    if dataset is not None and not (inside := as_stored(dataset, folder)).is_absolute():
        expected.update(inside.parts[:1])
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise InputError(
            f"Cannot read the folder {folder}: {error.strerror}; name another one with --voice."
        ) from error
    for name in names:
        if name not in expected and not name.startswith("voicecoach.log"):
            raise InputError(
                f"{folder} is not empty and is not a voice folder ({name}); name a new folder "
                f"with --voice."
            )
