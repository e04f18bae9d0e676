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

from engine.choices import NetworkName
from engine.errors import InputError
from engine.run.stop import MAX_STEPS
from engine.serialization import from_json, to_plain

MARKER = "mirror.json"
"""The file that makes a place a mirror."""
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
    "corpus.json": "corpus.json",
    "check.json": "check.json",
    "text2mel-history.jsonl": "text2mel/history.jsonl",
    "ssrn-history.jsonl": "ssrn/history.jsonl",
    "text2mel-stop.json": "text2mel/stop.json",
    "ssrn-stop.json": "ssrn/stop.json",
}
"""The small files sent with every checkpoint: name in the mirror → path in the voice folder."""
LATEST_FILES = tuple(name for name in VOICE_FILES if not name.endswith("-history.jsonl"))
"""Those that are sent between checkpoints, too. Of a history, what lies beyond the checkpoint that
a run resumes from is cut off: it is sent with checkpoints alone."""

_FORMAT = 1
_CHECKPOINT_FILE = r"\A(?!manifest\.json)[a-z0-9_][a-z0-9_-]{0,40}\.(safetensors|json)\Z"
_FOLDER = r"\A(text2mel|ssrn)/step-([0-9]{9,10})\.[0-9a-f]{16}\Z"

_Id = Annotated[str, Meta(pattern=r"\A[0-9a-f]{32}\Z")]
_Sha256 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
_Sequence = Annotated[int, Meta(ge=0, le=2**53)]
_Text = Annotated[str, Meta(max_length=500)]
_CheckpointFile = Annotated[str, Meta(pattern=_CHECKPOINT_FILE)]
_VoiceFile = Annotated[str, Meta(pattern=rf"\A({'|'.join(map(re.escape, VOICE_FILES))})\Z")]


@dataclass(frozen=True)
class FileInfo:
    """By what a file is recognised."""

    size: Annotated[int, Meta(ge=0, le=2**40)]
    """Bytes."""
    sha256: _Sha256


_VoiceFiles = Annotated[dict[_VoiceFile, FileInfo], Meta(max_length=100)]


@dataclass(frozen=True)
class Manifest:
    """A checkpoint in a mirror, and the small files of its voice at that time."""

    id: _Id
    """The voice's."""
    network: NetworkName
    step: Annotated[int, Meta(ge=0, le=MAX_STEPS)]
    sequence: _Sequence
    """Grows with every checkpoint that is sent; the small files of the highest are the newest."""
    files: Annotated[dict[_CheckpointFile, FileInfo], Meta(max_length=100)]
    voice_files: _VoiceFiles

    def __post_init__(self) -> None:
        """Require the files that make a checkpoint.

        Raises:
            ValueError: one is missing.
        """
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


def parse_manifest(content: bytes, key: str) -> Manifest:
    """Read the manifest of the folder `key`.

    Raises:
        InputError: as `parse`, or it is another folder's.
    """
    manifest = parse(content, Manifest)
    if manifest.key != key:
        raise InputError("it is not what was written")
    return manifest


def is_checkpoint_folder(key: str) -> bool:
    """Whether a path in a mirror is that of a checkpoint."""
    return re.search(_FOLDER, key) is not None


def is_checkpoint_file(name: str) -> bool:
    """Whether a file of that name is part of a checkpoint."""
    return re.search(_CHECKPOINT_FILE, name) is not None
