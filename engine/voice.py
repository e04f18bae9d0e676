"""The voice folder on disk: what is where, and the lock that lets one process train in it.

Reading a voice imports neither torch nor librosa, so that `info` answers at once.
"""

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import tomlkit
from tomlkit.exceptions import TOMLKitError

from engine.choices import NetworkName, PresetName, RecipeName
from engine.corpus.audio import AudioSpec
from engine.corpus.clips import Limits
from engine.corpus.text import BBC_SYMBOLS, Vocabulary
from engine.errors import EngineError, InputError
from engine.host.spend import Ledger

NETWORKS: tuple[NetworkName, ...] = get_args(NetworkName)
"""The networks of a voice, in the order in which they speak."""

DEFAULT_SENTENCE = "The morning train leaves at half past seven."
"""What auditions speak until the person says otherwise."""

_STEP_FOLDER = re.compile(r"step-(\d{9,})")
_HEADER = (
    "What this voice is made of. You may edit it while no training runs.\n"
    "Removing the features folder beside it is safe; they are computed again.\n"
)
_COMMENTS = {
    "dataset": "the recordings, in LJ Speech layout",
    "symbols": "P is padding, E the end of a sentence; trained weights fit these alone",
    "price": "US dollars an hour for this machine; 0 when unknown",
    "checkpoint_every": "steps",
    "keep_newest": "checkpoints that are kept whatever their step",
    "keep_every": "steps; a checkpoint at each multiple is kept for good",
    "sentence": "what auditions speak",
}


@dataclass(frozen=True)
class VoiceSettings:
    """What `voice.toml` says."""

    dataset: Path
    preset: PresetName = "bbc"
    recipe: RecipeName = "standard"
    symbols: str = BBC_SYMBOLS
    price: float = 0.0
    seed: int = 1
    checkpoint_every: int = 1000
    keep_newest: int = 5
    keep_every: int = 50_000
    sentence: str = DEFAULT_SENTENCE
    sharpening: float = 1.2
    audio: AudioSpec = field(default_factory=AudioSpec)
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class CheckpointEntry:
    """A checkpoint on disk."""

    step: int
    path: Path


