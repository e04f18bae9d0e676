"""Fetches single files from a mirror, each compared with its mark before anything is made of it."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.errors import EngineError
from engine.mirror.fingerprint import fingerprint
from engine.mirror.index import Holdings
from engine.mirror.layout import LATEST_FOLDER, VOICE_FILES, FileMark
from engine.mirror.store import MirrorError, Target

Tell = Callable[[str], None]
Progress = Callable[[int, int], None]
"""Bytes fetched, and of how many."""

# Left free on the disk beside what is fetched, in bytes.
_MARGIN = 2**26
# Bytes of a small file, which is taken into memory: a history of some ten million steps.
_MAX_SMALL = 2**28


@dataclass(frozen=True)
class Way:
    """From where to where a voice is fetched, and who hears of it."""

    target: Target
    folder: Path
    tell: Tell
    progress: Progress


@dataclass(frozen=True)
class Piece:
    """A file to fetch."""

    key: str
    mark: FileMark
    place: Path


class DamagedError(Exception):
    """A file in the mirror is not what its manifest says."""


def fetch(way: Way, piece: Piece, store: Path, step: Callable[[int], None]) -> Path:
    """Fetch a file under the name of its checksum; one that is there already is not fetched again.

    Raises:
        DamagedError: it is not what its manifest says.
        MirrorError: it cannot be read.
    """
    part = store / piece.mark.sha256
    if is_there(part, piece.mark):
        return part
    part.unlink(missing_ok=True)
    try:
        found = way.target.fetch(piece.key, part, piece.mark.size, step)
    except MirrorError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise DamagedError(f"{piece.place.name} is missing") from error
        raise
    if (found.size, found.sha256) != (piece.mark.size, piece.mark.sha256):
        part.unlink()
        raise DamagedError(f"{piece.place.name} is not what was written")
    return part


def fetch_small(way: Way, held: Holdings, names: Iterable[str], store: Path) -> dict[str, bytes]:
    """Fetch small files of the voice, each as it went there last and is sound.

    Raises:
        MirrorError: the mirror cannot be reached.
    """
    found = {}
    for name in sorted(names):
        for source, key, mark in _places(held, name):
            try:
                piece = Piece(key, mark, way.folder / VOICE_FILES[name])
                found[name] = _content(way, piece, store)
                break
            except DamagedError as error:
                way.tell(f"{source} in the mirror is damaged ({error}): the one before is used")
    return found


def _places(held: Holdings, name: str) -> Iterator[tuple[str, str, FileMark]]:
    """Where a small file lies, the last one first: in what, under what key, and its mark."""
    if held.latest is not None and name in held.latest.voice_files:
        key = f"{LATEST_FOLDER}/{held.latest.places[name]}"
        yield LATEST_FOLDER, key, held.latest.voice_files[name]
    for manifest in sorted(held.all, key=lambda each: each.sequence, reverse=True):
        if name in manifest.voice_files:
            yield manifest.key, f"{manifest.key}/{name}", manifest.voice_files[name]


def _content(way: Way, piece: Piece, store: Path) -> bytes:
    if piece.mark.size > _MAX_SMALL:
        raise DamagedError(f"{piece.place.name} is said to have {piece.mark.size:,} bytes")
    require_room(way.folder, piece.mark.size)
    return fetch(way, piece, store, lambda _: None).read_bytes()


def is_there(path: Path, mark: FileMark) -> bool:
    """Whether a plain file is the one that is marked."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size != mark.size:
        return False
    return fingerprint(path).sha256 == mark.sha256


def require_room(folder: Path, size: int) -> None:
    """Refuse to fetch so many bytes on a disk that has no room for them.

    Raises:
        EngineError: saying how much there is.
    """
    free = shutil.disk_usage(folder).free
    if size + _MARGIN > free:
        raise EngineError(
            f"{folder} has room for {free / 1e6:,.0f} MB, but {size / 1e6:,.0f} MB are to be "
            f"fetched; free some space or give another --voice."
        )
