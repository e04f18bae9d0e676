"""What lies in a mirror, by name, and the JSON files in it, read as a stranger's.

    mirror.json                        whose voice it is, and who writes
    text2mel/step-000871000.TAG/       a checkpoint's files as they are in the voice folder
        voice.toml, spend.jsonl, …     the small files of the voice, as they were with it
        manifest.json                  written last: size and SHA-256 of every file beside it
    latest.json                        size and SHA-256 of the newest small files, which are sent
    voice/spend.jsonl.TAG, …           between checkpoints, too

A checkpoint counts once its manifest is there. TAG is a hash of the manifest, or of the file
itself, so that no file that is vouched for is ever overwritten, not even by the same step made
again.
"""

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Annotated, TypeVar

from msgspec import Meta

from engine.choices import NETWORKS, NetworkName
from engine.errors import InputError
from engine.mirror.address import MARKER, without_secrets
from engine.mirror.store import FileInfo, Store
from engine.run.stop import Step
from engine.serialization import from_json, to_plain

MANIFEST = "manifest.json"
"""The file that makes a folder in it a complete checkpoint."""
LATEST = "latest.json"
"""The file that names the newest small files."""
LATEST_FOLDER = "voice"
"""The folder of those files."""
MAX_BYTES = 1_000_000
"""The longest JSON file that is read."""
VOICE_FILES = {
    "voice.toml": "voice.toml",
    "spend.jsonl": "spend.jsonl",
    "comparisons.jsonl": "comparisons.jsonl",
    "evaluation.jsonl": "evaluation.jsonl",
    "corpus.json": "corpus.json",
    "check.json": "check.json",
    "text2mel-history.jsonl": "text2mel/history.jsonl",
    "ssrn-history.jsonl": "ssrn/history.jsonl",
    "text2mel-attention.plots": "text2mel/attention.plots",
    "text2mel-stop.json": "text2mel/stop.json",
    "ssrn-stop.json": "ssrn/stop.json",
}
"""The small files sent with every checkpoint: name in the mirror → path in the voice folder."""
_OF_STEPS = ("-history.jsonl", "-attention.plots")
LATEST_FILES = tuple(name for name in VOICE_FILES if not name.endswith(_OF_STEPS))
"""Those that are sent between checkpoints, too. Of the others, what lies beyond the checkpoint that
a run resumes from is cut off: they are sent with checkpoints alone."""
CHECKPOINT_FILE = re.compile(r"\A(?!manifest\.json)[a-z0-9_][a-z0-9_-]{0,40}\.(safetensors|json)\Z")
"""The name of a file that is part of a checkpoint."""
CHECKPOINT_FOLDER = re.compile(r"\A(text2mel|ssrn)/step-([0-9]{9,10})\.[0-9a-f]{16}\Z")
"""The path of a checkpoint in a mirror."""

_FORMAT = 1

_Id = Annotated[str, Meta(pattern=r"\A[0-9a-f]{32}\Z")]
_Sequence = Annotated[int, Meta(ge=0, le=2**53)]
_Text = Annotated[str, Meta(max_length=500)]
_CheckpointFile = Annotated[str, Meta(pattern=CHECKPOINT_FILE.pattern)]
_VoiceFile = Annotated[str, Meta(pattern=rf"\A({'|'.join(map(re.escape, VOICE_FILES))})\Z")]
_VoiceFiles = Annotated[dict[_VoiceFile, FileInfo], Meta(max_length=100)]


@dataclass(frozen=True)
class Manifest:
    """A checkpoint in a mirror, and the small files of its voice at that time."""

    id: _Id
    """The voice's."""
    network: NetworkName
    step: Step
    sequence: _Sequence
    """Grows with every checkpoint that is sent; the small files of the highest are the newest."""
    files: Annotated[dict[_CheckpointFile, FileInfo], Meta(max_length=100)]
    voice_files: _VoiceFiles

    def __post_init__(self) -> None:
        """Require the files that make a checkpoint; ValueError where one is missing."""
        if not self.files.keys() >= {"weights.safetensors", "state.json"}:
            raise ValueError("a checkpoint has weights.safetensors and state.json")

    @property
    def key(self) -> str:
        """The checkpoint's folder in the mirror."""
        tag = hashlib.sha256(encoded(self)).hexdigest()[:16]
        return f"{self.network}/step-{self.step:09d}.{tag}"


@dataclass(frozen=True)
class Latest:
    """The small files of a voice as they were sent last."""

    id: _Id
    sequence: _Sequence
    """The highest of the checkpoints sent before: one with a higher sequence has newer files."""
    voice_files: _VoiceFiles

    @property
    def names(self) -> dict[str, str]:
        """The files' names in `LATEST_FOLDER`, by their names in `VOICE_FILES`."""
        return {name: f"{name}.{info.sha256[:16]}" for name, info in self.voice_files.items()}


@dataclass(frozen=True)
class Marker:
    """Whose mirror it is."""

    id: _Id
    """The voice's: random, made when it is first mirrored."""
    voice: _Text
    """The voice's name, for a person who looks."""
    token: _Text
    """Of the run that writes here: another run takes over by writing its own."""
    writer: _Text
    """That run, for a person: process, host and since when."""
    newest: dict[str, str] = field(default_factory=dict)
    """Written empty: version 0.1 wants it there, for stores whose listings were late."""


