"""Brings a mirror in line with a voice folder: sends what it lacks, removes what is pruned."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.checkpoints.retention import superseded
from engine.checkpoints.state import read_state
from engine.choices import NetworkName
from engine.errors import InputError
from engine.mirror.address import without_secrets
from engine.mirror.layout import (
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
from engine.mirror.outgoing import Files, GoneError, Outgoing
from engine.mirror.store import MirrorError, Store
from engine.voice.layout import CheckpointEntry

# Seconds between two sendings of the small files, as between two lines of the spend.
_INTERVAL = 60.0


class Sync:
    """A voice folder, its mirror, and the difference between them."""

    def __init__(self, outgoing: Outgoing, store: Store, lease: Lease) -> None:
        """Acquire the mirror.

        Raises:
            LeaseLostError: it belongs to another voice or run.
            MirrorError: it cannot be reached or written.
        """
        self._outgoing = outgoing
        self._store = store
        self._lease = lease
        self._index = lease.acquire(store)
        self._due = time.monotonic()
        self._sent: dict[str, tuple[int, int]] | None = None
        """Size and modification time of the small files as they were sent last."""
        self._not_removed: set[str] = set()
        self._verified: set[str] = set()
        """Small files in the mirror that are known to be as they were sent."""

    @property
    def safe_step(self) -> int | None:
        """The newest step there of the network that is trained; None without checkpoints."""
        return self._index.newest_step(self._outgoing.networks[0])

    # Checkpoints.

    def missing(self) -> list[tuple[NetworkName, CheckpointEntry]]:
        """The checkpoints to send, in order; not those that are about to be pruned here."""
        found = self._outgoing.checkpoints()
        pruned: set[tuple[NetworkName, int]] = set()
        for network in self._outgoing.networks:
            steps = {entry.step for name, entry in found if name == network}
            pruned |= {(network, step) for step in self._superseded(network, steps) or ()}
        return [
            (network, entry)
            for network, entry in found
            if (network, entry.step) not in pruned and not self._is_safe(network, entry)
        ]

    def send_checkpoint(self, network: NetworkName, entry: CheckpointEntry) -> None:
        """Send a checkpoint and the small files of the voice; the manifest comes last.

        Raises:
            GoneError: it was removed meanwhile, saved again, or is damaged.
            LeaseLostError: another run has taken over the mirror.
            MirrorError: it cannot be sent.
        """
        self._lease.require(self._store)
        digest = self._outgoing.digest(entry.path)
        with TemporaryDirectory(prefix="voicecoach-mirror-") as folder:
            small = self._outgoing.small_files(Path(folder))
            try:
                files = self._outgoing.files_of(entry)
                manifest = self._manifest(network, entry.step, files, small)
                self._index.incomplete.add(manifest.key)
                for name, (path, found) in (*files.items(), *small.items()):
                    self._store.put(path, f"{manifest.key}/{name}", found)
            except FileNotFoundError as error:
                raise GoneError from error
            except MirrorError as error:
                if self._outgoing.digest(entry.path) != digest:
                    raise GoneError from error
                raise
        self._commit(manifest)

    def remove_superseded(self) -> None:
        """Remove from the mirror what the voice folder does not keep, and what was cut off.

        Nothing is removed before the newest checkpoint of its network is safe there. What cannot
        be removed is tried again the next time.

        Raises:
            MirrorError: the mirror cannot be reached.
        """
        for network, found in self._index.checkpoints.items():
            newest = self._outgoing.voice.newest(network)
            if newest is None or not self._is_safe(network, newest):
                continue
            old = self._superseded(network, {manifest.step for manifest in found})
            if old is None:
                continue
            newer: set[int] = set()
            for manifest in list(found):
                unwanted = manifest.step in old or manifest.step in newer
                if unwanted and self._remove(manifest.key, MANIFEST):
                    found.remove(manifest)
                newer.add(manifest.step)
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
                self._outgoing.warn(f"mirror: {error}; no longer needed: delete it by hand")
            return False
        return True

    def _superseded(self, network: NetworkName, steps: set[int]) -> set[int] | None:
        """The steps that the voice prunes; None where that cannot be known at this moment."""
        voice = self._outgoing.voice
        newest = voice.newest(network)
        try:
            base = 0 if newest is None else read_state(newest.path).base_step
        except InputError:
            return None  # just removed, or damaged: the next time will do
        return superseded(steps, voice.settings.keep_newest, voice.settings.keep_every, base)

    def _is_safe(self, network: NetworkName, entry: CheckpointEntry) -> bool:
        """Whether the mirror has this very checkpoint, or it cannot be sent."""
        digest = self._outgoing.digest(entry.path)
        if digest is None or self._outgoing.is_damaged(entry.path, digest):
            return True
        return any(
            manifest.step == entry.step and manifest.files["state.json"].sha256 == digest
            for manifest in self._index.checkpoints[network]
        )

    def _manifest(self, network: NetworkName, step: int, files: Files, small: Files) -> Manifest:
        return Manifest(
            id=self._lease.id,
            network=network,
            step=step,
            sequence=self._lease.sequence + 1,
            files={name: found.info for name, (_, found) in files.items()},
            voice_files={name: found.info for name, (_, found) in small.items()},
        )

    def _commit(self, manifest: Manifest) -> None:
        """Make a checkpoint count whose files are all there."""
        self._lease.reserve(manifest.sequence)
        self._write_verified(f"{manifest.key}/{MANIFEST}", encoded(manifest))
        self._index = self._index.with_checkpoint(manifest)

    def _write_verified(self, key: str, content: bytes) -> None:
        self._store.write(key, content)
        if self._store.read(key, len(content)) != content:
            raise MirrorError(
                f"{without_secrets(key)} did not arrive at {self._store.address} as sent"
            )

    # Small files between checkpoints: the money spent after the last checkpoint of a machine that
    # is lost was paid all the same, and the spend in the mirror is all that knows.

    def send_small_files(self, *, now: bool = False) -> None:
        """Send the small files if they have changed and are due, or `now`.

        Raises:
            LeaseLostError: another run has taken over the mirror.
            MirrorError: they cannot be sent.
        """
        if not self._lease.sequence:
            return  # a voice without a checkpoint leaves no trace in a mirror
        current = self._small_file_times()
        if current == self._sent or not (now or time.monotonic() >= self._due):
            return
        self._lease.require(self._store)
        with TemporaryDirectory(prefix="voicecoach-mirror-") as folder:
            self._send_small(self._outgoing.small_files(Path(folder), LATEST_FILES))
        self._sent = current
        self._due = time.monotonic() + _INTERVAL

    def _small_file_times(self) -> dict[str, tuple[int, int]]:
        times = {}
        for name in LATEST_FILES:
            try:
                status = (self._outgoing.voice.folder / VOICE_FILES[name]).stat()
            except FileNotFoundError:
                continue
            times[name] = (status.st_size, status.st_mtime_ns)
        return times

    def _send_small(self, files: Files) -> None:
        infos = {name: found.info for name, (_, found) in files.items()}
        latest = Latest(self._lease.id, self._lease.sequence, infos)
        for name, stored in latest.names.items():
            if stored not in self._verified:
                path, found = files[name]
                self._store.put(path, f"{LATEST_FOLDER}/{stored}", found)
                self._verified.add(stored)
        self._write_verified(LATEST, encoded(latest))
        for stored in set(self._store.names(LATEST_FOLDER)) - set(latest.names.values()):
            self._remove(f"{LATEST_FOLDER}/{stored}")
            self._verified.discard(stored)
