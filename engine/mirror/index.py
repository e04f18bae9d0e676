"""What a mirror holds: whose voice, and which complete checkpoints."""

from dataclasses import dataclass, replace

from engine.choices import NETWORKS, NetworkName
from engine.errors import InputError
from engine.mirror.address import without_secrets
from engine.mirror.layout import (
    LATEST,
    MANIFEST,
    MARKER,
    MAX_BYTES,
    FormatError,
    Latest,
    Manifest,
    Marker,
    is_checkpoint_folder,
    parse,
    parse_manifest,
)
from engine.mirror.store import Store


@dataclass(frozen=True)
class Index:
    """A mirror's content when it was listed."""

    marker: Marker
    checkpoints: dict[NetworkName, list[Manifest]]
    """The complete ones of each network, newest first; of a step that was sent twice, the later
    first."""
    incomplete: set[str]
    """Folders without a valid manifest: cut off, or damaged."""
    latest: Latest | None = None
    """The voice's small files, where they were sent after the last checkpoint."""

    @property
    def sequence(self) -> int:
        """The highest sequence of all; 0 without checkpoints."""
        return max((manifest.sequence for manifest in self.all), default=0)

    @property
    def all(self) -> list[Manifest]:
        """The complete checkpoints of both networks."""
        return [manifest for found in self.checkpoints.values() for manifest in found]

    def newest_step(self, network: NetworkName) -> int | None:
        """The newest step of a network; None without checkpoints."""
        found = self.checkpoints[network]
        return found[0].step if found else None

    def with_checkpoint(self, manifest: Manifest) -> "Index":
        """The index with one checkpoint more."""
        found = _newest_first([*self.checkpoints[manifest.network], manifest])
        checkpoints = {**self.checkpoints, manifest.network: found}
        return replace(self, checkpoints=checkpoints, incomplete=self.incomplete - {manifest.key})


class DamagedMarkerError(InputError):
    """What is in the marker's place is none."""


def read_marker(store: Store) -> Marker | None:
    """Read whose mirror it is; None where there is none yet.

    Raises:
        MirrorError: it cannot be reached.
        DamagedMarkerError: there is something else under that name.
        InputError: it is of another format.
    """
    content = store.read(MARKER, MAX_BYTES)
    if content is None:
        return None
    try:
        return parse(content, Marker)
    except InputError as error:
        kind = InputError if isinstance(error, FormatError) else DamagedMarkerError
        raise kind(
            f"{MARKER} at {without_secrets(store.address)} is not a mirror's: "
            f"{without_secrets(error)}; give another place with --mirror."
        ) from error


def read_index(store: Store) -> Index | None:
    """List what a mirror holds; None where there is no mirror yet.

    Where the marker is damaged, the checkpoints say whose they are.

    Raises:
        MirrorError: it cannot be reached.
        InputError: there is something else in its place.
    """
    try:
        marker = read_marker(store)
    except DamagedMarkerError:
        index = index_of_checkpoints(store)
        if index is None:
            raise
        return index
    return None if marker is None else index_of(store, marker)


def index_of_checkpoints(store: Store) -> Index | None:
    """List what a mirror without its marker holds; None unless it is of one voice.

    Raises:
        MirrorError: it cannot be reached.
    """
    manifests = [_read_manifest(store, key) for key in _checkpoint_folders(store)]
    ids = {manifest.id for manifest in manifests if manifest is not None}
    return index_of(store, Marker(ids.pop(), "a voice", "", "unknown")) if len(ids) == 1 else None


def index_of(store: Store, marker: Marker) -> Index:
    """List what a mirror with a known marker holds.

    Raises:
        MirrorError: it cannot be reached.
    """
    checkpoints: dict[NetworkName, list[Manifest]] = {network: [] for network in NETWORKS}
    incomplete = set()
    for key in _checkpoint_folders(store):
        manifest = _read_manifest(store, key)
        if manifest is None or manifest.id != marker.id:
            incomplete.add(key)
        else:
            checkpoints[manifest.network].append(manifest)
    sorted_checkpoints = {name: _newest_first(found) for name, found in checkpoints.items()}
    index = Index(marker, sorted_checkpoints, incomplete)
    latest = _read_latest(store)
    if latest is None or latest.id != marker.id or latest.sequence < index.sequence:
        return index
    return replace(index, latest=latest)


def _newest_first(manifests: list[Manifest]) -> list[Manifest]:
    return sorted(manifests, key=lambda each: (each.step, each.sequence), reverse=True)


def _checkpoint_folders(store: Store) -> list[str]:
    found = [f"{network}/{name}" for network in NETWORKS for name in store.names(network)]
    return [key for key in found if is_checkpoint_folder(key)]


def _read_latest(store: Store) -> Latest | None:
    content = store.read(LATEST, MAX_BYTES)
    try:
        return None if content is None else parse(content, Latest)
    except InputError:
        return None  # what was sent with the last checkpoint is a few minutes older at most


def _read_manifest(store: Store, key: str) -> Manifest | None:
    """The manifest of a folder; None without a valid one, which counts as incomplete."""
    content = store.read(f"{key}/{MANIFEST}", MAX_BYTES)
    try:
        return None if content is None else parse_manifest(content, key)
    except InputError:
        return None
