"""What of a voice folder goes to a mirror: its sound checkpoints, and its small files."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from engine.checkpoints.folders import MAX_TENSOR_BYTES, read_state
from engine.choices import NETWORKS, NetworkName
from engine.errors import InputError
from engine.files import plain_file, read_plain
from engine.mirror.fingerprint import Fingerprint, fingerprint
from engine.mirror.layout import VOICE_FILES, is_checkpoint_file
from engine.voice.folder import Voice
from engine.voice.layout import CheckpointEntry

Files = dict[str, tuple[Path, Fingerprint]]
"""Files by the names that they have in the mirror."""

# Of a small file, which is read as a whole; no history has as many.
_MAX_BYTES = 2**30


class GoneError(Exception):
    """The checkpoint under way has been removed, or proved damaged: there is nothing to send."""


class Outgoing:
    """A voice folder, in which a run saves and prunes while it is read."""

    def __init__(
        self, voice: Voice, network: NetworkName, tell_damaged: Callable[[Path], None]
    ) -> None:
        """Look at a voice.

        Args:
            voice: whose folder it is.
            network: the one that is trained, which goes first.
            tell_damaged: hears once of each checkpoint that is not sent for it is damaged.
        """
        self.voice = voice
        self.networks = sorted(NETWORKS, key=lambda other: other != network)
        """The order in which they are sent."""
        self._tell_damaged = tell_damaged
        self._damaged: set[tuple[Path, str]] = set()
        self._states: dict[Path, tuple[int, str]] = {}

    def checkpoints(self) -> list[tuple[NetworkName, CheckpointEntry]]:
        """All that are kept, in the order in which they are sent: the newest first.

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
        """The newest step of a network; 0 where there is none."""
        newest = self.voice.newest(network)
        return 0 if newest is None else newest.step

    def digest(self, checkpoint: Path) -> str | None:
        """The SHA-256 of a `state.json`, which has those of all other files; None if it is gone."""
        path = checkpoint / "state.json"
        try:
            changed = path.stat().st_mtime_ns
            known = self._states.get(path)
            if known is None or known[0] != changed:
                with plain_file(path) as file:
                    known = (changed, hashlib.sha256(file.read(_MAX_BYTES)).hexdigest())
                self._states[path] = known
        except FileNotFoundError:
            return None
        return known[1]

    def is_damaged(self, checkpoint: Path, digest: str) -> bool:
        """Whether a checkpoint proved damaged when it was to be sent."""
        return (checkpoint, digest) in self._damaged

    def files_of(self, entry: CheckpointEntry) -> Files:
        """Each file of a checkpoint with its fingerprint.

        Raises:
            GoneError: it is damaged here: what the mirror has is better; or it gives way to
                another of its step at this moment.
            FileNotFoundError: it has been removed.
        """
        digest = self.digest(entry.path)
        paths = [one for one in sorted(entry.path.iterdir()) if is_checkpoint_file(one.name)]
        # What is larger is never loaded, and would take hours to read.
        fit = all(path.stat().st_size <= MAX_TENSOR_BYTES for path in paths)
        files = {path.name: (path, fingerprint(path)) for path in paths} if fit else {}
        if not fit or not _is_sound(entry.path, files):
            if digest is None or self.digest(entry.path) != digest:
                raise GoneError
            self._damaged.add((entry.path, digest))
            self._tell_damaged(entry.path)
            raise GoneError
        return files

    def small_files(self, folder: Path, names: Iterable[str] = VOICE_FILES) -> Files:
        """Copies, in a folder, of the voice's small files as they are at this moment.

        The last line of those that grow by lines is whole.
        """
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


def _is_sound(checkpoint: Path, files: Files) -> bool:
    """Whether the files are those that the checkpoint's `state.json` names."""
    try:
        written = read_state(checkpoint).get("sha256", {})
        return all(
            name in files and files[name][1].sha256 == digest
            for name, digest in dict(written).items()
        )
    except (InputError, TypeError, ValueError):
        return False
