"""The file of features on disk: what lies where, and how it comes to be there whole.

`<key>.features` holds float16 numbers and nothing else: the magnitudes of all clips one after
another, then their coarse mels one after another. `<key>.json` beside it says which clips
these are, and holds checksums of the numbers. The index is written last, so a cache with an index
is complete.
"""

import hashlib
import json
import os
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from engine.files import plain_file, read_plain, remove_all, replacing

# More than the index of any corpus has; a file that is longer is none.
_MAX_BYTES = 2**28
# Bytes of numbers that are summed at a time.
_PIECE = 2**22


@dataclass(frozen=True)
class Entry:
    """A usable clip's share of the file."""

    clip_id: str
    """Path of the recording below `wavs/`, without its extension."""
    frames: int
    """Frames of its magnitude, a multiple of `reduction`."""


@dataclass(frozen=True)
class FeatureIndex:
    """What a file of features holds."""

    key: str
    """Hash of all that the features depend on; the name of the file."""
    n_bins: int
    """Numbers in a frame of magnitude."""
    n_mels: int
    """Numbers in a frame of coarse mel."""
    reduction: int
    """Frames of magnitude for one frame of coarse mel."""
    entries: tuple[Entry, ...]
    """Usable clips in the order in which they lie in the file."""
    rejected: tuple[tuple[str, str], ...]
    """Id and reason of each clip that failed in analysis."""
    magnitude_sum: int
    """CRC-32 of all magnitudes, as they lie in the file."""
    mel_sum: int
    """CRC-32 of all coarse mels, as they lie in the file."""

    @property
    def frames(self) -> int:
        """Frames of magnitude of all clips."""
        return sum(entry.frames for entry in self.entries)

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.mels_from + 2 * self.frames // self.reduction * self.n_mels

    @property
    def mels_from(self) -> int:
        """Where in the file the coarse mels begin, in bytes."""
        return 2 * self.frames * self.n_bins

    def save(self, folder: Path) -> None:
        """Write the index beside its file, which must be complete by now."""
        content = asdict(self)
        content["bytes"] = self.size
        content["checksum"] = checksum(content)
        with replacing(folder / f"{self.key}.json") as file:
            file.write(json.dumps(content, indent=1).encode())


def load_index(folder: Path, key: str) -> FeatureIndex | None:
    """Read the index of a complete cache; None when there is none or it is damaged."""
    try:
        content: dict[str, Any] = json.loads(read_plain(folder / f"{key}.json", _MAX_BYTES))
        written = content.pop("checksum")
        # json turns tuples into lists, of which the checksum is the same.
        if written != checksum(content) or content["key"] != key:
            return None
        index = _index_from(content)
        with plain_file(features_path(folder, key)) as file:
            size = os.fstat(file.fileno()).st_size
    except (OSError, ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return None  # the caller builds it anew
    return index if index.size == size else None


def _index_from(content: dict[str, Any]) -> FeatureIndex:
    """Read an index that anybody may have written: its checksum is no secret.

    Raises:
        ValueError, TypeError, KeyError: it is none.
    """
    index = FeatureIndex(
        content["key"],
        content["n_bins"],
        content["n_mels"],
        content["reduction"],
        tuple(Entry(**entry) for entry in content["entries"]),
        tuple((clip_id, reason) for clip_id, reason in content["rejected"]),
        content["magnitude_sum"],
        content["mel_sum"],
    )
    counts = (index.n_bins, index.n_mels, index.reduction, *(one.frames for one in index.entries))
    texts = (
        *(one.clip_id for one in index.entries),
        *(text for two in index.rejected for text in two),
    )
    if not all(type(count) is int and 0 < count < 2**31 for count in counts):
        raise ValueError("a count is none")
    if not all(type(text) is str for text in texts):
        raise ValueError("a text is none")
    if not all(type(one) is int for one in (index.magnitude_sum, index.mel_sum)):
        raise ValueError("a checksum is none")
    if any(one.frames % index.reduction for one in index.entries):
        raise ValueError("a clip has part of a coarse frame")
    return index


def is_as_written(
    folder: Path, index: FeatureIndex, *, magnitudes: bool, stop: Callable[[], None]
) -> bool:
    """Whether the numbers in a file of features are those that were computed.

    Args:
        folder: the cache.
        index: what the file is to hold.
        magnitudes: look at these too; they are nearly all of the file, and Text2Mel reads none.
        stop: called between two pieces; what it raises ends the look.

    Raises:
        OSError: the file cannot be read.
    """
    sections = [(index.mels_from, index.size, index.mel_sum)]
    if magnitudes:
        sections.append((0, index.mels_from, index.magnitude_sum))
    with plain_file(features_path(folder, index.key)) as file:
        return all(_sum(file, start, end, stop) == told for start, end, told in sections)


def _sum(file: IO[bytes], start: int, end: int, stop: Callable[[], None]) -> int:
    """The CRC-32 of what lies between two places of a file."""
    file.seek(start)
    found = 0
    while piece := file.read(min(_PIECE, end - file.tell())):
        found = zlib.crc32(piece, found)
        stop()
    return found


def features_path(folder: Path, key: str) -> Path:
    """Where the features with this key lie in a cache folder."""
    return folder / f"{key}.features"


def checksum(content: object) -> str:
    """SHA-256 of anything that JSON can write, whatever the order of its keys."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def keep_only(folder: Path, key: str) -> dict[Path, OSError]:
    """Remove features that a change of the corpus or of its constants has superseded.

    Returns those that cannot be removed, as `engine.files.remove_all`.
    """
    old = [path for path in folder.glob("*.features") if path.stem != key]
    return remove_all(one for path in old for one in (path.with_suffix(".json"), path))
