"""What lies in a mirror, by name, and the two kinds of JSON in it, read as a stranger's.

    mirror.json                        whose voice it is, who writes, where the newest are
    text2mel/step-000871000.TAG/       a checkpoint's files as they are in the voice folder
        voice.toml, spend.jsonl, …     the small files of the voice, as they were with it
        manifest.json                  written last: size and SHA-256 of every file beside it
    latest.json                        which of the next the voice's small files are between two
    voice/spend.jsonl.TAG, …           checkpoints: size and SHA-256 of each

A checkpoint counts once its manifest is there. TAG is a hash of what the manifest says, or of the
file itself, so that no file that is vouched for is ever written over, not even where a step is made
anew.
"""

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

from engine.choices import NETWORKS, NetworkName
from engine.formatting import printable
from engine.run.stop import MAX_STEPS

MARKER = "mirror.json"
"""The file that makes a place a mirror."""
MANIFEST = "manifest.json"
"""The file that makes a folder in it a complete checkpoint."""
MAX_BYTES = 1_000_000
"""The longest marker or manifest that is read."""
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
"""The small files of a voice that go with every checkpoint: name in the mirror, path in the voice
folder."""
LATEST = "latest.json"
"""The file that names the small files which went there last."""
LATEST_FILES = (
    "voice.toml",
    "spend.jsonl",
    "corpus.json",
    "check.json",
    "text2mel-stop.json",
    "ssrn-stop.json",
)
"""Those that go there by time too. What a history has beyond the checkpoint that a run takes up is
cut off: it goes with checkpoints alone."""
LATEST_FOLDER = "voice"
"""Where they are."""

