"""A voice folder that somebody moves, deletes or replaces while a run trains in it."""

import fcntl
import json
import re
import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from waiting import wait_until

from engine.attach.client import RemoteSession, ask_status
from engine.errors import EngineError, InputError
from engine.machine.lock import FolderLostError, LockRemovedError, acquire_lock, holder_of
from engine.run.commands import Finish, Inbox, Pause
from engine.run.publisher import Publisher
from engine.run.snapshot import Phase, Snapshot
from engine.run.stop import read_stored_stop
from engine.training import folder_watch, setup
from engine.training.folder_watch import FolderWatch
from engine.voice.folder import Voice

pytestmark = pytest.mark.slow


def steps(folder):
    return [entry.step for entry in Voice.open(folder).checkpoints("text2mel")]


def move(folder, name="moved"):
    return folder.rename(folder.with_name(name))


@pytest.fixture
def voice(make_voice, monkeypatch):
    monkeypatch.setattr(folder_watch, "_POLL_SECONDS", 0.02)
    return make_voice("alice", text2mel=3, base_step=3, price=1.0, checkpoint_every=10**6)


def assert_saved(folder, last):
    """The last step, the losses and the spend are in the folder; nothing of a run that goes on."""
    assert steps(folder)[-1] == last.step
    logged = (folder / "text2mel" / "history.jsonl").read_text().splitlines()
    assert max(json.loads(line)["step"] for line in logged) == last.step // 10 * 10
    assert max(entry.last_step for entry in Voice.open(folder).spend.entries) == last.step
    assert not (folder / "spend.open").exists()
    assert not (folder / "socket").exists()


@pytest.mark.parametrize("how", ["paused", "at the end", "parent moved", "link led elsewhere"])
def test_a_moved_voice_is_saved_where_it_is(voice, make_voice, training, tmp_path, how):
    folder, moved = voice.folder, voice.folder.with_name("alice old")
    other = make_voice("bob", text2mel=7, base_step=7)
    others = sorted(other.folder.rglob("*"))
    if how == "parent moved":
        (tmp_path / "project").mkdir()
        folder = folder.rename(tmp_path / "project" / "alice")
    elif how == "link led elsewhere":
        folder, moved = tmp_path / "link", folder
        folder.symlink_to(moved)
    session = training.start(folder, "500k")
    training.until(session, lambda s: s.step > 20)
    if how == "paused":
        session.send(Pause())
        training.until(session, lambda s: s.phase is Phase.PAUSED)
    if how == "parent moved":
        moved = folder.parent.rename(tmp_path / "finished") / "alice"
    elif how == "link led elsewhere":
        folder.unlink()
        folder.symlink_to(other.folder)
    else:
        folder.rename(moved)
    if how == "at the end":  # before anybody has looked where the folder is
        session.send(Finish(by_signal=True))
    last = training.end(session)
    assert isinstance(session.error, EngineError)
    assert_saved(moved, last)
    assert folder.exists() == (how == "link led elsewhere")
    assert sorted(other.folder.rglob("*")) == others
    assert f"{folder} was moved to {moved} during training" in last.failure
    assert f"step {last.step:,} is saved there" in last.failure
    command = re.search(r"to continue: voicecoach (.*)", last.failure)[1]
    assert shlex.split(command) == ["train", "--voice", str(moved)]
    assert read_stored_stop(moved / "text2mel").point.step == 500_000
    assert training.end(training.start(moved, "+1")).step == last.step + 1


def test_a_deleted_voice_ends_its_run_and_stays_deleted(voice, training, tmp_path):
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    session = training.start(voice, mirror=str(mirror), checkpoint_every=5)
    training.until(session, lambda s: s.mirror is not None and s.mirror.safe_step)
    # A file that the run makes while its folder is emptied is removed at the next try.
    remove = ["rm", "-rf", voice.folder]
    wait_until(
        lambda: subprocess.run(remove, check=False).returncode == 0, "the folder to be removed"
    )
    last = training.end(session)
    assert not voice.folder.exists()
    assert f"{voice.folder} was deleted" in last.failure
    assert f"ended at step {last.step:,} and could save nothing more" in last.failure
    assert f"the mirror {last.mirror.address} has step {last.mirror.safe_step:,}" in last.failure
    assert not any("for 120 s at most" in text for text in training.texts(last))


def test_another_voice_in_the_old_place_is_left_alone(voice, make_voice, training):
    other = make_voice("bob", text2mel=7, base_step=7, price=2.0, checkpoint_every=10**6)
    first = training.start(voice, checkpoint_every=5)
    training.until(first, lambda s: s.step > 20)
    moved = move(voice.folder)
    other.folder.rename(voice.folder)
    second = training.start(voice.folder)
    assert_saved(moved, training.end(first))
    reached = training.until(second, lambda s: s.step > 20).step
    training.until(second, lambda s: s.step > reached + 10)
    assert holder_of(voice.folder)
    second.send(Finish())
    assert_saved(voice.folder, training.end(second))
    assert [len(steps(voice.folder)), steps(voice.folder)[0]] == [2, 7]
    for folder, price in ((moved, 1.0), (voice.folder, 2.0)):
        assert {entry.price for entry in Voice.open(folder).spend.entries} == {price}


