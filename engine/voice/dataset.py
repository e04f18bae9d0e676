"""What a new voice needs: a folder with nothing else in it than its recordings."""

from pathlib import Path

from engine.errors import InputError
from engine.machine.lock import LOCK_NAME
from engine.voice.folder import RESTORING, as_stored

LEFTOVERS = {LOCK_NAME, "socket", "features", "corpus.json", "check.json", RESTORING}
"""What a run that ended early may have left in the folder of a voice that is yet to be."""


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
