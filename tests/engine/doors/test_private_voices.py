"""What of a voice other users of the host can reach: nothing that is made here."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from engine.jobs import demo
from engine.jobs.clean import clean
from engine.jobs.demo import demo_options
from engine.jobs.export import export_voice
from engine.jobs.say import say
from engine.mirror.fetch import FetchOptions
from engine.mirror.restore import restore_from_mirror
from engine.run.commands import Audition
from engine.run.options import TrainOptions
from engine.voice.folder import Voice

TEXT = "Two birds sat."


@pytest.fixture(autouse=True)
def _usual_umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def shared(make_voice) -> Voice:
    """A voice that was made with all permissions that the umask gives."""
    voice = make_voice(price=1.0)
    for name in ("spend.jsonl", "voicecoach.log", "lock"):
        (voice.folder / name).touch()
    for path in (voice.folder, *voice.folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return voice


def exposed(folder: Path) -> set[str]:
    """The files and folders that others can reach in a folder, and itself."""
    found = {folder.name} if folder.stat().st_mode & 0o077 else set()
    if folder.stat().st_mode & 0o011:
        for entry in folder.iterdir():
            if entry.is_dir():
                found |= exposed(entry)
            elif entry.stat().st_mode & 0o077:
                found.add(entry.name)
    return found


@pytest.mark.slow
def test_what_is_new_in_a_shared_voice_is_private(shared, tmp_path, training):
    before = exposed(shared.folder)
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    training.end(training.start(shared, "12", Audition(), mirror=str(mirror)))
    say(shared.folder, TEXT)
    # The audition, the recording of its sentence, and what was said.
    assert len(list(shared.samples.glob("*.wav"))) == 3
    assert exposed(mirror) == {"mirror"}
    # The folders stay as they are; `lock` and `spend.jsonl`, too, are for their owner alone now.
    assert exposed(shared.folder) <= before - {"lock", "spend.jsonl", "voice.toml"}
    order = TrainOptions(tmp_path / "fetched", restore=str(mirror), mirror=str(mirror))
    restore_from_mirror(order, FetchOptions(report=lambda _: None))
    assert (tmp_path / "fetched" / "voice.toml").is_file()
    assert exposed(tmp_path / "fetched") == set()


@pytest.mark.slow
def test_nobody_else_reaches_the_demo(make_voice, tmp_path, speech, monkeypatch, training):
    shutil.copytree(speech, tmp_path / "assets" / "corpus")
    voice = make_voice("bundled", dataset=Path("../corpus"), text2mel=855, ssrn=767)
    shutil.move(voice.folder, tmp_path / "assets" / "voice")
    monkeypatch.setattr(demo, "_ASSETS", (tmp_path / "assets",))
    folder = tmp_path / "voices" / "demo"
    options = demo_options(TrainOptions(folder))
    training.end(training.start(folder, "+1", dataset=options.dataset, source=options.source))
    assert exposed(folder) == set()
    assert folder.parent.stat().st_mode & 0o777 == 0o755


@pytest.mark.slow
def test_what_is_handed_on_has_the_permissions_of_the_umask(make_voice, tmp_path, speech):
    voice = make_voice(text2mel=871, ssrn=767)
    (tmp_path / "out").mkdir()
    export, copy, wav = (tmp_path / "out" / name for name in ("export", "clean", "hello.wav"))
    export_voice(voice.folder, export)
    clean(speech, copy, on_progress=lambda done, total: None)
    say(voice.folder, TEXT, out=wav, arrays=wav.with_suffix(".npz"))
    for path in (tmp_path / "out").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644), path


@pytest.mark.slow
def test_a_voice_that_others_can_read_is_told_once(shared, training):
    shared.log.chmod(0o600)  # as whoever opens it does
    snapshot = training.end(training.start(shared, "+1"))
    [warning] = snapshot.warnings
    assert f"can read files of {shared.folder}, its weights and " in warning.text
    command = warning.text.split("`")[1]
    subprocess.run(command, shell=True, check=True)
    assert exposed(shared.folder) == set()
    assert training.end(training.start(shared, "+1")).warnings == ()


@pytest.mark.slow
@pytest.mark.parametrize("entered", [True, False], ids=["shared folder", "private folder"])
def test_files_that_stay_readable_are_told_once(shared, training, monkeypatch, entered):
    shared.folder.chmod(0o755 if entered else 0o700)

    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.fchmod", refuse)
    snapshot = training.end(training.start(shared, "+1"))
    assert snapshot.step == 1
    told = [text for text in training.texts(snapshot) if text.startswith("Other users")]
    assert len(told) == len(snapshot.warnings) == entered
    assert not entered or "mount it with umask=077" in told[0]