_FORMAT = 1
_MAX_FILES = 100
_MAX_SIZE = 2**40
_ID = re.compile(r"[0-9a-f]{32}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHECKPOINT_FILE = re.compile(r"[a-z0-9_][a-z0-9_-]{0,40}\.(safetensors|json)")
_KEY = re.compile(r"(text2mel|ssrn)/step-([0-9]{9,10})\.[0-9a-f]{16}")
_REQUIRED = ("weights.safetensors", "state.json")


@dataclass(frozen=True)
class FileMark:
    """How a file is known again."""

    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """A checkpoint in a mirror, and the small files of its voice at that time."""

    id: str
    """The voice's."""
    network: NetworkName
    step: int
    sequence: int
    """Grows with every checkpoint that is sent; the small files of the highest are the newest."""
    files: dict[str, FileMark]
    """The checkpoint's, by name."""
    voice_files: dict[str, FileMark] = field(default_factory=dict)
    """The voice's, by their names in `VOICE_FILES`."""

    @property
    def key(self) -> str:
        """The checkpoint's folder in the mirror."""
        tag = hashlib.sha256(self.encoded()).hexdigest()[:16]
        return f"{self.network}/step-{self.step:09d}.{tag}"

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(mark.size for mark in (*self.files.values(), *self.voice_files.values()))

    def encoded(self) -> bytes:
        """The text of `manifest.json`."""
        said = {
            "format": _FORMAT,
            "id": self.id,
            "network": self.network,
            "step": self.step,
            "sequence": self.sequence,
            "files": _marks_as_said(self.files),
            "voice_files": _marks_as_said(self.voice_files),
        }
        return (json.dumps(said, indent=1) + "\n").encode()


@dataclass(frozen=True)
class Latest:
    """What `latest.json` says: the small files of the voice as they went there last."""

    id: str
    """The voice's."""
    sequence: int
    """The highest of the checkpoints that were there before: a later one has later files."""
    voice_files: dict[str, FileMark]
    """By their names in `VOICE_FILES`."""

    @property
    def places(self) -> dict[str, str]:
        """Where the files are in `LATEST_FOLDER`, by their names."""
        return {name: f"{name}.{mark.sha256[:16]}" for name, mark in self.voice_files.items()}

    def encoded(self) -> bytes:
        """The text of `latest.json`."""
        said = {
            "format": _FORMAT,
            "id": self.id,
            "sequence": self.sequence,
            "voice_files": _marks_as_said(self.voice_files),
        }
        return (json.dumps(said, indent=1) + "\n").encode()


@dataclass(frozen=True)
class Marker:
    """What `mirror.json` says."""

    id: str
    """The voice's: 32 hexadecimal digits, made by chance when it is first mirrored."""
    voice: str
    """The voice's name, for a person who looks."""
    token: str
    """Of the run that writes here: another run takes its turn by writing its own."""
    writer: str
    """That run, for a person: process, host and since when."""
    newest: dict[NetworkName, str] = field(default_factory=dict)
    """Where the newest checkpoint of each network is, should a listing not tell yet."""

    def encoded(self) -> bytes:
        """The text of `mirror.json`."""
        said = {
            "format": _FORMAT,
            "id": self.id,
            "voice": self.voice,
            "token": self.token,
            "writer": self.writer,
            "newest": self.newest,
        }
        return (json.dumps(said, indent=1, ensure_ascii=False) + "\n").encode()


class FormatError(ValueError):
    """It is of another format than this one, and perhaps as it should be."""


def step_of(key: str) -> int | None:
    """The step of a checkpoint's folder in a mirror; None for any other name."""
    match = _KEY.fullmatch(key)
    return None if match is None else int(match[2])


def parse_manifest(content: bytes, key: str) -> Manifest:
    """Read the manifest of the folder `key`.

    Raises:
        ValueError: it is damaged, of another folder, or names what no checkpoint has.
    """
    said = _object(content)
    network, step = said.get("network"), _whole(said, "step", MAX_STEPS)
    if network not in NETWORKS:
        raise ValueError(f"its network is {network!r}")
    manifest = Manifest(
        id=_matching(said, "id", _ID),
        network=network,
        step=step,
        sequence=_whole(said, "sequence", 2**53),
        files=_marks(said.get("files"), _CHECKPOINT_FILE),
        voice_files=_marks(said.get("voice_files"), None),
    )
    missing = [name for name in _REQUIRED if name not in manifest.files]
    if missing or MANIFEST in manifest.files:
        raise ValueError("it is not that of a checkpoint")
    if manifest.key != key:
        raise ValueError("its content is not what was written")
    return manifest


def parse_latest(content: bytes) -> Latest:
    """Read a `latest.json`.

    Raises:
        ValueError: it is damaged, or names what no voice has.
    """
    said = _object(content)
    return Latest(
        id=_matching(said, "id", _ID),
        sequence=_whole(said, "sequence", 2**53),
        voice_files=_marks(said.get("voice_files"), None),
    )


def parse_marker(content: bytes) -> Marker:
    """Read a `mirror.json`.

    Raises:
        FormatError: it is of another format.
        ValueError: it is damaged or no mirror's.
    """
    said = _object(content)
    newest = said.get("newest")
    if not isinstance(newest, dict):
        raise ValueError("it does not say where the newest checkpoints are")
    for network, key in newest.items():
        if network not in NETWORKS or not isinstance(key, str) or step_of(key) is None:
            raise ValueError("it names what is no checkpoint")
        if not key.startswith(f"{network}/"):
            raise ValueError("it takes one network for the other")
    return Marker(
        id=_matching(said, "id", _ID),
        voice=_words(said, "voice"),
        token=_words(said, "token"),
        writer=_words(said, "writer"),
        newest=newest,
    )


def is_checkpoint_file(name: str) -> bool:
    """Whether a file of that name is part of a checkpoint."""
    return _CHECKPOINT_FILE.fullmatch(name) is not None and name != MANIFEST


def _object(content: bytes) -> dict[str, Any]:
    if len(content) > MAX_BYTES:
        raise ValueError("it is too long")
    try:
        said = json.loads(content.decode("utf-8"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(said, dict):
        raise ValueError("it is no JSON object")
    if said.get("format") != _FORMAT:
        raise FormatError(f"its format is {str(said.get('format'))[:20]}, not {_FORMAT}")
    return said


def _marks_as_said(marks: dict[str, FileMark]) -> dict[str, Any]:
    return {
        name: {"size": mark.size, "sha256": mark.sha256} for name, mark in sorted(marks.items())
    }


def _marks(said: object, names: re.Pattern[str] | None) -> dict[str, FileMark]:
    if not isinstance(said, dict) or len(said) > _MAX_FILES:
        raise ValueError("it lists no files")
    marks = {}
    for name, mark in said.items():
        known = name in VOICE_FILES if names is None else names.fullmatch(name)
        if not known or not isinstance(mark, dict):
            raise ValueError(f"it names the file {name[:60]!r}, which no checkpoint has")
        marks[name] = FileMark(_whole(mark, "size", _MAX_SIZE), _matching(mark, "sha256", _SHA256))
    return marks


def _whole(said: dict[str, Any], name: str, most: int) -> int:
    value = said.get(name)
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"its {name} is no number that can be")
    return value


def _matching(said: dict[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    value = said.get(name)
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise ValueError(f"its {name} is not one")
    return value


def _words(said: dict[str, Any], name: str) -> str:
    value = said.get(name)
    if not isinstance(value, str) or len(value) > 500:
        raise ValueError(f"its {name} is not one")
    return printable(value)
