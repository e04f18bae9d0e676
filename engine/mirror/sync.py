"""Brings a mirror in line with a voice folder: sends what it lacks, removes what is pruned.

In the folder, the run saves and prunes meanwhile.
"""

import hashlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.checkpoints.retention import superseded
from engine.checkpoints.state import MAX_TENSOR_BYTES, read_state
from engine.choices import NETWORKS, NetworkName
from engine.errors import InputError
from engine.files import read_plain
from engine.mirror.layout import (
    CHECKPOINT_FILE,
    LATEST,
    LATEST_FILES,
    LATEST_FOLDER,
    MANIFEST,
    VOICE_FILES,
    Latest,
    Manifest,
    encoded,
)
from engine.mirror.lease import Lease
from engine.mirror.store import FileInfo, Fingerprint, MirrorError, file_fingerprint
from engine.voice.folder import Voice
from engine.voice.layout import CheckpointEntry

Files = dict[str, tuple[Path, Fingerprint]]
"""Files by their names in the mirror."""

# Seconds between two sendings of the small files, as between two lines of the spend.
_INTERVAL = 60.0
# Of a small file, which is read into memory; no history is as long.
_MAX_BYTES = 2**30


class GoneError(Exception):
    """The checkpoint was removed meanwhile, or is damaged: there is nothing to send."""


class Sync:
    """A voice folder, its mirror, and the difference between them.

    Raises `LeaseLostError` where the mirror belongs to another voice or run, and `MirrorError`
    where it cannot be reached or written.
    """

    def __init__(
        self, voice: Voice, network: NetworkName, lease: Lease, warn: Callable[[str], None]
    ) -> None:
        """Acquire the mirror.

        Args:
            voice: whose folder it is.
            network: the one that is trained, which is sent first.
            lease: the right to write to the mirror.
            warn: shows a sentence, once for each thing that is wrong.
        """
        self._voice = voice
        self._networks = sorted(NETWORKS, key=lambda other: other != network)
        self._lease = lease
        self._store = lease.store
        self._warn = warn
        self._index = lease.acquire()
        self._damaged: set[tuple[Path, str | None]] = set()
        """Checkpoints in the voice folder, and their digests when they were to be sent."""
        self._not_removed: set[str] = set()
        self._due = time.monotonic()
        self._sent: dict[str, FileInfo] = {}
        """The small files as they were sent last."""
        self._verified: set[str] = set()
        """Small files in the mirror that are known to be as they were sent."""

    def safe_step(self, network: NetworkName | None = None) -> int | None:
        """The newest step there of the network that is trained, or of one; None without any."""
        return self._index.newest_step(network or self._networks[0])

    def missing(self) -> list[tuple[NetworkName, CheckpointEntry]]:
        """The checkpoints to send, not those that are about to be pruned here.

        The newest of both networks come first, then the others, newest first.

        Raises `EngineError` where the voice folder is gone, or cannot be reached.
        """
        self._voice.locate()
        newest, missing = [], []
        for network in self._networks:
            found = self._voice.checkpoints(network)
            pruned = self._superseded(network, {entry.step for entry in found}) or ()
            wanted = [
                (network, entry)
                for entry in reversed(found)
                if entry.step not in pruned and not self._is_safe(network, entry)
            ]
            there = [one for one in wanted if one[1] == found[-1]]
            newest += there
            missing += wanted[len(there) :]
        return newest + missing

    def send_checkpoint(self, network: NetworkName, entry: CheckpointEntry) -> None:
        """Send a checkpoint and the small files of the voice; the manifest comes last.

        Raises `GoneError` where it was removed meanwhile, saved again, or is damaged.
        """
        self._lease.require()
        digest = _digest(entry.path)
        with TemporaryDirectory(prefix="voicecoach-mirror-") as folder:
            small = small_files(self._voice, Path(folder))
            try:
                files = checkpoint_files(entry.path)
                if not files:
                    self._note_damage(entry.path, digest)
                    raise GoneError
                sequence = self._lease.sequence + 1
                manifest = Manifest(
                    self._lease.id, network, entry.step, sequence, _infos(files), _infos(small)
                )
                self._index.incomplete.add(manifest.key)
                for name, (path, found) in (files | small).items():
                    self._store.put(path, f"{manifest.key}/{name}", found)
            except FileNotFoundError as error:
                raise GoneError from error
            except MirrorError as error:
                if _digest(entry.path) != digest:
                    raise GoneError from error
                raise
        self._lease.reserve(sequence)
        self._store.write_verified(f"{manifest.key}/{MANIFEST}", encoded(manifest))
        self._index.add(manifest)

    def _note_damage(self, checkpoint: Path, digest: str | None) -> None:
        """Remember not to send a damaged checkpoint, unless it is being saved again."""
        if digest is not None and _digest(checkpoint) == digest:
            self._damaged.add((checkpoint, digest))
            self._warn(f"{checkpoint} is damaged and not sent to the mirror")

    def remove_superseded(self) -> None:
        """Remove from the mirror what the voice folder does not keep, and what was cut off.

        Nothing is removed before the newest checkpoint of its network is safe there. What cannot
        be removed is tried again the next time.
        """
        for network, found in self._index.checkpoints.items():
            newest = self._voice.newest(network)
            steps = [manifest.step for manifest in found]
            old = self._superseded(network, set(steps))
            if old is None or newest is None or not self._is_safe(network, newest):
                continue
            for place, manifest in enumerate(list(found)):
                # Of a step that was sent twice, the earlier goes, too.
                if manifest.step in old or manifest.step in steps[:place]:
                    self._index.discard(manifest)
        for key in sorted(self._index.incomplete):
            if self._remove(key, MANIFEST):
                self._index.incomplete.remove(key)

    def _remove(self, key: str, first: str = "") -> bool:
        """Remove what is no longer needed; what cannot be removed is reported once."""
        try:
            self._store.remove(key, first)
        except MirrorError as error:
            if not (error.refused or self._store.is_local):
                raise
            if key not in self._not_removed:
                self._not_removed.add(key)
                self._warn(f"mirror: {error}; no longer needed: delete it by hand")
            return False
        return True

    def _superseded(self, network: NetworkName, steps: set[int]) -> set[int] | None:
        """The steps that the voice prunes; None where that cannot be known at this moment."""
        from engine.advice.best import best_steps  # late: numpy is slower than a screen

        newest, settings = self._voice.newest(network), self._voice.settings
        try:
            base = 0 if newest is None else read_state(newest.path).base_step
            best = best_steps(self._voice, network, steps)
        except InputError:
            return None  # just removed, or damaged: the next time will do
        return superseded(steps, settings.keep_newest, settings.keep_every, base) - best

    def _is_safe(self, network: NetworkName, entry: CheckpointEntry) -> bool:
        """Whether the mirror has this very checkpoint, or it cannot be sent."""
        digest = _digest(entry.path)
        if digest is None or (entry.path, digest) in self._damaged:
            return True
        return any(
            manifest.step == entry.step and manifest.files["state.json"].sha256 == digest
            for manifest in self._index.checkpoints[network]
        )

    def send_small_files(self, *, now: bool = False) -> None:
        """Send the small files between checkpoints, if they have changed and are due, or `now`.

        The money spent after the last checkpoint of a machine that is lost was paid all the same,
        and the spend in the mirror is all that knows.
        """
        # A voice without a checkpoint leaves no trace in a mirror.
        if not self._lease.sequence or not (now or time.monotonic() >= self._due):
            return
        with TemporaryDirectory(prefix="voicecoach-mirror-") as folder:
            files = small_files(self._voice, Path(folder), LATEST_FILES)
            if _infos(files) != self._sent:
                self._lease.require()
                self._send_small(files)
        self._due = time.monotonic() + _INTERVAL

    def _send_small(self, files: Files) -> None:
        latest = Latest(self._lease.id, self._lease.sequence, _infos(files))
        for name, stored in latest.names.items():
            if stored not in self._verified:
                path, found = files[name]
                self._store.put(path, f"{LATEST_FOLDER}/{stored}", found)
                self._verified.add(stored)
        self._store.write_verified(LATEST, encoded(latest))
        self._sent = latest.voice_files
        for stored in set(self._store.names(LATEST_FOLDER)) - set(latest.names.values()):
            self._remove(f"{LATEST_FOLDER}/{stored}")
            self._verified.discard(stored)


