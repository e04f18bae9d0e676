"""A voice folder that somebody moves, deletes or replaces while a run trains in it."""

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.attach.sockets import connect
from engine.errors import EngineError, InputError
from engine.machine.lock import FolderLostError, LockRemovedError, acquire_lock, holder_of
from engine.run.commands import Finish, Inbox, Pause
from engine.run.publisher import Publisher
from engine.run.snapshot import Phase, Snapshot
from engine.run.stop import read_stored_stop
from engine.training.folder_watch import FolderWatch
from engine.voice.folder import Voice

pytestmark = [pytest.mark.slow, pytest.mark.process]

# Less than the two minutes for which a disk that refuses the last step is tried.
DEADLINE = 100.0


def until(true, what):
    """Return what comes of it as soon as something is so; fail when it does not come to be."""
    end = time.monotonic() + DEADLINE
    pause = threading.Event()
    while not (found := true()):
        if time.monotonic() > end:
            pytest.fail(f"waited {DEADLINE:.0f} s for {what}")
        pause.wait(0.005)
    return found


class Command:
    """A command in a process of its own."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self.pid = int(until(lambda: self._read(".pid"), "the process to start"))

    def _read(self, suffix: str) -> str:
        path = self._out.with_suffix(suffix)
        return path.read_text() if path.exists() else ""

    @property
    def said(self) -> str:
        return self._read(".out")

    @property
    def complained(self) -> str:
        return self._read(".err")

    @property
    def ended(self) -> bool:
        return self._out.with_suffix(".code").exists()

    def wait(self) -> int:
        code = until(lambda: self._read(".code"), f"the end of the command: {self.said[-2000:]}")
        return int(code)

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)


class Commands:
    """Starts commands; see `command_runs.py`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[Command] = []
        self._server = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("command_runs.py")],
            stdin=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
        )

    def start(self, *arguments: object) -> Command:
        out = self._folder / f"command-{len(self._started)}"
        asked = {"arguments": list(map(str, arguments)), "out": str(out)}
        self._server.stdin.write(json.dumps(asked) + "\n")
        self._server.stdin.flush()
        command = Command(out)
        self._started.append(command)
        return command

    def train(self, voice: Voice | Path, *more: object) -> Command:
        folder = voice.folder if isinstance(voice, Voice) else voice
        fixed = ("--device", "cpu", "--precision", "fp32", "--headless")
        return self.start("train", "--voice", folder, *fixed, *more)

    def close(self) -> None:
        for command in self._started:
            if not command.ended:
                with contextlib.suppress(ProcessLookupError):
                    command.send(signal.SIGKILL)
        self._server.stdin.close()
        self._server.wait()


@pytest.fixture(scope="module")
def commands(tmp_path_factory):
    made = Commands(tmp_path_factory.mktemp("commands"))
    yield made
    made.close()


def steps(folder):
    return [entry.step for entry in Voice.open(folder).checkpoints("text2mel")]


def logged(folder):
    path = folder / "text2mel" / "history.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line)["step"] for line in lines]


def trains(voice):
    """Wait until a run has logged a step."""
    until(lambda: logged(voice.folder), "the first logged steps")


@pytest.fixture
def voice(make_voice):
    return make_voice("alice", text2mel=3, base_step=3, price=1.0, checkpoint_every=10**6)


def saved_step(command):
    told = re.search(r"step ([0-9,]+) is saved there", command.complained)
    assert told, command.complained
    return int(told[1].replace(",", ""))


def assert_all_is_in(folder, command):
    """The last step, the losses and the account; nothing of a run that goes on."""
    assert len(command.complained.splitlines()) == 1
    assert_step_is_in(folder, saved_step(command))


def assert_step_is_in(folder, step):
    assert steps(folder)[-1] == step
    assert max(logged(folder)) == step // 10 * 10
    stretches = Voice.open(folder).spend.entries
    assert max(stretch.last_step for stretch in stretches) == step
    assert not (folder / "spend.open").exists()
    assert not (folder / "socket").exists()


