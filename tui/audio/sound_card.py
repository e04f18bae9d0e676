"""Plays samples on this host's loudspeakers, each in a child process with a time limit.

Sound libraries can hang when they are imported and take the process with them when they crash, so
they are never loaded beside a training run: the child runs this file, which imports nothing of
ours. It says on stderr in one line what is wrong; its exit code is 0 if the file was played to its
end (without a file: if one could be).
"""

import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, replace
from pathlib import Path

_PROBE_LIMIT = 20.0
"""Seconds: a sound server that accepts and never answers holds an import for minutes."""
_PLAY_LIMIT = 300.0
"""Seconds: longer than any sample; a device that takes no sound blocks for ever."""
_NO_PROGRAM = "no program that plays sound can be started"


@dataclass(frozen=True, slots=True)
class PlayerStatus:
    """The state of a player; replaced as a whole, so it can be read at any moment."""

    playing: Path | None
    """The file that is playing now."""
    unavailable: str = ""
    """Why there is no sound on this host; empty where there is."""
    last_error: str = ""
    """Why the last file could not be played to its end."""


class SoundCard:
    """The loudspeakers of this host, if any; nothing here keeps its caller waiting."""

    def __init__(self) -> None:
        """Look for them in the background."""
        self._lock = threading.Lock()
        self.status = PlayerStatus(playing=None)
        self._child: subprocess.Popen[str] | None = None
        self._turn = 0
        """Counts calls of `play` and `stop`: a child of an earlier turn has nothing to say."""
        self._probed = threading.Event()
        threading.Thread(target=self._probe, name="voicecoach-sound-probe", daemon=True).start()

    def unavailable(self) -> str:
        """Why there is no sound on this host; waits until that is known."""
        self._probed.wait()
        return self.status.unavailable

    def play(self, path: Path) -> None:
        """Start to play a file and return at once; what was playing before stops."""
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
            self.status = replace(self.status, playing=then, last_error="")
            return self._turn

    def _probe(self) -> None:
        try:
            trouble = _trouble(_start(), _PROBE_LIMIT)
        except OSError as error:
            trouble = f"{_NO_PROGRAM}: {error}"
        with self._lock:
            self.status = replace(self.status, unavailable=trouble)
        self._probed.set()

    def _play(self, path: Path, turn: int) -> None:
        with self._lock:
            if turn != self._turn:
                return
            try:
                child = self._child = _start(str(path))
            except OSError as error:
                trouble = f"{_NO_PROGRAM}: {error}"
                self.status = replace(self.status, playing=None, last_error=trouble)
                return
        trouble = _trouble(child, _PLAY_LIMIT)
        with self._lock:
            if turn == self._turn:
                self._child = None
                self.status = replace(self.status, playing=None, last_error=trouble)


def play_to_the_end(path: Path) -> str:
    """Play a file and wait for its end; return what went wrong, or nothing."""
    child = _start(str(path))
    try:
        return _trouble(child, _PLAY_LIMIT)
    finally:
        child.kill()


def _start(path: str = "") -> "subprocess.Popen[str]":
    return subprocess.Popen(
        # By its path and without the folder on the import path, so that neither the current
        # folder nor our own modules' names get in the way of what it imports.
        [sys.executable, "-P", __file__, path],
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
    if child.returncode < 0:
        return f"the sound system crashed the player ({signal.Signals(-child.returncode).name})"
    if child.returncode == 0:
        return ""
    return (output.strip() or f"the player ended with {child.returncode}").splitlines()[-1]


def _main(path: str) -> str:
    """What the child does: play a file, or only look for a device; return what is wrong."""
    try:
        import sounddevice
    except OSError:
        return "libportaudio2 is not installed: apt install libportaudio2"
    try:
        if not any(device["max_output_channels"] for device in sounddevice.query_devices()):
            if "PULSE_SERVER" in os.environ:
                return "PULSE_SERVER does not answer, or libasound2-plugins is missing"
            return "no sound device on this host"
        if path:
            import soundfile

            samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
            sounddevice.play(samples, rate, blocking=True)
    except sounddevice.PortAudioError as error:
        return f"the sound device refused: {error}"
    except (OSError, RuntimeError) as error:
        # soundfile's own error is a RuntimeError.
        return f"cannot play {path}: {error}"
    return ""


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]) or 0)
