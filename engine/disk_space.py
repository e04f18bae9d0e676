"""Room on a disk: how much there is, and a sentence where it is too little."""

import shutil
from pathlib import Path

from engine.errors import EngineError


def free_bytes(path: Path) -> int:
    """Bytes that this process may still write on the file system of a path.

    The path need not exist: the nearest folder above it that does is asked.

    Raises:
        OSError: it cannot be told.
    """
    while not path.exists() and path != path.parent:
        path = path.parent
    return shutil.disk_usage(path).free


def require_room(path: Path, needed: int, what: str) -> None:
    """Refuse to begin what will not fit.

    Raises:
        EngineError: saying how much `what` needs, and how much is free.
    """
    try:
        free = free_bytes(path)
    except OSError:
        # Where it cannot be told, the attempt itself will tell.
        return
    if free < needed:
        raise EngineError(
            f"{what} needs {in_bytes(needed)}, but {in_bytes(free)} are free on the disk of "
            f"{path}; free {in_bytes(needed - free)} there."
        )


def in_bytes(count: int) -> str:
    """Write a size with its unit: `1.62 GB`, `38.1 MB`, `12 kB`."""
    for unit, size in (("GB", 10**9), ("MB", 10**6)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{max(1, -(-count // 1000))} kB"