@pytest.mark.parametrize(
    ("changes", "expected"),
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
def test_the_failure_names_what_was_saved(voice, changes, expected):
    lock = acquire_lock(voice.folder)
    first = Snapshot(Phase.TRAINING, "alice", voice.folder, "text2mel", "small", "standard")
    watch = FolderWatch(lock, Publisher(replace(first, **changes)), Inbox(), lambda folder: None)
    moved = move(voice.folder)
    assert str(watch.failure()).endswith(expected.format(moved))
    lock.release()


@pytest.mark.parametrize("replaced", [False, True])
def test_a_voice_moved_before_its_first_step_ends_there(
    voice, training, monkeypatch, tmp_path, replaced
):
    def prepare(*arguments, original=setup.prepare):
        move(voice.folder)
        if replaced:
            voice.folder.mkdir()
            (voice.folder / "theirs").touch()
            raise InputError("these recordings cannot be used")
        return original(*arguments)

    monkeypatch.setattr("engine.training.setup.prepare", prepare)
    last = training.end(training.start(voice))
    assert f"{voice.folder} was moved to {tmp_path / 'moved'}" in last.failure
    assert (tmp_path / "moved" / "voice.toml").exists()
    assert not (tmp_path / "moved" / "socket").exists()
    left = [path.name for path in voice.folder.iterdir()] if voice.folder.exists() else []
    assert left == ["theirs"] * replaced


def test_a_removed_socket_and_lock_are_made_again(voice, training):
    session = training.start(voice, None, attended=True)
    training.until(session, lambda s: s.step > 5)
    screen = RemoteSession(voice.folder)
    (voice.folder / "socket").unlink()
    wait_until(lambda: ask_status(voice.folder, 10), "the socket")
    (voice.folder / "lock").unlink()
    wait_until(lambda: holder_of(voice.folder), "the lock")
    with pytest.raises(InputError):
        training.start(voice)
    training.until(session, lambda s: any("the lock file of" in t for t in training.texts(s)))
    # Whoever was attached before still is.
    screen.send(Finish())
    assert training.end(session).phase is Phase.STOPPED
    assert screen.join(20)
    assert screen.ended_in_sight
    assert not (voice.folder / "socket").exists()
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


def test_a_question_about_the_corpus_ends_with_its_voice(make_voice, training, tmp_path, speech):
    recordings = Path(shutil.copytree(speech, tmp_path / "recordings"))
    with (recordings / "metadata.csv").open("a", encoding="utf-8") as metadata:
        metadata.write("LJ001-9999|nobody recorded this|nobody recorded this\n")
    voice = make_voice(dataset=recordings)
    session = training.start(voice, attended=True)
    training.until(session, lambda s: s.phase is Phase.CHECKED)
    moved = move(voice.folder)
    assert str(moved) in training.end(session).failure
    assert not voice.folder.exists()


def test_a_voice_that_is_soon_back_trains_on(voice, training, monkeypatch):
    monkeypatch.setattr(folder_watch, "_POLL_SECONDS", 1.0)
    session = training.start(voice, None, attended=True)
    training.until(session, lambda s: s.step > 5)
    # One check finds it away, the next finds it back.
    moved = move(voice.folder)
    training.until(session, lambda s: s.voice_folder == moved)
    moved.rename(voice.folder)
    training.until(session, lambda s: s.voice_folder == voice.folder)
    session.send(Finish())
    assert training.end(session).phase is Phase.STOPPED
    assert session.error is None


def test_a_voice_that_is_back_too_late_says_why_its_run_ended(voice, training):
    session = training.start(voice, None, attended=True)
    training.until(session, lambda s: s.step > 5)
    moved = move(voice.folder)
    training.until(session, lambda s: any("ending the run" in event.text for event in s.events))
    moved.rename(voice.folder)
    last = training.end(session)
    assert last.phase is Phase.FAILED
    assert f"{voice.folder} was moved to {moved} and back during training" in last.failure
    assert last.failure.endswith(f"to continue: voicecoach train --voice {voice.folder}")
    assert steps(voice.folder)[-1] == last.step


def test_a_copied_voice_is_no_moved_one(voice, tmp_path):
    lock = acquire_lock(voice.folder)
    copy = Path(shutil.copytree(voice.folder, tmp_path / "copy"))
    assert lock.find() == voice.folder
    moved = move(voice.folder)
    copy.rename(voice.folder)
    assert lock.find() == moved
    # The copy has a lock of its own, which nobody holds.
    acquire_lock(voice.folder).release()
    lock.release()
