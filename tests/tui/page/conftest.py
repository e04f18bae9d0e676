"""Pages of the real command, runs that they show, and Chromium."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from page_process import PageProcess
from programs import clean_environment, wait_until

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

    def __init__(self, voice: Voice, *options: str) -> None:
        self.voice, self._options = voice, options
        self.start()

    def start(self) -> None:
        """Start it, or start it again; returns when it makes steps."""
        words = ["train", "--voice", str(self.voice.folder), "--headless", *self._options]
        words += ["--device", "cpu", "--precision", "fp32"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tui", *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            env=clean_environment(),
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


@pytest.fixture
def train(make_voice: Callable[..., Voice]) -> Iterator[Callable[..., TrainingRun]]:
    """Train a voice, a small new one unless one is given; runs are killed with the test."""
    made: list[TrainingRun] = []

    def start(*options: str, voice: Voice | None = None) -> TrainingRun:
        made.append(TrainingRun(voice or make_voice(), *options))
        return made[-1]

    yield start
    for run in made:
        run.end()


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    """A browser without a window, in which sounds may play without a click."""
    program = shutil.which("chromium")
    if program is None and "VOICECOACH_REQUIRE_PROGRAMS" not in os.environ:
        pytest.skip("chromium is not installed")
    from playwright.sync_api import sync_playwright

    # Chromium's own sandbox does not work in containers, nor for root.
    arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=program, args=arguments) as browser,
    ):
        yield browser
