"""Plays samples on this host's loudspeakers, each in a child process with a time limit."""

import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

from tui.audio import play_wav
from tui.audio.listening import PlayerStatus

_PROBE_LIMIT = 20.0
"""Seconds: a sound server that accepts and never answers holds an import for minutes."""
_PLAY_LIMIT = 300.0
"""Seconds: longer than any sample; a device that takes no sound blocks for ever."""


def _program(*arguments: str) -> list[str]:
    # By its path and without the folder on the import path, so that neither the current folder
    # nor our own modules' names get in the way of what it imports.
    return [sys.executable, "-P", str(Path(play_wav.__file__)), *arguments]


def _start(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        _program(*arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        # Signals from the terminal are for the run, not for its loudspeaker.
        start_new_session=True,
    )


def _trouble(child: "subprocess.Popen[str]", limit: float) -> str:
    """Wait for a child and return what went wrong, or nothing."""
    try:
        _, output = child.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
        return f"the sound system did not answer within {limit:.0f} s"
    if child.returncode == 0:
        return ""
    if child.returncode < 0:
        return f"the sound system crashed the player ({signal.Signals(-child.returncode).name})"
    lines = output.strip().splitlines()
    return lines[-1] if lines else f"the player ended with {child.returncode}"


def play_to_the_end(path: Path) -> str:
    """Play a file and wait for its end; return what went wrong, or nothing."""
    child = _start(str(path))
    try:
        return _trouble(child, _PLAY_LIMIT)
    finally:
        child.kill()


class SoundCard:
    """The loudspeakers of this host, if any: a `Player` that looks for them in the background."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._status = PlayerStatus(playing=None)
        self._child: subprocess.Popen[str] | None = None
        self._turn = 0
        """Counts calls of `play` and `stop`: a child of an earlier turn has nothing to say."""
        threading.Thread(target=self._probe, name="voicecoach-sound-probe", daemon=True).start()

    @property
    def status(self) -> PlayerStatus:
        """The present state."""
        return self._status

    def play(self, path: Path) -> None:
        """Start to play a file; what was playing before stops."""
        turn = self._replace(path)
        threading.Thread(
            target=self._play, args=(path, turn), name="voicecoach-sound", daemon=True
        ).start()

    def stop(self) -> None:
        """Stop playing."""
        self._replace(None)

    def _replace(self, then: Path | None) -> int:
        with self._lock:
            self._turn += 1
            if self._child is not None:
                self._child.kill()
                self._child = None
            self._status = replace(self._status, playing=then, last_error="")
            return self._turn

    def _probe(self) -> None:
        trouble = _trouble(_start(), _PROBE_LIMIT)
        with self._lock:
            self._status = replace(self._status, unavailable=trouble)

    def _play(self, path: Path, turn: int) -> None:
        with self._lock:
            if turn != self._turn:
                return
            child = self._child = _start(str(path))
        trouble = _trouble(child, _PLAY_LIMIT)
        with self._lock:
            if turn == self._turn:
                self._child = None
                self._status = replace(self._status, playing=None, last_error=trouble)
