"""Voices with tiny checkpoints, mirrors in memory, and mirrors that fail on purpose."""

import hashlib
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import fsspec
import pytest
from waiting import wait_until

from engine.checkpoints.state import sealed
from engine.mirror.address import checked_address
from engine.mirror.fetch import FetchOptions
from engine.mirror.layout import read_index
from engine.mirror.restore import restore_from_mirror
from engine.mirror.store import Store
from engine.mirror.uploader import Uploader
from engine.networks.specs import preset_spec
from engine.run.options import TrainOptions
from engine.run.snapshot import MirrorState
from engine.voice.folder import Voice
from engine.voice.settings import VoiceSettings

ID = "0123456789abcdef" * 2
OPERATIONS = {"put_file": "put", "pipe_file": "pipe", "cat_file": "cat", "open": "open",
              "ls": "ls", "rm": "rm", "rm_file": "rm_file"}  # fmt: skip


class Failing:
    """A filesystem of fsspec, of which single operations can be made to fail or to lie."""

    def __init__(self, files) -> None:
        self._files = files
        self.before: Callable[[str, str], None] = lambda what, path: None
        """Called with the operation and its path; what it raises the caller gets."""
        self.cut_off = lambda path: False
        """Of which paths only half arrives."""
        self.written: list[str] = []

    def refuse(self, error=None, what="", path="") -> None:
        """Let all operations fail, or those of one kind, or on some paths."""
        error = error or ConnectionError("Could not connect")

        def fail(operation, place):
            if operation.startswith(what) and path in place:
                raise error

        self.before = fail

    def work(self) -> None:
        """Let nothing fail any more."""
        self.before = lambda what, path: None

    def __getattr__(self, name: str):
        operation = getattr(self._files, name)
        if name not in OPERATIONS:
            return operation

        def call(*args, **more):
            path = args[1] if name == "put_file" else args[0]
            self.before(OPERATIONS[name], path)
            if name in ("put_file", "pipe_file"):
                self.written.append(path)
            if name != "put_file":
                return operation(*args, **more)
            content = Path(args[0]).read_bytes()
            half = len(content) // 2 if self.cut_off(path) else None
            return self._files.pipe_file(path, content[:half])

        return call


@pytest.fixture
def memory() -> Iterator[Store]:
    """A mirror in this process's memory, which can be made to fail."""
    root = f"/mirror-{uuid.uuid4().hex}"
    files = fsspec.filesystem("memory")
    yield Store(Failing(files), root, "memory://mirror")
    if files.exists(root):
        files.rm(root, recursive=True)


def save(voice: Voice, step: int, network: str = "text2mel", content: bytes = b"") -> Path:
    """Write a checkpoint that no network could be made of; nothing here looks inside."""
    folder = voice.checkpoint_folder(network, step)
    folder.mkdir(parents=True, exist_ok=True)
    weights = content or f"weights of {network} at {step}".encode() * 50
    (folder / "weights.safetensors").write_bytes(weights)
    state = {
        "network": network,
        "step": step,
        "base_step": 0,
        "recipe": "standard",
        "seed": 1,
        "symbols": voice.settings.symbols,
        "spec": asdict(preset_spec("small", network, vocabulary_size=32, n_mels=80, n_bins=1025)),
        "sha256": {"weights.safetensors": hashlib.sha256(weights).hexdigest()},
    }
    (folder / "state.json").write_text(sealed(state))
    with voice.history(network).open("a") as file:
        file.write(f'{{"step": {step}, "loss": 0.5}}\n')
    return folder


def pay(voice: Voice, *what: str) -> None:
    """Add lines to the spend of a voice."""
    with (voice.folder / "spend.jsonl").open("a") as file:
        file.writelines(f'{{"start": "{one}"}}\n' for one in what)


@pytest.fixture
def make(tmp_path: Path) -> SimpleNamespace:
    """Makes voices, checkpoints and spend: `voice`, `save`, `pay`, and the `ID` of the voices."""

    def voice(name: str = "alice", steps=(), **settings) -> Voice:
        said = VoiceSettings(dataset=tmp_path, mirror="memory://mirror", id=ID)
        made = Voice.create(tmp_path / name, replace(said, **settings))
        for step in steps:
            save(made, step)
        return made

    return SimpleNamespace(voice=voice, save=save, pay=pay, ID=ID)