_T = TypeVar("_T", Manifest, Latest, Marker)


def encoded(content: Manifest | Latest | Marker) -> bytes:
    """The text of a JSON file in a mirror. A manifest's must not change: its hash is a name."""
    plain = {"format": _FORMAT, **to_plain(content)}
    for name in ("files", "voice_files"):
        if name in plain:
            plain[name] = dict(sorted(plain[name].items()))
    return (json.dumps(plain, indent=1, ensure_ascii=False) + "\n").encode()


@dataclass(frozen=True)
class _Header:
    format: int


class FormatError(InputError):
    """A JSON file of a mirror is of another format: not damaged, but another version's."""


class DamagedMarkerError(InputError):
    """What is in the marker's place is none."""


def parse(content: bytes, kind: type[_T]) -> _T:
    """Read a JSON file of a mirror.

    Raises:
        FormatError: it is of another format.
        InputError: it is damaged, or names what no voice has.
    """
    if len(content) > MAX_BYTES:
        raise InputError("it is too long")
    header = from_json(content, _Header, "it is damaged")
    if header.format != _FORMAT:
        raise FormatError(f"its format is {str(header.format)[:20]}, not {_FORMAT}")
    return from_json(content, kind, "it is damaged")


class Index:
    """A mirror's content when it was listed, and what was sent or removed since."""

    def __init__(self, marker: Marker) -> None:
        """Begin without checkpoints."""
        self.marker = marker
        self.checkpoints: dict[NetworkName, list[Manifest]] = {name: [] for name in NETWORKS}
        """The complete ones of each network, newest first; of a step that was sent twice, the later
        first."""
        self.incomplete: set[str] = set()
        """Folders without a valid manifest: cut off, or damaged."""
        self.latest: Latest | None = None
        """The voice's small files, where they were sent after the last checkpoint."""

    @property
    def all(self) -> list[Manifest]:
        """The complete checkpoints of both networks, the last sent first."""
        found = [manifest for each in self.checkpoints.values() for manifest in each]
        return sorted(found, key=lambda each: each.sequence, reverse=True)

    @property
    def sequence(self) -> int:
        """The highest sequence of all; 0 without checkpoints."""
        return max((manifest.sequence for manifest in self.all), default=0)

    def newest_step(self, network: NetworkName) -> int | None:
        """The newest step of a network; None without checkpoints."""
        found = self.checkpoints[network]
        return found[0].step if found else None

    def add(self, manifest: Manifest) -> None:
        """Count a checkpoint as complete."""
        found = self.checkpoints[manifest.network]
        found.append(manifest)
        found.sort(key=lambda each: (each.step, each.sequence), reverse=True)
        self.incomplete.discard(manifest.key)

    def discard(self, manifest: Manifest) -> None:
        """Count a checkpoint as incomplete."""
        self.checkpoints[manifest.network].remove(manifest)
        self.incomplete.add(manifest.key)


def read_marker(store: Store) -> Marker | None:
    """Read whose mirror it is; None where there is none yet.

    Raises:
        MirrorError: it cannot be reached.
        DamagedMarkerError: there is something else under that name.
        InputError: it is of another format.
    """
    content = store.read(MARKER, MAX_BYTES)
    try:
        return None if content is None else parse(content, Marker)
    except InputError as error:
        kind = InputError if isinstance(error, FormatError) else DamagedMarkerError
        raise kind(
            f"{MARKER} at {without_secrets(store.address)} is not a mirror's: "
            f"{without_secrets(error)}; give another place with --mirror."
        ) from error


def read_index(store: Store, unmarked: Marker | None = None) -> Index | None:
    """List what a mirror holds; None where nothing says whose it is.

    Args:
        store: the mirror.
        unmarked: stands for a marker that is not there. Without it, and where the marker is
            damaged, the checkpoints say whose they are, if they are all of one voice.

    Raises:
        MirrorError: it cannot be reached.
        InputError: there is something else in its place.
    """
    try:
        return _index(store, read_marker(store) or unmarked)
    except DamagedMarkerError:
        if index := _index(store, None):
            return index
        raise


def _index(store: Store, marker: Marker | None) -> Index | None:
    paths = [f"{network}/{name}" for network in NETWORKS for name in store.names(network)]
    keys = [path for path in paths if CHECKPOINT_FOLDER.search(path)]
    manifests = {key: _read(store, f"{key}/{MANIFEST}", Manifest) for key in keys}
    # One that lies in another folder than its own is not what was written.
    sound = [manifest for key, manifest in manifests.items() if manifest and manifest.key == key]
    if marker is None:
        ids = {manifest.id for manifest in sound}
        if len(ids) != 1:
            return None
        marker = Marker(ids.pop(), "a voice", "", "unknown")
    index = Index(marker)
    index.incomplete = set(keys)
    for manifest in sound:
        if manifest.id == marker.id:
            index.add(manifest)
    latest = _read(store, LATEST, Latest)
    if latest and latest.id == marker.id and latest.sequence >= index.sequence:
        index.latest = latest
    return index


def _read(store: Store, key: str, kind: type[_T]) -> _T | None:
    """Read a file without which a mirror is still one; None where it is missing or damaged."""
    content = store.read(key, MAX_BYTES)
    try:
        return None if content is None else parse(content, kind)
    except InputError:
        return None
