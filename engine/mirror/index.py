"""What a mirror holds: whose voice, and which complete checkpoints."""

from dataclasses import dataclass, replace

from engine.choices import NETWORKS, NetworkName
from engine.errors import InputError
from engine.mirror.address import told
from engine.mirror.layout import (
    LATEST,
    MANIFEST,
    MARKER,
    MAX_BYTES,
    FormatError,
    Latest,
    Manifest,
    Marker,
    parse_latest,
    parse_manifest,
    parse_marker,
    step_of,
)
from engine.mirror.store import Target


@dataclass(frozen=True)
class Holdings:
    """A mirror as it was when it was looked at."""

    marker: Marker
    checkpoints: dict[NetworkName, list[Manifest]]
    """The complete ones of each network, the newest first; of a step that was made anew, the
    last."""
    incomplete: set[str]
    """Folders without a manifest that can be believed: cut off, or damaged."""
    latest: Latest | None = None
    """The voice's small files, where they went there after the last of the checkpoints."""

    @property
    def sequence(self) -> int:
        """The highest sequence of all; 0 where there is none."""
        return max((found.sequence for found in self.all), default=0)

    @property
    def all(self) -> list[Manifest]:
        """The complete checkpoints of both networks."""
        return [manifest for found in self.checkpoints.values() for manifest in found]

    def newest_step(self, network: NetworkName) -> int | None:
        """The newest step of a network; None where there is none."""
        found = self.checkpoints[network]
        return found[0].step if found else None


class DamagedMarkerError(InputError):
    """What lies in the place of a marker is none."""


def read_marker(target: Target) -> Marker | None:
    """Read whose mirror it is; None where it is nobody's yet.

    Raises:
        MirrorError: it cannot be reached.
        DamagedMarkerError: there is something else under that name.
        InputError: it is of another format.
    """
    content = target.read(MARKER, MAX_BYTES)
    if content is None:
        return None
    try:
        return parse_marker(content)
    except ValueError as error:
        kind = InputError if isinstance(error, FormatError) else DamagedMarkerError
        raise kind(
            f"{MARKER} at {told(target.address)} is no mirror's: {told(error)}; give another place "
            f"with --mirror."
        ) from error


def look(target: Target) -> Holdings | None:
    """Read what a mirror holds; None where there is no mirror yet.

    The marker's word counts beside the listing: a listing may be late. Where the marker is damaged,
    the checkpoints say whose they are.

    Raises:
        MirrorError: it cannot be reached.
        InputError: there is something else in its place.
    """
    try:
        marker = read_marker(target)
    except DamagedMarkerError:
        marker = _marker_of_checkpoints(target)
        if marker is None:
            raise
    return None if marker is None else look_as(target, marker)


def look_as(target: Target, marker: Marker) -> Holdings:
    """Read what a mirror holds whose marker is known.

    Raises:
        MirrorError: it cannot be reached.
    """
    checkpoints: dict[NetworkName, list[Manifest]] = {}
    incomplete = set()
    for network in NETWORKS:
        keys = {f"{network}/{name}" for name in target.folders(network)}
        keys |= {marker.newest[network]} if network in marker.newest else set()
        found = []
        for key in sorted(key for key in keys if step_of(key) is not None):
            manifest = read_manifest(target, key)
            if manifest is None or manifest.id != marker.id:
                incomplete.add(key)
            else:
                found.append(manifest)
        checkpoints[network] = sorted(
            found, key=lambda each: (each.step, each.sequence), reverse=True
        )
    held = Holdings(marker, checkpoints, incomplete)
    latest = _read_latest(target)
    if latest is None or latest.id != marker.id or latest.sequence < held.sequence:
        return held
    return replace(held, latest=latest)


def _marker_of_checkpoints(target: Target) -> Marker | None:
    """A marker made from what the checkpoints say; None where they are not of one voice."""
    ids = set()
    for network in NETWORKS:
        for name in target.folders(network):
            key = f"{network}/{name}"
            manifest = None if step_of(key) is None else read_manifest(target, key)
            if manifest is not None:
                ids.add(manifest.id)
    return Marker(ids.pop(), "a voice", "", "somebody") if len(ids) == 1 else None


def _read_latest(target: Target) -> Latest | None:
    content = target.read(LATEST, MAX_BYTES)
    try:
        return None if content is None else parse_latest(content)
    except ValueError:
        # What went there with the last checkpoint is older by some minutes at most.
        return None


def read_manifest(target: Target, key: str) -> Manifest | None:
    """Read the manifest of a folder; None where there is none that can be believed.

    Raises:
        MirrorError: the mirror cannot be reached.
    """
    content = target.read(f"{key}/{MANIFEST}", MAX_BYTES)
    if content is None:
        return None
    try:
        return parse_manifest(content, key)
    except ValueError:
        # Cut off or tampered with: as good as none, and told as one that is incomplete.
        return None