class Run:
    """An uploader at work, and what it reports."""

    def __init__(self, voice: Voice, store: Store, network: str, sequence: int | None) -> None:
        self.states: list[MirrorState] = []
        self.events: list[str] = []
        self._news = threading.Condition()
        self.snapshot = SimpleNamespace(spot_notice=None, other=None)
        options = TrainOptions(
            voice.folder, network=network, mirror="memory://mirror", mirror_sequence=sequence
        )
        self.uploader = Uploader(voice, options, self, lambda _: store)
        self.uploader.start()

    def update(self, mirror: MirrorState | None = None, **_) -> None:
        if mirror is not None:
            with self._news:
                self.states.append(mirror)
                self._news.notify_all()

    def event(self, text: str, severity: str = "information") -> None:
        self.events.append(f"{severity}: {text}")

    @property
    def state(self) -> MirrorState:
        return self.states[-1]

    def until(self, condition: Callable[[MirrorState], bool]) -> MirrorState:
        with self._news:
            assert self._news.wait_for(lambda: condition(self.state), 30), self.states
            return self.state

    def trouble(self, text: str) -> MirrorState:
        """Wait until nothing can be sent, for a reason that contains a text."""
        return self.until(lambda state: text in state.trouble)

    def safe(self, step: int) -> "Run":
        """Wait until a step is safe in the mirror and nothing else is to be sent."""
        self.until(lambda s: s.safe_step == step and not s.pending and not s.trouble)
        return self

    def close(self) -> None:
        """Send no more."""
        self.uploader.close(0)
        self.uploader._thread.stop()


@pytest.fixture
def send(monkeypatch: pytest.MonkeyPatch, memory) -> Iterator[Callable[..., Run]]:
    """Start to send a voice to a mirror, the one in memory unless another is named."""
    runs: list[Run] = []
    monkeypatch.setattr("engine.mirror.uploader._IDLE_SECONDS", 0.005)
    monkeypatch.setattr("engine.mirror.uploader._QUIET_SECONDS", 0.05)
    monkeypatch.setattr("engine.mirror.uploader.backoff", lambda failures: 0.01)

    def start(voice, store=memory, network="text2mel", interval: float = 60, sequence=0) -> Run:
        monkeypatch.setattr("engine.mirror.sync._INTERVAL", interval)
        runs.append(Run(voice, store, network, sequence))
        return runs[-1]

    yield start
    for run in runs:
        run.close()


@pytest.fixture
def mirrored(make, send) -> tuple[Voice, Run]:
    """A voice whose only checkpoint, at step 100, is safe in the mirror, and its upload."""
    voice = make.voice(steps=[100])
    return voice, send(voice).safe(100)


@pytest.fixture
def alice(make, send) -> Voice:
    """A voice at step 200, of which the mirror in memory has all."""
    voice = make.voice(steps=[100, 200])
    make.save(voice, 50, "ssrn")
    make.pay(voice, "a", "b")
    send(voice).safe(200).close()
    return voice


@pytest.fixture
def spend_lines(memory) -> Callable[[], list[str]]:
    """The lines of the spend in the mirror in memory, if sent after the last checkpoint."""

    def lines() -> list[str]:
        latest = read_index(memory).latest
        if latest is None:
            return []
        content = memory.read(f"voice/{latest.names['spend.jsonl']}", 10**6)
        assert hashlib.sha256(content).hexdigest() == latest.voice_files["spend.jsonl"].sha256
        return content.decode().splitlines()

    return lines


@pytest.fixture
def steps(memory) -> Callable[..., list[int]]:
    """The steps of a network in the mirror in memory."""

    def of(network: str = "text2mel") -> list[int]:
        return sorted(manifest.step for manifest in read_index(memory).checkpoints[network])

    return of


@pytest.fixture
def address(tmp_path: Path) -> str:
    """The address of a mirror in a folder."""
    (tmp_path / "mirrors").mkdir()
    return checked_address(str(tmp_path / "mirrors" / "alice"))


@pytest.fixture
def until() -> Callable[..., object]:
    return wait_until


@pytest.fixture
def reports() -> list[str]:
    return []


@pytest.fixture
def fetch(memory, reports) -> Callable[..., TrainOptions]:
    """Do before a run what its `--mirror`, the mirror in memory, calls for; waits are not made."""
    fetching = FetchOptions(
        report=reports.append,
        wait=lambda seconds: reports.append(f"waited {seconds:.1f}"),
        open=lambda address: memory,
    )

    def run(folder: Path, **options) -> TrainOptions:
        mirror = {} if "restore" in options else {"mirror": "memory://mirror"}
        return restore_from_mirror(TrainOptions(folder, **mirror, **options), fetching)

    return run


@pytest.fixture
def content() -> Callable[[Path], dict[str, bytes]]:
    """All files of a folder but the lock."""

    def of(folder: Path) -> dict[str, bytes]:
        files = [path for path in folder.rglob("*") if path.is_file() and path.name != "lock"]
        return {str(path.relative_to(folder)): path.read_bytes() for path in files}

    return of