class Voice:
    """Everything about one voice, in one folder."""

    def __init__(self, folder: Path, settings: VoiceSettings) -> None:
        self.folder = folder
        self.settings = settings

    @classmethod
    def open(cls, folder: Path) -> "Voice":
        """Read a voice that exists.

        Raises:
            InputError: there is no voice in the folder, or its `voice.toml` cannot be used.
        """
        path = folder / "voice.toml"
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise InputError(
                f"There is no voice in {folder} (no voice.toml); make one with "
                f"`voicecoach train DATASET --voice {folder}`."
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"Cannot read {path}: {error}.") from error
        return cls(folder, _parse_settings(text, path))

    @classmethod
    def create(cls, folder: Path, settings: VoiceSettings) -> "Voice":
        """Make the folder of a new voice.

        Raises:
            EngineError: the folder cannot be written.
        """
        voice = cls(folder, settings)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EngineError(
                f"Cannot make the voice folder {folder}: {error.strerror}."
            ) from error
        voice.save(settings)
        return voice

    @staticmethod
    def exists(folder: Path) -> bool:
        """Whether there is a voice in the folder."""
        return (folder / "voice.toml").is_file()

    @property
    def name(self) -> str:
        """The folder's last part."""
        return self.folder.resolve().name

    @property
    def vocabulary(self) -> Vocabulary:
        """The voice's symbols."""
        return Vocabulary(self.settings.symbols)

    @property
    def features(self) -> Path:
        """The cache of the corpus."""
        return self.folder / "features"

    @property
    def samples(self) -> Path:
        """What was spoken."""
        return self.folder / "samples"

    @property
    def log(self) -> Path:
        """The log file."""
        return self.folder / "voicecoach.log"

    @property
    def corpus_report(self) -> Path:
        """What was found out about the corpus: clips, those left out and why."""
        return self.folder / "corpus.json"

    @property
    def ledger(self) -> Ledger:
        """What training has cost."""
        return Ledger(self.folder / "spend.jsonl")

    def history(self, network: NetworkName) -> Path:
        """The losses of a network, one line a logged step."""
        return self.folder / network / "history.jsonl"

    def checkpoint_folder(self, network: NetworkName, step: int) -> Path:
        """Where the checkpoint of a step is, or will be."""
        return self.folder / network / "checkpoints" / f"step-{step:09d}"

    def checkpoints(self, network: NetworkName) -> list[CheckpointEntry]:
        """The checkpoints of a network that are complete, oldest first."""
        return list_checkpoints(self.folder / network / "checkpoints")

    def newest(self, network: NetworkName) -> CheckpointEntry | None:
        """The newest checkpoint of a network, or None."""
        found = self.checkpoints(network)
        return found[-1] if found else None

    def save(self, settings: VoiceSettings) -> None:
        """Write changed settings, keeping the comments a person wrote in `voice.toml`.

        Raises:
            EngineError: the file cannot be written.
        """
        path = self.folder / "voice.toml"
        try:
            document = (
                tomlkit.parse(path.read_text(encoding="utf-8"))
                if path.exists()
                else _new_document()
            )
            _write_settings(document, settings)
            write_atomically(path, tomlkit.dumps(document).encode())
        except OSError as error:
            raise EngineError(f"Cannot write {path}: {error.strerror}.") from error
        self.settings = settings

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other process from training in this folder.

        The operating system lets go of the lock when the process ends, however it ends.

        Raises:
            InputError: another process is training in it.
        """
        lock = acquire_lock(self.folder)
        try:
            yield
        finally:
            os.close(lock)


def acquire_lock(folder: Path) -> int:
    """Take a voice folder's lock and return the file descriptor that holds it.

    Raises:
        InputError: another process has it.
        EngineError: the lock file cannot be written.
    """
    path = folder / "lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise EngineError(f"Cannot write {path}: {error.strerror}.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(descriptor, 200).decode(errors="replace").strip()
        os.close(descriptor)
        raise InputError(
            f"The voice in {folder} is being trained by {holder or 'another process'}; "
            f"wait for it, or stop it with `kill` and its pid (it saves first)."
        ) from None
    since = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"process {os.getpid()} since {since}\n".encode())
    return descriptor


def list_checkpoints(folder: Path) -> list[CheckpointEntry]:
    """The complete checkpoints in a folder, oldest first."""
    if not folder.is_dir():
        return []
    found = [
        CheckpointEntry(int(match[1]), path)
        for path in folder.iterdir()
        if (match := _STEP_FOLDER.fullmatch(path.name)) and (path / "state.json").is_file()
    ]
    return sorted(found, key=lambda entry: entry.step)


def read_state(checkpoint: Path) -> dict[str, Any]:
    """Read a checkpoint's `state.json`.

    Raises:
        InputError: it cannot be read, or is not a checkpoint's state.
    """
    path = checkpoint / "state.json"
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"Cannot read the checkpoint {checkpoint}: {error}.") from error
    if not isinstance(state, dict) or not isinstance(state.get("step"), int):
        raise InputError(f"{path} is not the state of a checkpoint: it names no step.")
    return state


def describe(folder: Path) -> dict[str, Any]:
    """Return what there is to know about a voice, for `voicecoach info`.

    Raises:
        InputError: there is no voice in the folder.
    """
    voice = Voice.open(folder)
    settings = voice.settings
    report: dict[str, Any] = {}
    if voice.corpus_report.is_file():
        report = json.loads(voice.corpus_report.read_text(encoding="utf-8"))
    return {
        "voice": voice.name,
        "folder": str(folder),
        "vocabulary": settings.symbols,
        "preset": settings.preset,
        "recipe": settings.recipe,
        "corpus": {"dataset": str(settings.dataset), **report},
        "networks": {network: _describe_network(voice, network) for network in NETWORKS},
        "samples": len(list(voice.samples.glob("*.wav"))) if voice.samples.is_dir() else 0,
        "spend": {
            "usd": round(voice.ledger.usd, 4),
            "hours": round(voice.ledger.seconds / 3600, 4),
            "price": settings.price,
        },
    }


def _describe_network(voice: Voice, network: NetworkName) -> dict[str, Any]:
    checkpoints = voice.checkpoints(network)
    if not checkpoints:
        return {"step": None, "base_step": None, "parameters": None, "checkpoints": []}
    state = read_state(checkpoints[-1].path)
    return {
        "step": checkpoints[-1].step,
        "base_step": state.get("base_step", 0),
        "parameters": state.get("parameters"),
        "checkpoints": [entry.step for entry in checkpoints],
    }


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that it holds either the old content or the new, whatever happens."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in the folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _new_document() -> tomlkit.TOMLDocument:
    document = tomlkit.document()
    for line in _HEADER.splitlines():
        document.add(tomlkit.comment(line))
    return document


def _write_settings(document: tomlkit.TOMLDocument, settings: VoiceSettings) -> None:
    for name, value in asdict(settings).items():
        if isinstance(value, dict):
            table = document.setdefault(name, tomlkit.table())
            for key, entry in value.items():
                if table.get(key) != entry:
                    table[key] = entry
            continue
        plain = str(value) if isinstance(value, Path) else value
        if document.get(name) != plain:
            fresh = name not in document
            document[name] = plain
            if fresh and name in _COMMENTS:
                document[name].comment(_COMMENTS[name])


def _parse_settings(text: str, path: Path) -> VoiceSettings:
    try:
        said = tomlkit.parse(text).unwrap()
    except TOMLKitError as error:
        raise InputError(f"Cannot read {path}: {error}; mend that line.") from error
    if not isinstance(said.get("dataset"), str):
        raise InputError(f'{path} names no dataset; add a line such as dataset = "recordings".')
    try:
        values = _checked(VoiceSettings, said)
        values["dataset"] = Path(said["dataset"])
        values["audio"] = AudioSpec(**_checked(AudioSpec, said.get("audio", {})))
        values["limits"] = Limits(**_checked(Limits, said.get("limits", {})))
    except ValueError as error:
        raise InputError(f"{path}: {error}.") from error
    _require_choice(path, values, "preset", get_args(PresetName))
    _require_choice(path, values, "recipe", get_args(RecipeName))
    settings = VoiceSettings(**values)
    Vocabulary(settings.symbols)
    return settings


def _require_choice(path: Path, values: dict[str, Any], key: str, choices: tuple[str, ...]) -> None:
    if key in values and values[key] not in choices:
        raise InputError(f"{path}: {key} is {values[key]!r}; write one of {', '.join(choices)}.")


def _checked(kind: type[VoiceSettings | AudioSpec | Limits], said: object) -> dict[str, Any]:
    """Return the settings of a table, whole numbers made fractions where those are wanted.

    Raises:
        ValueError: a name is unknown, or a value of the wrong type or sign.
    """
    if not isinstance(said, dict):
        raise ValueError(f"{said!r} is not a table of settings")
    known = {entry.name: entry.default for entry in fields(kind)}
    values: dict[str, Any] = {}
    for name, value in said.items():
        if name not in known:
            raise ValueError(f"there is no setting {name!r}; the names are {', '.join(known)}")
        default = known[name]
        if isinstance(default, float) and type(value) is int:
            value = float(value)
        if isinstance(default, int | float | str) and type(value) is not type(default):
            raise ValueError(f"{name} is {value!r}; write it like {default!r}")
        if isinstance(value, int | float) and (value < 0 or (value == 0 and name != "price")):
            raise ValueError(f"{name} is {value!r}; give a positive number")
        values[name] = value
    return values


def now() -> str:
    """The time in UTC, as files say it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
