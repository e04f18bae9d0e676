"""What a corpus consists of, and in what it differs from another."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from engine.data.feature_file import checksum
from engine.files import read_plain, remove_all, write_whole

# Clips that are named one by one of each kind of change.
_MAX_NAMED = 3
# More than the list of any corpus has; a file that is longer is none.
_MAX_BYTES = 2**26


@dataclass(frozen=True)
class CorpusContent:
    """The usable clips of a corpus, each with a hash of its recording and its transcript."""

    clips: Mapping[str, str]
    """Hashes by id."""

    @cached_property
    def key(self) -> str:
        """A hash of it all, whatever the order of the clips."""
        return checksum(dict(self.clips))[:32]

    def save(self, folder: Path) -> None:
        """Keep it in a folder under its key; what is kept there already is mended if damaged.

        The folder has to be there.

        Raises:
            EngineError: it cannot be written.
        """
        path = _path(folder, self.key)
        if load_content(folder, self.key) is None:
            write_whole(
                path,
                json.dumps(dict(sorted(self.clips.items())), indent=0).encode(),
                make_folders=False,
            )


def hash_of_clip(recording: str, text: str) -> str:
    """Hash a clip by the hash of its recording and its transcript."""
    return hashlib.sha256(f"{recording}|{text}".encode()).hexdigest()[:32]


def load_content(folder: Path, key: str) -> CorpusContent | None:
    """Read what was kept under a key; None where that is gone or damaged."""
    path = _path(folder, key)
    try:
        clips = json.loads(read_plain(path, _MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(clips, dict) or not all(isinstance(one, str) for one in clips.values()):
        return None
    content = CorpusContent(clips)
    return content if content.key == key else None


def keep_only(folder: Path, keys: set[str]) -> dict[Path, OSError]:
    """Remove what was kept under other keys.

    Returns those that cannot be removed, as `engine.files.remove_all`.
    """
    return remove_all(path for path in folder.glob("*.json") if path.stem not in keys)


def sentence_about_change(old: CorpusContent, new: CorpusContent) -> str:
    """Say how many clips were added, removed and changed, and name a few of each."""
    added = sorted(new.clips.keys() - old.clips.keys())
    removed = sorted(old.clips.keys() - new.clips.keys())
    both = old.clips.keys() & new.clips.keys()
    changed = sorted(one for one in both if old.clips[one] != new.clips[one])
    kinds = (("added", added), ("removed", removed), ("changed", changed))
    return ", ".join(f"{len(ids):,} {kind} ({names(ids)})" for kind, ids in kinds if ids)


def names(ids: list[str]) -> str:
    """Name the first few of some clips."""
    more = "" if len(ids) <= _MAX_NAMED else ", …"
    return ", ".join(ids[:_MAX_NAMED]) + more


def _path(folder: Path, key: str) -> Path:
    return folder / f"{key}.json"
