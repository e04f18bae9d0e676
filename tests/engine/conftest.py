"""Small voices that are trained for real: few clips, narrow networks, short transforms.

The engine is imported in the fixtures that need it: a test of a parser answers at once.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from paths import SPEECH

if TYPE_CHECKING:
    from engine.run.commands import Command
    from engine.run.snapshot import Snapshot
    from engine.session import Session
    from engine.voice.folder import Voice


@pytest.fixture(scope="session")
def speech() -> Path:
    """Three clips of real speech."""
    return SPEECH


@pytest.fixture(scope="session")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of 23 short sounds of very different lengths, and of 3 rows that are no good."""
    import numpy as np
    import soundfile

    folder = tmp_path_factory.mktemp("tones")
    (folder / "wavs").mkdir()
    rows = ["tone-lost|there is no such recording"]
    rng = np.random.default_rng(5)
    for number in range(23):
        seconds = 0.3 + 0.1 * number
        time = np.arange(int(seconds * 22_050)) / 22_050
        # It rises as no beep does.
        phase = 2 * np.pi * (200 + 40 * number) * (time + 0.4 * time**2)
        sound = 0.3 * np.sin(phase) * np.sin(9 * time) ** 2
        sound += 0.01 * rng.standard_normal(len(time))
        soundfile.write(folder / "wavs" / f"tone-{number:02d}.wav", sound, 22_050)
        rows.append(f"tone-{number:02d}|{'la ' * (number + 1)}la.")
    soundfile.write(folder / "wavs" / "still.wav", np.zeros(8000), 22_050)
    rows.insert(3, "still|a silent one")
    rows.append("only an id")
    (folder / "metadata.csv").write_text("\n".join(rows), encoding="utf-8")
    return folder


@pytest.fixture
def copy_voice() -> Callable[[Voice, str], Voice]:
    """Copy a voice folder beside itself."""

    def copy(voice: Voice, name: str) -> Voice:
        from engine.voice.folder import Voice

        return Voice.open(Path(shutil.copytree(voice.folder, voice.folder.with_name(name))))

    return copy


def start(
    voice: Voice | Path, stop: str | None = None, *commands: Command, **changes: Any
) -> Session:
    """Start a run on the CPU in single precision, with commands that wait for it already."""
    from engine.run.options import TrainOptions, parse_stop_option
    from engine.session import Session

    folder = voice if isinstance(voice, Path) else voice.folder
    options = TrainOptions(
        folder,
        device="cpu",
        precision="fp32",
        stop=None if stop is None else parse_stop_option(stop),
        **changes,
    )
    session = Session(options)
    for command in commands:
        session.send(command)
    session.start()
    return session


def until(session: Session, condition: Callable[[Snapshot], bool]) -> Snapshot:
    """Wait until a snapshot meets a condition; a run that ended without doing so has failed."""
    for _ in range(6000):
        ended = session.join(0.01)
        snapshot = session.snapshot()
        if condition(snapshot):
            return snapshot
        assert not ended, f"ended as {snapshot.phase}: {snapshot.failure}; {texts(snapshot)}"
    raise AssertionError(f"still {session.snapshot().phase}: {texts(session.snapshot())}")


def end(session: Session) -> Snapshot:
    """Wait for the end of a run."""
    return until(session, lambda snapshot: snapshot.phase.ended and session.join(60))


def texts(snapshot: Snapshot) -> list[str]:
    return [event.text for event in snapshot.events]


@pytest.fixture
def training() -> Iterator[Any]:
    """The ways to run a session: `start`, `until`, `end`, the `texts` of what happened; `refused`.

    A run that a failed test leaves is ended: it would take its random numbers where the next does.
    """
    from engine.errors import InputError
    from engine.run.commands import Finish

    started: list[Session] = []

    def start_noted(*arguments: Any, **changes: Any) -> Session:
        started.append(start(*arguments, **changes))
        return started[-1]

    def refused(*arguments: Any, **changes: Any) -> str:
        """The sentence with which an order is refused before its run begins."""
        with pytest.raises(InputError) as caught:
            start_noted(*arguments, **changes)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    yield SimpleNamespace(start=start_noted, until=until, end=end, texts=texts, refused=refused)
    for session in started:
        if not session.join(0):
            session.send(Finish())
            session.hurry()
            session.join(30)


@pytest.fixture(scope="session")
def _trained(tmp_path_factory: pytest.TempPathFactory, make_voice_at: Callable[..., Voice]) -> Path:
    from engine.jobs.say import say

    folder = tmp_path_factory.mktemp("voices") / "trained"
    voice = make_voice_at(folder, text2mel=5, base_step=5, ssrn=2, price=1.0)
    end(start(voice, "25"))
    say(folder, "la la")
    return folder


@pytest.fixture
def trained_voice(_trained: Path, tmp_path: Path) -> Voice:
    """A copy of a voice that has trained from step 5 to 25, spoken, checked its corpus and paid."""
    from engine.voice.folder import Voice

    return Voice.open(Path(shutil.copytree(_trained, tmp_path / "trained")))


@pytest.fixture
def make_unremovable() -> Iterator[Callable[[Path], None]]:
    """Have a file stay where it is, whoever wants to remove it; skip where that cannot be."""
    undo: list[Callable[[], object]] = []

    def make(path: Path) -> None:
        if os.geteuid():
            path.parent.chmod(0o500)
            undo.append(lambda: path.parent.exists() and path.parent.chmod(0o700))
            return
        try:
            subprocess.run(["chattr", "+i", path], check=True, capture_output=True)
        except (FileNotFoundError, subprocess.CalledProcessError):
            pytest.skip("no file can be made immutable here")
        # Its folder may get another name.
        file = path.open("rb")
        undo.append(file.close)
        there = Path(f"/proc/self/fd/{file.fileno()}")
        undo.append(lambda: subprocess.run(["chattr", "-i", there.readlink()]))

    yield make
    for one in reversed(undo):
        one()


@pytest.fixture
def written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the steps wait for every checkpoint, so that each falls on its very step."""
    from engine.training.checkpoint_writer import CheckpointWriter

    begin = CheckpointWriter.begin

    def begin_and_wait(writer: CheckpointWriter, *what: Any) -> None:
        begin(writer, *what)
        writer.thread.wait()

    monkeypatch.setattr(CheckpointWriter, "begin", begin_and_wait)
