"""Voices with tiny checkpoints, mirrors in memory, and mirrors that fail on purpose."""

import hashlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import fsspec
import pytest

from engine.checkpoints.state import sealed
from engine.mirror.address import checked_address
from engine.mirror.layout import read_index
from engine.mirror.restore import FetchOptions
from engine.mirror.store import Store
from engine.mirror.uploader import Uploader
from engine.networks.specs import preset_spec
from engine.run.options import TrainOptions
from engine.run.snapshot import MirrorState
from engine.voice.folder import Voice
from engine.voice.settings import VoiceSettings

ID = "0123456789abcdef" * 2


class Failing:
    """A filesystem of fsspec, of which single operations can be made to fail or to lie."""

    def __init__(self, files) -> None:
        self._files = files
        self.before: Callable[[str, str], None] = lambda what, path: None
        """Called with the operation and its path; what it raises the caller gets."""
        self.cut_off = lambda path: False
        """Of which paths only half arrives."""
        self.written: list[str] = []

    def __getattr__(self, name: str):
        return getattr(self._files, name)

    def put_file(self, source, path, **more) -> None:
        self.before("put", path)
        self.written.append(path)
        content = Path(source).read_bytes()
        if self.cut_off(path):
            content = content[: len(content) // 2]
        self._files.pipe_file(path, content)

    def pipe_file(self, path, content, **more) -> None:
        self.before("pipe", path)
        self.written.append(path)
        self._files.pipe_file(path, content)

    def cat_file(self, path, **more):
        self.before("cat", path)
        return self._files.cat_file(path, **more)

    def open(self, path, mode="rb", **more):
        self.before("open", path)
        return self._files.open(path, mode, **more)

    def ls(self, path, **more):
        self.before("ls", path)
        return self._files.ls(path, **more)

    def rm(self, path, **more) -> None:
        self.before("rm", path)
        self._files.rm(path, **more)


@pytest.fixture
def memory() -> Iterator[Store]:
    """A mirror in this process's memory, which can be made to fail."""
    root = f"/mirror-{uuid.uuid4().hex}"
    files = fsspec.filesystem("memory")
    store = Store(Failing(files), root, "memory://mirror")
    yield store
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
    history = voice.history(network)
    with history.open("a") as file:
        file.write(f'{{"step": {step}, "loss": 0.5}}\n')
    return folder


def pay(voice: Voice, what: str) -> None:
    """Add a line to the spend of a voice."""
    with (voice.folder / "spend.jsonl").open("a") as file:
        file.write(f'{{"start": "{what}"}}\n')


@pytest.fixture
def make(tmp_path: Path) -> SimpleNamespace:
    """Makes voices and their checkpoints: `voice`, `save`, and the `ID` that they have."""

    def voice(name: str = "alice", **settings) -> Voice:
        said = VoiceSettings(dataset=tmp_path, mirror="memory://mirror", id=ID)
        return Voice.create(tmp_path / name, replace(said, **settings))

    return SimpleNamespace(voice=voice, save=save, pay=pay, ID=ID)


class Run:
    """An uploader at work, and what it reports."""

    def __init__(self, voice: Voice, store: Store, network: str, **more) -> None:
        self.states: list[MirrorState] = []
        self.events: list[str] = []
        self._news = threading.Condition()
        self.snapshot = SimpleNamespace(spot_notice=None)
        options = TrainOptions(
            voice.folder,
            network=network,
            mirror="memory://mirror",
            mirror_sequence=more.get("sequence", 0),
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

    def close(self) -> None:
        """Send no more."""
        self.uploader.close(0)
        self.uploader._thread.join(30)

    def safe(self, step: int) -> MirrorState:
        """Wait until a step is safe in the mirror and nothing else is to be sent."""
        return self.until(lambda s: s.safe_step == step and not s.pending and not s.trouble)


@pytest.fixture
def send(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Run]]:
    """Start to send a voice to a mirror."""
    runs: list[Run] = []
    monkeypatch.setattr("engine.mirror.uploader._IDLE_SECONDS", 0.005)
    monkeypatch.setattr("engine.mirror.uploader.backoff", lambda failures: 0.01)

    def start(voice, store, network: str = "text2mel", interval: float = 60, **more) -> Run:
        monkeypatch.setattr("engine.mirror.sync._INTERVAL", interval)
        runs.append(Run(voice, store, network, **more))
        return runs[-1]

    yield start
    for run in runs:
        run.close()


@pytest.fixture
def mirrored(make, memory, send) -> tuple[Voice, Run]:
    """A voice whose only checkpoint, at step 100, is safe in the mirror, and its upload."""
    voice = make.voice()
    make.save(voice, 100)
    run = send(voice, memory)
    run.safe(100)
    return voice, run


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
def until() -> Callable[[Callable[[], bool]], None]:
    """Wait until a condition holds."""

    def wait(condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < end
            threading.Event().wait(0.01)

    return wait


@pytest.fixture
def reports() -> list[str]:
    return []


@pytest.fixture
def fetching(memory, reports) -> FetchOptions:
    """Every address is the mirror in memory; waits are noted and not made."""
    return FetchOptions(
        report=reports.append,
        wait=lambda seconds: reports.append(f"waited {seconds:.1f}"),
        open=lambda address: memory,
    )


@pytest.fixture
def alice(make, memory, send) -> SimpleNamespace:
    """A voice at step 200 whose mirror has all of it, and then is gone from this machine."""
    voice = make.voice()
    make.save(voice, 100)
    make.save(voice, 200)
    make.save(voice, 50, "ssrn")
    (voice.folder / "spend.jsonl").write_text('{"start": "a"}\n{"start": "b"}\n')
    run = send(voice, memory)
    run.safe(200)
    run.close()
    return voice
