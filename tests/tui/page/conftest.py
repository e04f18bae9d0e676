"""Pages of the real command, and runs that they show."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from page_process import PageProcess
from paths import DEMO_VOICE
from programs import clean_environment
from served_page import ServedPage
from waiting import wait_until

from engine.attach.client import ask_status
from engine.run.snapshot import Phase
from engine.voice.folder import Voice


@pytest.fixture
def listen(tmp_path: Path) -> Iterator[Callable[..., PageProcess]]:
    """Start pages with words of the command line; they are ended with the test."""
    pages: list[PageProcess] = []

    def start(*words: str, **environment: str) -> PageProcess:
        pages.append(PageProcess(tmp_path, *words, **environment))
        return pages[-1]

    yield start
    for page in pages:
        page.process.kill()
        page.end()


class TrainingRun:
    """A run without a screen that trains a voice in a process of its own."""

    def __init__(self, voice: Voice, *options: str, **environment: str) -> None:
        self.voice, self._options, self._environment = voice, options, environment
        self.start()

    def start(self) -> None:
        """Start it, or start it again; returns when it makes steps."""
        words = ["train", "--voice", str(self.voice.folder), "--headless", *self._options]
        words += ["--device", "cpu", "--precision", "fp32"]
        # It trains as long as it is looked at: whatever waits for the machine goes first.
        self.process = subprocess.Popen(
            ["nice", sys.executable, "-m", "tui", *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            env=clean_environment(**self._environment),
        )
        wait_until(lambda: self.step is not None, "the run to train")

    @property
    def step(self) -> int | None:
        """Where it is; None while it does not train."""
        status = ask_status(self.voice.folder, 5.0)
        return status.step if status and status.phase is Phase.TRAINING else None

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The state folder of a module's runs and pages."""
    return str(tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="module")
def run(
    make_voice_at: Callable[..., Voice], tmp_path_factory: pytest.TempPathFactory, state: str
) -> Iterator[TrainingRun]:
    """A run that trains a small voice; it is started once for all tests of a module."""
    voice = make_voice_at(tmp_path_factory.mktemp("voices") / "voice")
    run = TrainingRun(voice, "--checkpoint-every", "10", XDG_STATE_HOME=state)
    yield run
    run.end()


@pytest.fixture
def page(tmp_path: Path) -> Iterator[ServedPage]:
    """A page served in this process, of the bundled voice without its weights."""
    light = shutil.ignore_patterns("checkpoints")
    page = ServedPage(shutil.copytree(DEMO_VOICE, tmp_path / "alice", ignore=light))
    yield page
    page.end()
