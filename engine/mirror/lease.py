"""Who writes to a mirror: one run, until another takes over."""

import os
import secrets
import socket

from engine.choices import NETWORKS, NetworkName
from engine.errors import EngineError, InputError
from engine.formatting import timestamp
from engine.mirror.address import MARKER, without_secrets
from engine.mirror.layout import DamagedMarkerError, Index, Marker, encoded, read_index, read_marker
from engine.mirror.store import MirrorError, Store
from engine.voice.folder import Voice


class LeaseLostError(EngineError):
    """The mirror belongs to another voice or run: nothing more is sent to it."""


class MarkerLostError(MirrorError):
    """The mirror was emptied, or its marker is damaged: it must be acquired again."""


class Lease:
    """A run's right to write to the mirror of its voice, recorded in the marker there.

    Raises `LeaseLostError` where the run has none, and `MirrorError` where that cannot be known.
    """

    def __init__(self, store: Store, voice: Voice, sequence: int | None) -> None:
        """Prepare; the mirror is not touched yet.

        Args:
            store: the mirror.
            voice: whose settings have an id.
            sequence: the highest in the mirror when the run was started, None where it was out
                of reach. A mirror that has a higher one by now was written by another run.
        """
        assert voice.settings.id is not None
        self.store = store
        self._voice = voice
        self._sequence = sequence
        self._shown = without_secrets(store.address)
        run = f"process {os.getpid()} on {socket.gethostname()} since {timestamp()}"
        self._marker = Marker(voice.settings.id, voice.name, secrets.token_hex(16), run)

    @property
    def id(self) -> str:
        """The voice's."""
        return self._marker.id

    @property
    def sequence(self) -> int:
        """The highest that is known to have been given to a checkpoint there."""
        return self._sequence or 0

    def acquire(self) -> Index:
        """List the mirror, and record that this run writes there from now on.

        Refused where it holds another voice, or later steps of this one from another run.
        """
        try:
            index = read_index(self.store, self._marker)
        except InputError as error:
            raise LeaseLostError(str(error)) from error
        assert index is not None
        if index.marker is self._marker:
            # Checkpoints of this voice may be there all the same, where a marker was lost. What
            # else is there is not ours to remove.
            index.incomplete.clear()
        elif index.all:
            self._require_ours(index)
        self.store.write(MARKER, encoded(self._marker))
        self._sequence = index.sequence
        for manifest in index.all:
            # Later steps than the voice has are damaged: sound, they had been fetched.
            if manifest.step > self._newest_step(manifest.network):
                index.discard(manifest)
        return index

    def reserve(self, sequence: int) -> None:
        """Know a checkpoint of that sequence as our own, whether or not it arrives whole."""
        self._sequence = max(self.sequence, sequence)

    def require(self) -> None:
        """Check that no other run has taken over.

        Raises `MarkerLostError` where the marker is gone or damaged; but an empty folder is taken
        for a disk that is no longer mounted.
        """
        try:
            marker = read_marker(self.store)
        except DamagedMarkerError as error:
            raise MarkerLostError(f"{MARKER} at {self.store.address} is damaged") from error
        except InputError as error:
            raise LeaseLostError(str(error)) from error
        if marker is None:
            text = f"{self.store.address} has lost its {MARKER}"
            if self.store.is_local:
                raise MirrorError(f"{text}: check that its disk is mounted")
            raise MarkerLostError(text)
        if marker.token != self._marker.token:
            raise LeaseLostError(
                f"{without_secrets(marker.writer)} has taken over the mirror {self._shown}; this "
                f"run no longer uploads to it"
            )

    def _newest_step(self, network: NetworkName) -> int:
        newest = self._voice.newest(network)
        return 0 if newest is None else newest.step

    def _require_ours(self, index: Index) -> None:
        if index.marker.id != self.id:
            raise LeaseLostError(
                f"the mirror {self._shown} holds another voice, "
                f"{without_secrets(index.marker.voice)}: not uploading; choose another --mirror"
            )
        later = index.sequence > self.sequence
        if self._sequence is None:
            newest = {network: index.newest_step(network) or 0 for network in NETWORKS}
            later = any(step > self._newest_step(network) for network, step in newest.items())
        if later:
            raise LeaseLostError(
                f"the mirror {self._shown} has later steps of this voice, from "
                f"{without_secrets(index.marker.writer)}: not uploading; restart this run to "
                f"continue from them"
            )
