"""Brings the checkpoints of a voice to a mirror that is ours, and takes old ones away there."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.checkpoints.folders import read_state, superseded
from engine.choices import NetworkName
from engine.errors import InputError
from engine.mirror.address import told
from engine.mirror.index import Holdings
from engine.mirror.layout import MANIFEST, Manifest
from engine.mirror.lease import Possession
from engine.mirror.outgoing import Files, GoneError, Outgoing
from engine.mirror.store import MirrorError, Target
from engine.voice.layout import CheckpointEntry


class Delivery:
    """A voice folder, its mirror, and what the one has and the other has not."""

    def __init__(self, outgoing: Outgoing, target: Target, possession: Possession) -> None:
        """Claim the mirror.

        Raises:
            TakenError: it is another run's.
            MirrorError: it cannot be reached or written.
        """
        self._outgoing = outgoing
        self._target = target
        self._possession = possession
        self._held: Holdings = possession.claim(target)
        self._sequence_before = possession.sequence

    @property
    def safe_step(self) -> int | None:
        """The newest step there of the network that is trained; None where there is none."""
        return self._held.newest_step(self._outgoing.networks[0])

    @property
    def sequence(self) -> int:
        """The highest of the checkpoints that are, or were, there."""
        return max(self._held.sequence, self._sequence_before)

    def missing(self) -> list[tuple[NetworkName, CheckpointEntry]]:
        """The checkpoints that are to be sent, in order.

        An old one that is still here because it cannot be removed is none of them.
        """
        found = self._outgoing.checkpoints()
        old: set[tuple[NetworkName, int]] = set()
        for network in self._outgoing.networks:
            steps = {entry.step for name, entry in found if name == network}
            old |= {(network, step) for step in self._superseded(network, steps) or ()}
        return [
            (network, entry)
            for network, entry in found
            if (network, entry.step) not in old and not self._is_safe(network, entry)
        ]

    def _superseded(self, network: NetworkName, steps: set[int]) -> set[int] | None:
        """The steps of which the voice keeps no checkpoint; None where that cannot be told now."""
        voice = self._outgoing.voice
        newest = voice.newest(network)
        try:
            base = 0 if newest is None else int(read_state(newest.path)["base_step"])
        except InputError:
            # Removed, or found damaged, at this moment: the next time will do.
            return None
        return superseded(steps, voice.settings.keep_newest, voice.settings.keep_every, base)

    def _is_safe(self, network: NetworkName, entry: CheckpointEntry) -> bool:
        """Whether the mirror has this very checkpoint; one that cannot be sent is left out too."""
        digest = self._outgoing.digest(entry.path)
        if digest is None or self._outgoing.is_damaged(entry.path, digest):
            return True
        return any(
            manifest.step == entry.step and manifest.files["state.json"].sha256 == digest
            for manifest in self._held.checkpoints[network]
        )

    def send(self, network: NetworkName, entry: CheckpointEntry) -> None:
        """Send a checkpoint and the small files of the voice; the manifest comes last.

        Raises:
            GoneError: it was removed meanwhile, gave way to another of its step, or is damaged.
            TakenError: the mirror is another run's by now.
            MirrorError: it cannot be sent.
        """
        self._possession.require_still_ours(self._target)
        digest = self._outgoing.digest(entry.path)
        with TemporaryDirectory(prefix="voicecoach-mirror-") as folder:
            small = self._outgoing.small_files(Path(folder))
            try:
                files = self._outgoing.files_of(entry)
                manifest = self._manifest(network, entry.step, files, small)
                self._held.incomplete.add(manifest.key)
                for name, (path, found) in (*files.items(), *small.items()):
                    self._target.put(path, f"{manifest.key}/{name}", found)
            except FileNotFoundError as error:
                raise GoneError from error
            except MirrorError as error:
                if self._outgoing.digest(entry.path) != digest:
                    raise GoneError from error
                raise
        self._commit(manifest)

    def _manifest(self, network: NetworkName, step: int, files: Files, small: Files) -> Manifest:
        return Manifest(
            id=self._possession.id,
            network=network,
            step=step,
            sequence=self.sequence + 1,
            files={name: found.mark for name, (_, found) in files.items()},
            voice_files={name: found.mark for name, (_, found) in small.items()},
        )

    def _commit(self, manifest: Manifest) -> None:
        """Make a checkpoint count whose files are all there."""
        self._possession.expect(manifest.sequence)
        content = manifest.encoded()
        key = f"{manifest.key}/{MANIFEST}"
        self._target.write(key, content)
        if self._target.read(key, len(content)) != content:
            raise MirrorError(f"{told(key)} did not arrive at {self._target.address} as sent")
        newest = self._held.newest_step(manifest.network)
        if newest is None or manifest.step >= newest:
            self._possession.point_to(self._target, manifest)
        self._held = _with(self._held, manifest)
        self._held.incomplete.discard(manifest.key)

    def remove_superseded(self) -> None:
        """Remove from the mirror what the voice folder does not keep either, and what is cut off.

        Nothing goes before the newest checkpoint of its network is safe there. One that cannot be
        removed keeps no other, and is tried again the next time.

        Raises:
            MirrorError: the mirror cannot be reached.
        """
        for network, found in self._held.checkpoints.items():
            newest = self._outgoing.voice.newest(network)
            if newest is None or not self._is_safe(network, newest):
                continue
            old = self._superseded(network, {manifest.step for manifest in found})
            if old is None:
                continue
            newer: set[int] = set()
            for manifest in list(found):
                unwanted = manifest.step in old or manifest.step in newer
                if unwanted and self._target.discard(manifest.key, MANIFEST):
                    found.remove(manifest)
                newer.add(manifest.step)
        for key in sorted(self._held.incomplete):
            if self._target.discard(key, MANIFEST):
                self._held.incomplete.remove(key)


def _with(held: Holdings, manifest: Manifest) -> Holdings:
    """What a mirror holds with one checkpoint more."""
    found = [manifest, *held.checkpoints[manifest.network]]
    found.sort(key=lambda each: (each.step, each.sequence), reverse=True)
    return replace(held, checkpoints={**held.checkpoints, manifest.network: found})