def test_a_moved_voice_is_saved_where_it_is(voice, commands):
    run = commands.train(voice, "--stop-at", "500k")
    trains(voice)
    moved = voice.folder.rename(voice.folder.with_name("alice old"))
    assert run.wait() == 1
    assert not voice.folder.exists()
    assert_all_is_in(moved, run)
    assert read_stored_stop(moved / "text2mel").point.step == 500_000
    assert f"{voice.folder} was moved to {moved} during training" in run.complained
    command = re.search(r"to continue: voicecoach (.*)", run.complained)[1]
    assert command == f"train --voice '{moved}'"
    step = saved_step(run)
    again = commands.train(moved, "--stop-at", "+1")
    assert again.wait() == 0
    assert f"continued from step {step:,}" in again.said
    assert steps(moved)[-1] == step + 1


def test_a_signal_right_after_a_move_saves_there_as_well(voice, commands):
    run = commands.train(voice)
    trains(voice)
    moved = voice.folder.rename(voice.folder.with_name("moved"))
    # Before anybody has looked where the folder is.
    run.send(signal.SIGTERM)
    assert run.wait() == 1
    assert not voice.folder.exists()
    assert_all_is_in(moved, run)


def test_a_deleted_voice_ends_its_run_and_stays_deleted(voice, commands):
    # So many that the run tries to write losses while they are being deleted.
    (voice.folder / "many").touch()
    for number in range(40_000):
        os.link(voice.folder / "many", voice.folder / f"{number}")
    run = commands.train(voice)
    trains(voice)
    subprocess.run(["rm", "-rf", voice.folder / "lock", voice.folder], check=True)
    assert run.wait() == 1
    assert not voice.folder.exists()
    assert len(run.complained.splitlines()) == 1
    assert f"{voice.folder} was deleted" in run.complained
    assert re.search(r"ended at step [0-9,]+ and could save nothing more", run.complained)


def test_another_voice_in_the_old_place_is_left_alone(voice, make_voice, commands):
    other = make_voice("bob", text2mel=7, base_step=7, price=2.0, checkpoint_every=10**6)
    run = commands.train(voice, "--checkpoint-every", "5")
    trains(voice)
    moved = voice.folder.with_name("moved")
    voice.folder.rename(moved)
    other.folder.rename(voice.folder)
    second = commands.train(voice.folder)
    assert run.wait() == 1
    assert_all_is_in(moved, run)
    trains(voice)
    assert holder_of(voice.folder).startswith(f"process {second.pid} ")
    connect(voice.folder, 10).close()
    second.send(signal.SIGTERM)
    assert second.wait() == 0
    assert [len(steps(voice.folder)), steps(voice.folder)[0]] == [2, 7]
    assert logged(voice.folder) == sorted(set(logged(voice.folder)))
    for folder, price in ((moved, 1.0), (voice.folder, 2.0)):
        assert {stretch.price for stretch in Voice.open(folder).spend.entries} == {price}
    assert not (voice.folder / "socket").exists()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"network": "ssrn", "step": 3, "checkpoint_step": 3, "stop_text": "$10"},
            "; step 3 is saved there; to continue: "
            "voicecoach train --voice {} --network ssrn --stop-at '$10'",
        ),
        ({"step": 40}, "; 40 steps are lost; give the same command again with --voice {}"),
        ({}, "; nothing was trained; give the same command again with --voice {}"),
    ],
)
def test_what_a_moved_run_says_of_its_steps(voice, changes, told):
    lock = acquire_lock(voice.folder)
    first = Snapshot(Phase.TRAINING, "alice", voice.folder, "text2mel", "small", "standard")
    watch = FolderWatch(lock, Publisher(replace(first, **changes)), Inbox())
    moved = voice.folder.rename(voice.folder.with_name("moved"))
    assert str(watch.failure()).endswith(told.format(moved))
    lock.release()