def _infos(files: Files) -> dict[str, FileInfo]:
    return {name: found.info for name, (_, found) in files.items()}


def _digest(checkpoint: Path) -> str | None:
    """The SHA-256 of `state.json`, which holds those of the tensors; None if it is gone."""
    try:
        return hashlib.sha256(read_plain(checkpoint / "state.json", _MAX_BYTES)).hexdigest()
    except FileNotFoundError:
        return None


def checkpoint_files(checkpoint: Path) -> Files:
    """The files of a checkpoint; none where they are not those that its `state.json` names.

    Raises:
        FileNotFoundError: it was removed.
    """
    paths = [path for path in sorted(checkpoint.iterdir()) if CHECKPOINT_FILE.search(path.name)]
    # What is larger is never loaded, and would take hours to read.
    if any(path.stat().st_size > MAX_TENSOR_BYTES for path in paths):
        return {}
    files = {path.name: (path, file_fingerprint(path)) for path in paths}
    try:
        expected = read_state(checkpoint).checksums.items()
    except InputError:
        return {}
    found = {(name, info.sha256) for name, info in _infos(files).items()}
    return files if expected <= found else {}


def small_files(voice: Voice, folder: Path, names: Iterable[str] = VOICE_FILES) -> Files:
    """Copy the voice's small files into a folder; of a `.jsonl`, the whole lines."""
    voice.locate()
    copies = {}
    for name in names:
        try:
            content = read_plain(voice.folder / VOICE_FILES[name], _MAX_BYTES)
        except FileNotFoundError:
            continue
        if name.endswith(".jsonl"):
            content = content[: content.rfind(b"\n") + 1]
        path = folder / name
        path.write_bytes(content)
        copies[name] = (path, file_fingerprint(path))
    return copies
