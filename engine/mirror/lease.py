"""Whose a mirror is: one run writes to it, until another begins to."""

import os
import secrets
import socket
from dataclasses import replace

from engine.choices import NETWORKS, NetworkName
from engine.errors import EngineError, InputError
from engine.formatting import timestamp
from engine.mirror.address import told
from engine.mirror.index import DamagedMarkerError, Holdings, look, look_as, read_marker
from engine.mirror.layout import MARKER, Manifest, Marker
from engine.mirror.outgoing import Outgoing
from engine.mirror.store import MirrorError, Target


class TakenError(EngineError):
    """The mirror is somebody else's: nothing more is sent to it."""


class LostMarkerError(MirrorError):
    """What lay in the mirror is gone, or its marker is: what is there is to be looked at anew."""


class Possession:
    """A run's claim to the mirror of its voice, in the marker that lies there."""

    def __init__(self, outgoing: Outgoing, seen: int | None) -> None:
        """Prepare to claim; nothing is asked of the mirror yet.

        Args:
            outgoing: the voice, whose settings have an id and a mirror.
            seen: the highest sequence in the mirror when the run looked at it, None where it
                could not. A mirror that holds more by the time of the claim has been written by
                another run.
        """
        voice = outgoing.voice
        assert voice.settings.id is not None
        assert voice.settings.mirror is not None
        self._outgoing = outgoing
        self._address = told(voice.settings.mirror)
        self._seen = seen
        self._marker = Marker(voice.settings.id, voice.name, secrets.token_hex(16), _this_run())

    @property
    def id(self) -> str:
        """The voice's."""
        return self._marker.id

    @property
    def sequence(self) -> int:
        """The highest that is known to have been given to a checkpoint there."""
        return self._seen or 0

    def claim(self, target: Target) -> Holdings:
        """Look at what is there, and write down that this run writes from here on.

        Raises:
            TakenError: it holds another voice, or later steps of this one that another run made.
            MirrorError: it cannot be reached or written.
        """
        try:
            held = look(target)
        except InputError as error:
            raise TakenError(str(error)) from error
        newest: dict[NetworkName, str] = {}
        if held is not None:
            self._require_ours(held)
            newest = held.marker.newest if held.all else {}
        self._marker = replace(self._marker, newest=newest)
        target.write(MARKER, self._marker.encoded())
        if held is None:
            # Checkpoints of this voice may lie there all the same, where a marker was lost. What
            # else does is not ours to remove.
            held = replace(look_as(target, self._marker), incomplete=set())
        self._seen = held.sequence
        return self._without_damaged(held)

    def expect(self, sequence: int) -> None:
        """Know a checkpoint of that sequence for our own, whether or not it will be seen whole."""
        self._seen = max(self._seen or 0, sequence)

    def point_to(self, target: Target, manifest: Manifest) -> None:
        """Write down where the newest checkpoint of its network is."""
        pointers = {**self._marker.newest, manifest.network: manifest.key}
        self._marker = replace(self._marker, newest=pointers)
        target.write(MARKER, self._marker.encoded())

    def require_still_ours(self, target: Target) -> None:
        """Refuse to write where another run has begun to.

        Raises:
            TakenError: one has.
            LostMarkerError: nobody has, but what lay there is gone or damaged.
            MirrorError: a folder is empty, as where a disk is mounted no more.
        """
        try:
            marker = read_marker(target)
        except DamagedMarkerError as error:
            raise LostMarkerError(f"{MARKER} at {target.address} is damaged") from error
        except InputError as error:
            raise TakenError(str(error)) from error
        if marker is None:
            said = f"{target.address} has lost its {MARKER}"
            if target.is_local:
                raise MirrorError(f"{said}: see whether its disk is still there")
            raise LostMarkerError(said)
        if marker.token != self._marker.token:
            raise TakenError(
                f"the mirror {self._address} is written by {marker.writer} now: nothing "
                f"more is sent there from here"
            )

    def _without_damaged(self, held: Holdings) -> Holdings:
        """Count what is later than the voice here for cut off: had it been sound, it were here."""
        checkpoints, incomplete = {}, set(held.incomplete)
        for network, found in held.checkpoints.items():
            newest = self._outgoing.newest_step(network)
            checkpoints[network] = [one for one in found if one.step <= newest]
            incomplete |= {one.key for one in found if one.step > newest}
        return replace(held, checkpoints=checkpoints, incomplete=incomplete)

    def _require_ours(self, held: Holdings) -> None:
        if not held.all:
            return
        if held.marker.id != self._marker.id:
            raise TakenError(
                f"the mirror {self._address} holds another voice, {held.marker.voice}: "
                f"nothing is sent there; name another place with --mirror"
            )
        if self._seen is not None:
            later = held.sequence > self._seen
        else:
            later = any(
                (held.newest_step(network) or 0) > self._outgoing.newest_step(network)
                for network in NETWORKS
            )
        if later:
            raise TakenError(
                f"the mirror {self._address} has later steps of this voice, by "
                f"{held.marker.writer}: nothing is sent there; end this run and start it again to "
                f"go on from those"
            )


def _this_run() -> str:
    """This process, for a person who wonders who writes to a mirror."""
    return f"process {os.getpid()} on {socket.gethostname()} since {timestamp()}"
