import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_session import MEASURES
from programs import Runs
from sshd import Sshd


@pytest.fixture(autouse=True)
def _a_terminal_with_colours(monkeypatch, tmp_path):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    # Whoever runs the tests has a clipboard of their own, and may be listening to a page.
    for name in ("TMUX", "STY", "SSH_CONNECTION", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    # A theme that one test chooses is remembered.
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def _measures_of_the_tests(monkeypatch):
    monkeypatch.setattr("engine.advice.measures.MEASURES", MEASURES)


@pytest.fixture(autouse=True, scope="session")
def _signals_as_in_a_shell() -> Iterator[None]:
    """Start the processes with signals as a shell does, also where the tests run under nohup.

    A signal that is ignored stays ignored in the processes that are started.
    """
    before = {s: signal.getsignal(s) for s in (signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT)}
    for number, handler in before.items():
        if handler is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    made = Runs(tmp_path)
    yield made
    made.end()
    if not made.has_to_be_ended:
        assert "did not end by itself" not in (made.said("voicecoach.log") or "")


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    server = Sshd(tmp_path / "sshd")
    yield server
    server.end()


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
