"""What of a voice folder is sent to its mirror: intact checkpoints, and the small files."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from engine.checkpoints.state import MAX_TENSOR_BYTES, read_state
from engine.choices import NETWORKS, NetworkName
from engine.errors import InputError
from engine.files import read_plain
from engine.mirror.fingerprint import Fingerprint, fingerprint
from engine.mirror.layout import VOICE_FILES, is_checkpoint_file
from engine.voice.folder import Voice
from engine.voice.layout import CheckpointEntry

Files = dict[str, tuple[Path, Fingerprint]]
"""Files by their names in the mirror."""

# Of a small file, which is read into memory; no history is as long.
_MAX_BYTES = 2**30


class GoneError(Exception):
    """The checkpoint was removed meanwhile, or is damaged: there is nothing to send."""


class Outgoing:
    """A voice folder, in which a run saves and prunes while it is read."""

    def __init__(self, voice: Voice, network: NetworkName, warn: Callable[[str], None]) -> None:
        """Prepare to read a voice.

        Args:
            voice: whose folder it is.
            network: the one that is trained, which is sent first.
            warn: shows a sentence, once for each checkpoint that is damaged and so not sent.
        """
        self.voice = voice
        self.networks = sorted(NETWORKS, key=lambda other: other != network)
        """In the order in which they are sent."""
        self.warn = warn
        self._damaged: set[tuple[Path, str]] = set()

    def checkpoints(self) -> list[tuple[NetworkName, CheckpointEntry]]:
        """All that there are, in the order in which they are sent: newest first.

        Raises:
            EngineError: the voice folder is gone, or cannot be reached.
        """
        self.voice.locate()
        return [
            (network, entry)
            for network in self.networks
            for entry in reversed(self.voice.checkpoints(network))
        ]

    def newest_step(self, network: NetworkName) -> int:
        """The newest step of a network; 0 without checkpoints."""
        newest = self.voice.newest(network)
        return 0 if newest is None else newest.step

    def digest(self, checkpoint: Path) -> str | None:
        """The SHA-256 of `state.json`, which holds those of the tensors; None if it is gone."""
        try:
            content = read_plain(checkpoint / "state.json", _MAX_BYTES)
        except FileNotFoundError:
            return None
        return hashlib.sha256(content).hexdigest()

    def is_damaged(self, checkpoint: Path, digest: str) -> bool:
        """Whether a checkpoint was found damaged when it was to be sent."""
        return (checkpoint, digest) in self._damaged

    def files_of(self, entry: CheckpointEntry) -> Files:
        """The files of a checkpoint.

        Raises:
            GoneError: it is damaged here, or the same step is being saved again.
            FileNotFoundError: it was removed.
        """
        digest = self.digest(entry.path)
        paths = [one for one in sorted(entry.path.iterdir()) if is_checkpoint_file(one.name)]
        # What is larger is never loaded, and would take hours to read.
        fits = all(path.stat().st_size <= MAX_TENSOR_BYTES for path in paths)
        files = {path.name: (path, fingerprint(path)) for path in paths} if fits else {}
        if fits and _is_intact(entry.path, files):
            return files
        if digest is not None and self.digest(entry.path) == digest:
            self._damaged.add((entry.path, digest))
            self.warn(f"{entry.path} is damaged and not sent to the mirror")
        raise GoneError

    def small_files(self, folder: Path, names: Iterable[str] = VOICE_FILES) -> Files:
        """Copy the voice's small files into a folder; of a `.jsonl`, the whole lines."""
        self.voice.locate()
        copies = {}
        for name in names:
            try:
                content = read_plain(self.voice.folder / VOICE_FILES[name], _MAX_BYTES)
            except FileNotFoundError:
                continue
            if name.endswith(".jsonl"):
                content = content[: content.rfind(b"\n") + 1]
            path = folder / name
            path.write_bytes(content)
            copies[name] = (path, fingerprint(path))
        return copies


def _is_intact(checkpoint: Path, files: Files) -> bool:
    """Whether the files are those that the checkpoint's `state.json` names."""
    try:
        checksums = read_state(checkpoint).checksums
        return (
            checksums.items()
            <= {name: found.info.sha256 for name, (_, found) in files.items()}.items()
        )
    except (InputError, TypeError, ValueError):
        return False