def test_a_voice_moved_before_its_first_step_ends_there(tmp_path, make_voice, commands):
    recordings = tmp_path / "recordings"
    (recordings / "wavs").mkdir(parents=True)
    rng = np.random.default_rng(3)
    for number in range(60):
        sound = 0.1 * rng.standard_normal(7 * 22_050)
        soundfile.write(recordings / "wavs" / f"{number}.wav", sound, 22_050)
    rows = [f"{number}|a sound as of the sea, again and again" for number in range(60)]
    (recordings / "metadata.csv").write_text("\n".join(rows))
    voice = make_voice("alice", dataset=recordings)
    run = commands.train(voice)
    until(lambda: list(voice.folder.glob("features/*.part")), "the features to be computed")
    run.send(signal.SIGSTOP)
    moved = voice.folder.rename(voice.folder.with_name("moved"))
    run.send(signal.SIGCONT)
    assert run.wait() == 1
    assert not voice.folder.exists()
    assert f"{voice.folder} was moved to {moved}" in run.complained
    assert steps(moved) == [0]
    assert not (moved / "socket").exists()


def test_a_voice_whose_parent_is_renamed_is_saved_there(voice, training):
    project = voice.folder.parent / "project"
    project.mkdir()
    folder = voice.folder.rename(project / "alice")
    session = training.start(folder)
    training.until(session, lambda s: s.step > 20)
    moved = project.rename(project.with_name("finished")) / "alice"
    last = training.end(session)
    assert f"was moved to {moved}" in last.failure
    assert_step_is_in(moved, last.step)
    assert not project.exists()


def test_a_link_led_elsewhere_does_not_lead_the_run_astray(voice, make_voice, training):
    other = make_voice("bob", text2mel=7, base_step=7)
    before = sorted(other.folder.rglob("*"))
    link = voice.folder.with_name("link")
    link.symlink_to(voice.folder)
    session = training.start(link)
    training.until(session, lambda s: s.step > 20)
    link.unlink()
    link.symlink_to(other.folder)
    last = training.end(session)
    assert f"was moved to {voice.folder}" in last.failure
    assert_step_is_in(voice.folder, last.step)
    assert sorted(other.folder.rglob("*")) == before


def test_a_lock_file_that_was_removed_is_made_again(voice, commands):
    run = commands.train(voice)
    trains(voice)
    (voice.folder / "lock").unlink()
    until(lambda: holder_of(voice.folder), "the lock")
    assert commands.train(voice).wait() == 2
    until(lambda: "the lock file of" in run.said, "a word about the lock")
    run.send(signal.SIGTERM)
    assert run.wait() == 0
    assert len(steps(voice.folder)) == 2


def test_a_removed_lock_is_restored_on_request_only(voice):
    lock = acquire_lock(voice.folder)
    (voice.folder / "lock").unlink()
    with pytest.raises(LockRemovedError):
        lock.find()
    assert not (voice.folder / "lock").exists()
    assert lock.find(restore=True) == voice.folder
    assert holder_of(voice.folder)
    (voice.folder / "lock").unlink()
    (voice.folder / "voice.toml").unlink()
    # This much is gone of a folder that is being deleted.
    for restore in (False, True):
        with pytest.raises(FolderLostError, match="was deleted"):
            lock.find(restore=restore)
    assert not (voice.folder / "lock").exists()
    lock.release()


def test_a_run_gives_way_to_one_that_took_its_lock(voice, training):
    session = training.start(voice)
    training.until(session, lambda s: s.step > 20)
    theirs = voice.folder / "theirs"
    with theirs.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        theirs.rename(voice.folder / "lock")
        last = training.end(session)
    assert "another run has locked the folder since" in last.failure
    assert f"ended at step {last.step:,} and could save nothing more" in last.failure
    assert last.checkpoint_step is None
    assert steps(voice.folder) == [3]
    assert (last.step - 3) > sum(s.last_step - s.first_step for s in voice.spend.entries)


def test_a_paused_run_whose_voice_is_moved_ends(voice, training):
    session = training.start(voice, None, attended=True)
    training.until(session, lambda s: s.step > 5)
    session.send(Pause())
    training.until(session, lambda s: s.phase is Phase.PAUSED)
    moved = voice.folder.rename(voice.folder.with_name("moved"))
    last = training.end(session)
    assert isinstance(session.error, EngineError)
    assert last.phase is Phase.FAILED
    assert last.voice_folder == moved
    assert steps(moved)[-1] == last.step == last.checkpoint_step


