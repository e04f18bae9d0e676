"""Two starts of one new voice at the same moment: one trains, the other is told who does."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from paths import ROOT

from engine.errors import EngineError, InputError
from engine.machine.lock import acquire_lock
from engine.run.options import TrainOptions
from engine.session import Session
from engine.voice.folder import Voice
from engine.voice.layout import list_checkpoints
from engine.voice.settings import VoiceSettings

pytestmark = [pytest.mark.slow, pytest.mark.process]

PAIRS = 8


class Contender:
    """A process of its own that takes a voice folder when it is told to, and then waits."""

    def __init__(self, options: TrainOptions, delay: float) -> None:
        go, self._go = os.pipe()
        self._said, say = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._go)
            os.read(go, 1)
            until = time.monotonic() + delay
            while time.monotonic() < until:
                pass
            try:
                Session(options)
                outcome = "took it"
            except (InputError, EngineError) as error:
                outcome = str(error)
            except BaseException as error:
                outcome = f"unforeseen: {error!r}"
            os.write(say, outcome.encode())
            os.read(go, 1)
            os._exit(0)
        os.close(go)
        os.close(say)

    def start(self) -> None:
        os.write(self._go, b"!")

    def outcome(self) -> str:
        return os.read(self._said, 10_000).decode()

    def end(self) -> None:
        os.write(self._go, b"!")
        os.waitpid(self.pid, 0)
        os.close(self._go)
        os.close(self._said)


def test_the_loser_of_two_starts_is_told_who_trains(tmp_path, speech):
    for number in range(PAIRS):
        folder = tmp_path / "voices" / str(number)
        options = TrainOptions(folder, dataset=speech, device="cpu")
        # The second comes later and later: into each moment of what the first does.
        pair = [Contender(options, 0.0), Contender(options, number * 450e-6)]
        for one in pair:
            one.start()
        outcomes = {one.pid: one.outcome() for one in pair}
        settings = Voice.open(folder).settings
        files = sorted(path.name for path in folder.iterdir())
        for one in pair:
            one.end()
        [winner] = [pid for pid, said in outcomes.items() if said == "took it"]
        [loser] = [said for said in outcomes.values() if said != "took it"]
        assert f"The voice in {folder} is being trained by process {winner} since" in loser
        assert settings.dataset == speech
        assert files == ["lock", "voice.toml"]


def test_a_voice_made_meanwhile_is_kept(tmp_path, speech, monkeypatch):
    folder = tmp_path / "voice"

    def lock_after_another(where):
        # Another start makes the voice and ends, just before this one has the lock.
        Voice.create(where, VoiceSettings(dataset=speech, preset="small", budget=30.0, price=1.0))
        (where / "spend.jsonl").touch()
        return acquire_lock(where)

    monkeypatch.setattr("engine.voice.claim.acquire_lock", lock_after_another)
    session = Session(TrainOptions(folder, dataset=speech))
    assert session.snapshot().budget == 30
    settings = Voice.open(folder).settings
    assert (settings.preset, settings.budget) == ("small", 30)
    session._claim.release()


def test_a_lock_removed_meanwhile_locks_nobody(tmp_path, monkeypatch):
    folder = tmp_path / "voice"
    real, opened = os.open, []

    def open_and_lose(path, *given, **more):
        descriptor = real(path, *given, **more)
        if Path(path).name == "lock" and not opened:
            # Whoever had made the folder gives it up just now.
            opened.append(path)
            Path(path).unlink()
            folder.rmdir()
        return descriptor

    monkeypatch.setattr(os, "open", open_and_lose)
    lock = acquire_lock(folder)
    monkeypatch.undo()
    assert opened
    with pytest.raises(InputError, match="being trained"):
        acquire_lock(folder)
    lock.release()


def test_two_commands_at_once_and_one_trains(make_voice, tmp_path, speech):
    base, folder = make_voice("base"), tmp_path / "new"
    command = [sys.executable, "-m", "tui", "train", speech, "--voice", folder, "--headless"]
    command += ["--from", base.folder, "--stop-at", "+1", "--device", "cpu"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    pair = [subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, **pipes) for _ in "12"]
    said = {one.pid: one.communicate(timeout=120) for one in pair}
    assert sorted(one.returncode for one in pair) == [0, 2], said
    winner, loser = sorted(pair, key=lambda one: one.returncode)
    [sentence] = said[loser.pid][1].splitlines()
    assert re.search(rf"is being trained by process {winner.pid} since", sentence)
    assert [one.step for one in list_checkpoints(folder / "text2mel/checkpoints")] == [0, 1]
