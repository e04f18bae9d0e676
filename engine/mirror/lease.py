"""Who writes to a mirror: one run, until another takes over."""

import os
import secrets
import socket
from dataclasses import replace

from engine.choices import NETWORKS
from engine.errors import EngineError, InputError
from engine.formatting import timestamp
from engine.mirror.address import without_secrets
from engine.mirror.index import DamagedMarkerError, Index, index_of, read_index, read_marker
from engine.mirror.layout import MARKER, Marker, encoded
from engine.mirror.outgoing import Outgoing
from engine.mirror.store import MirrorError, Store


class LeaseLostError(EngineError):
    """The mirror belongs to another voice or run: nothing more is sent to it."""


class MarkerLostError(MirrorError):
    """The mirror was emptied, or its marker is damaged: it must be acquired again."""


class Lease:
    """A run's right to write to the mirror of its voice, recorded in the marker there."""

    def __init__(self, outgoing: Outgoing, address: str, sequence: int | None) -> None:
        """Prepare; the mirror is not touched yet.

        Args:
            outgoing: the voice, whose settings have an id.
            address: of the mirror.
            sequence: the highest in the mirror when the run was started, None where it was out
                of reach. A mirror that has a higher one by now was written by another run.
        """
        settings = outgoing.voice.settings
        assert settings.id is not None
        self._outgoing = outgoing
        self._address = without_secrets(address)
        self._sequence = sequence
        run = f"process {os.getpid()} on {socket.gethostname()} since {timestamp()}"
        self._marker = Marker(settings.id, outgoing.voice.name, secrets.token_hex(16), run)

    @property
    def id(self) -> str:
        """The voice's."""
        return self._marker.id

    @property
    def sequence(self) -> int:
        """The highest that is known to have been given to a checkpoint there."""
        return self._sequence or 0

    def acquire(self, store: Store) -> Index:
        """List the mirror, and record that this run writes there from now on.

        Raises:
            LeaseLostError: it holds another voice, or later steps of this one from another run.
            MirrorError: it cannot be reached or written.
        """
        try:
            index = read_index(store)
        except InputError as error:
            raise LeaseLostError(str(error)) from error
        if index is not None and index.all:
            self._require_ours(index)
        store.write(MARKER, encoded(self._marker))
        if index is None:
            # Checkpoints of this voice may be there all the same, where a marker was lost. What
            # else is there is not ours to remove.
            index = replace(index_of(store, self._marker), incomplete=set())
        self._sequence = index.sequence
        return self._without_damaged(index)

    def reserve(self, sequence: int) -> None:
        """Know a checkpoint of that sequence as our own, whether or not it arrives whole."""
        self._sequence = max(self.sequence, sequence)

    def require(self, store: Store) -> None:
        """Check that no other run has taken over.

        Raises:
            LeaseLostError: one has.
            MarkerLostError: none has, but the marker is gone or damaged.
            MirrorError: a folder is empty, as where a disk is no longer mounted.
        """
        try:
            marker = read_marker(store)
        except DamagedMarkerError as error:
            raise MarkerLostError(f"{MARKER} at {store.address} is damaged") from error
        except InputError as error:
            raise LeaseLostError(str(error)) from error
        if marker is None:
            text = f"{store.address} has lost its {MARKER}"
            if store.is_local:
                raise MirrorError(f"{text}: check that its disk is mounted")
            raise MarkerLostError(text)
        if marker.token != self._marker.token:
            raise LeaseLostError(
                f"{without_secrets(marker.writer)} has taken over the mirror {self._address}: "
                f"nothing more is sent there from here"
            )

    def _without_damaged(self, index: Index) -> Index:
        """Count later steps than the voice has as incomplete: sound, they had been fetched."""
        checkpoints, incomplete = {}, set(index.incomplete)
        for network, found in index.checkpoints.items():
            newest = self._outgoing.newest_step(network)
            checkpoints[network] = [one for one in found if one.step <= newest]
            incomplete |= {one.key for one in found if one.step > newest}
        return replace(index, checkpoints=checkpoints, incomplete=incomplete)

    def _require_ours(self, index: Index) -> None:
        if index.marker.id != self._marker.id:
            raise LeaseLostError(
                f"the mirror {self._address} holds another voice, "
                f"{without_secrets(index.marker.voice)}: nothing is sent there; give another "
                f"place with --mirror"
            )
        if self._sequence is not None:
            later = index.sequence > self._sequence
        else:
            later = any(
                (index.newest_step(network) or 0) > self._outgoing.newest_step(network)
                for network in NETWORKS
            )
        if later:
            raise LeaseLostError(
                f"the mirror {self._address} has later steps of this voice, from "
                f"{without_secrets(index.marker.writer)}: nothing is sent there; end this run and "
                f"start it again to continue from those"
            )