def test_a_question_about_the_corpus_ends_with_its_voice(make_voice, training, tmp_path, speech):
    recordings = Path(shutil.copytree(speech, tmp_path / "recordings"))
    with (recordings / "metadata.csv").open("a", encoding="utf-8") as metadata:
        metadata.write("LJ001-9999|nobody recorded this|nobody recorded this\n")
    voice = make_voice(dataset=recordings)
    session = training.start(voice, attended=True)
    training.until(session, lambda s: s.phase is Phase.CHECKED)
    moved = voice.folder.rename(voice.folder.with_name("moved"))
    last = training.end(session)
    assert str(moved) in last.failure
    assert not voice.folder.exists()


def test_a_voice_that_is_soon_back_trains_on(voice, training):
    session = training.start(voice, None, attended=True)
    reached = training.until(session, lambda s: s.step > 5).step
    moved = voice.folder.rename(voice.folder.with_name("moved"))
    moved.rename(voice.folder)
    training.until(session, lambda s: s.step > reached + 10)
    # One look finds it away, the next finds it back.
    voice.folder.rename(moved)
    training.until(session, lambda s: s.voice_folder == moved)
    moved.rename(voice.folder)
    training.until(session, lambda s: s.voice_folder == voice.folder)
    session.send(Finish())
    assert training.end(session).phase is Phase.STOPPED
    assert session.error is None


def test_a_voice_that_is_back_too_late_says_why_its_run_ended(voice, training):
    session = training.start(voice, None, attended=True)
    training.until(session, lambda s: s.step > 5)
    moved = voice.folder.rename(voice.folder.with_name("moved"))
    training.until(session, lambda s: any("ending the run" in event.text for event in s.events))
    moved.rename(voice.folder)
    last = training.end(session)
    assert last.phase is Phase.FAILED
    assert isinstance(session.error, EngineError)
    assert f"{voice.folder} was moved to {moved} and back during training" in last.failure
    assert last.failure.endswith(f"to continue: voicecoach train --voice {voice.folder}")
    assert steps(voice.folder)[-1] == last.step


def test_nobody_waits_for_the_mirror_of_a_deleted_voice(voice, training, tmp_path):
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    session = training.start(voice, mirror=str(mirror), checkpoint_every=5)
    training.until(session, lambda s: s.mirror is not None and s.mirror.safe_step)
    subprocess.run(["rm", "-rf", voice.folder], check=True)
    last = training.end(session)
    assert f"the mirror {last.mirror.address} has step {last.mirror.safe_step:,}" in last.failure
    assert not voice.folder.exists()
    assert not any("for 120 s at most" in text for text in training.texts(last))


def test_what_replaced_a_new_voice_is_not_cleared_away(tmp_path, training, speech, monkeypatch):
    folder = tmp_path / "alice"
    recordings = Path(shutil.copytree(speech, tmp_path / "recordings"))
    for sound in (recordings / "wavs").iterdir():
        sound.write_bytes(b"no sound")

    def replace(*_):
        folder.rename(tmp_path / "moved")
        folder.mkdir()
        (folder / "theirs").touch()
        raise InputError("these recordings cannot be used")

    monkeypatch.setattr("engine.training.setup.prepare", replace)
    session = training.start(folder, dataset=recordings, preset="small")
    last = training.end(session)
    assert f"was moved to {tmp_path / 'moved'}" in last.failure
    assert [path.name for path in folder.iterdir()] == ["theirs"]
    assert (tmp_path / "moved" / "voice.toml").exists()


def test_a_copied_voice_is_no_moved_one(voice, tmp_path):
    lock = acquire_lock(voice.folder)
    copy = Path(shutil.copytree(voice.folder, tmp_path / "copy"))
    assert lock.find() == voice.folder
    moved = voice.folder.rename(tmp_path / "moved")
    copy.rename(voice.folder)
    assert lock.find() == moved
    # The copy has a lock of its own, which nobody holds.
    acquire_lock(voice.folder).release()
    lock.release()
