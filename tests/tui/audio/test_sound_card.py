"""The sound card: children that play, refuse, hang and crash, with sound libraries to match."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from waiting import wait_until

from tui.audio import sound_card
from tui.audio.sound_card import SoundCard, play_to_the_end

HEAD = """
import os, signal, sys, threading
from pathlib import Path
class PortAudioError(Exception): pass
def query_devices(): return [dict(max_output_channels=2)]
FOLDER = Path(__file__).parent
def play(samples, rate, blocking):
    assert blocking
    (FOLDER / "played").open("a").write(f"{samples.shape} {rate}\\n")
"""
HANGS = "threading.Event().wait()"


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a sound library of our own in front of the real one, for child processes."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)

    def write(tail: str = "") -> None:
        (tmp_path / "sounddevice.py").write_text(HEAD + tail + "\n")

    return write


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    path = tmp_path / "sample [1].wav"
    soundfile.write(path, np.zeros(2205, dtype=np.float32), 22050)
    return path


def test_a_new_file_silences_the_one_before(library, sample: Path, tmp_path: Path) -> None:
    library("def play(samples, rate, blocking):\n    (FOLDER / 'began').touch(); " + HANGS)
    card = SoundCard()
    card.play(sample)
    wait_until((tmp_path / "began").exists)
    library()
    card.play(sample)
    assert card.status.playing == sample
    wait_until(lambda: card.status.playing is None)
    assert card.status.unavailable == card.status.last_error == ""
    assert (tmp_path / "played").read_text() == "(2205, 1) 22050\n"


@pytest.mark.parametrize(
    ("tail", "why"),
    [
        ("def query_devices(): return []", "no sound device on this host"),
        ("def query_devices(): return []", "or libasound2-plugins is missing"),
        ("def query_devices(): return [dict(max_output_channels=0)]", "no sound device"),
        ("raise OSError('PortAudio library not found')", "apt install libportaudio2"),
        ("def query_devices(): raise PortAudioError('not [now]')", "not [now]"),
        (HANGS, "did not answer within"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "crashed the player (SIGSEGV)"),
    ],
)
def test_why_there_is_no_sound(library, tail: str, why: str, monkeypatch) -> None:
    if tail == HANGS:
        monkeypatch.setattr(sound_card, "_PROBE_LIMIT", 0.4)
    library(tail)
    monkeypatch.setenv("PULSE_SERVER", "tcp:127.0.0.1:9") if "plugins" in why else None
    card = SoundCard()
    # Whoever wants to play something waits until the card has answered.
    assert why in card.unavailable()
    assert card.status.unavailable == card.unavailable()


@pytest.mark.parametrize(
    ("tail", "why"),
    [
        ("def play(*a, **k): raise PortAudioError('device [0] is busy')", "device [0] is busy"),
        ("def play(*a, **k): os.kill(os.getpid(), signal.SIGSEGV)", "crashed the player (SIGSEGV)"),
    ],
)
def test_why_a_file_did_not_sound(library, sample: Path, tail: str, why: str) -> None:
    library(tail)
    card = SoundCard()
    card.play(sample)
    wait_until(lambda: card.status.playing is None)
    assert why in card.status.last_error


def test_a_file_that_is_no_sound_is_named(library, tmp_path: Path) -> None:
    library()
    path = tmp_path / "broken.wav"
    path.write_bytes(b"RIFF")
    assert str(path) in play_to_the_end(path)
