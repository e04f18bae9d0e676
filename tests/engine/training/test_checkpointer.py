"""Disks that are full, read-only or slow: training goes on, the screen says so, nothing is lost."""

import errno
import json
import os
import re
import threading
import time

import pytest
from saved import steps

from engine.checkpoints import tensor_file
from engine.checkpoints.checkpoint import load_checkpoint
from engine.errors import EngineError
from engine.files import append_line
from engine.machine.lock import FolderLostError
from engine.run.commands import Finish, SaveCheckpoint
from engine.run.snapshot import Phase
from engine.training import checkpoint_writer
from engine.training.checkpoint_writer import CheckpointWriter
from engine.training.checkpointer import Checkpointer
from engine.voice import history, spend

pytestmark = pytest.mark.slow


@pytest.fixture
def impatient(monkeypatch):
    """Retry at once, and give up at once at the end."""
    monkeypatch.setattr("engine.training.checkpointer.RETRY_SECONDS", (0.0,))
    monkeypatch.setattr("engine.training.checkpointer.END_SECONDS", -1.0)


class Disk:
    """Stands between the writer of tensors and the system; fails with `error`, if there is one."""

    def __init__(self, monkeypatch):
        self.error = None
        write = os.write

        def write_or_refuse(descriptor, content):
            if self.error is not None:
                raise OSError(self.error, os.strerror(self.error))
            return write(descriptor, content)

        monkeypatch.setattr(tensor_file.os, "write", write_or_refuse)


@pytest.fixture
def disk(monkeypatch):
    return Disk(monkeypatch)


class HangingSave:
    """A disk that takes no checkpoint until it is released."""

    def __init__(self, monkeypatch):
        self.released = threading.Event()
        save = checkpoint_writer.save_checkpoint

        def hang(checkpoint, target):
            assert self.released.wait(300)
            save(checkpoint, target)

        monkeypatch.setattr(checkpoint_writer, "save_checkpoint", hang)
        monkeypatch.setattr("engine.training.checkpointer._SLOW_SECONDS", 0.0)
        monkeypatch.setattr("engine.training.checkpointer._CHECK_SECONDS", 0.01)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("error", "remedy"), [(errno.ENOSPC, "free some space"), (errno.EROFS, "make that folder")]
)
def test_training_goes_on_while_the_disk_refuses(make_voice, training, disk, error, remedy):
    voice = make_voice()
    disk.error = error
    session = training.start(voice, attended=True, checkpoint_every=3)
    snapshot = training.until(session, lambda s: s.saving_trouble and s.step > 20)
    assert os.strerror(error) in snapshot.saving_trouble
    assert remedy in snapshot.saving_trouble
    assert (snapshot.phase, snapshot.checkpoint_step) == (Phase.TRAINING, 0)
    assert steps(voice) == [0]
    disk.error = None
    snapshot = training.until(session, lambda s: s.checkpoint_step)
    assert snapshot.saving_trouble == ""
    events = training.texts(snapshot)
    # Reported once, however often it was retried.
    assert sum(os.strerror(error) in text for text in events) == 1
    [told] = snapshot.notices
    assert (told.kind, os.strerror(error) in told.text) == ("disk", True)
    assert any("saved after failed attempts" in text for text in events)
    session.send(Finish())
    assert training.end(session).saved
    load_checkpoint(voice.newest("text2mel").path)
    folder = voice.folder / "text2mel" / "checkpoints"
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_a_slow_disk_delays_no_step_and_is_reported(make_voice, training, monkeypatch):
    voice = make_voice()
    disk = HangingSave(monkeypatch)
    session = training.start(voice, attended=True, checkpoint_every=3)
    snapshot = training.until(
        session, lambda s: s.step > 20 and "checkpoint of step 3" in s.saving_trouble
    )
    assert (snapshot.saving_step, snapshot.checkpoint_step) == (3, 0)
    assert "the disk is slow" in snapshot.saving_trouble
    # Every write is slow here.
    assert {one.kind for one in snapshot.notices} == {"disk"}
    disk.released.set()
    # What fell due meanwhile is made of a later step, once.
    training.until(session, lambda s: (s.checkpoint_step or 0) > 20)
    assert 6 not in steps(voice)
    session.send(Finish())
    assert training.end(session).saved


@pytest.fixture
def hanging_lines(monkeypatch):
    """Hold every line of the spend and of the history until the returned event is set."""
    released = threading.Event()

    def append(path, line, *, sync=False):
        assert released.wait(300)
        append_line(path, line, sync=sync)

    for module in (spend, history):
        monkeypatch.setattr(module, "append_line", append)
    monkeypatch.setattr("engine.training.checkpointer._SLOW_SECONDS", 0.0)
    return released


def test_a_disk_that_hangs_loses_no_line(make_voice, training, monkeypatch, hanging_lines):
    voice = make_voice(price=3600.0)
    # A spend entry falls due at every step.
    monkeypatch.setattr("engine.training.cost._MAX_OPEN_SECONDS", 0.0)
    session = training.start(voice, attended=True)
    snapshot = training.until(session, lambda s: s.step > 30 and s.saving_trouble)
    assert re.search(r"disk is slow: writing the .*(spend|history).* has", snapshot.saving_trouble)
    # A checkpoint is good only where the history up to it is safe.
    session.send(SaveCheckpoint())
    saving = training.until(session, lambda s: s.saving_step)
    snapshot = training.until(session, lambda s: s.step > saving.step + 10)
    assert (snapshot.saving_step, snapshot.checkpoint_step) == (saving.saving_step, 0)
    assert not voice.history("text2mel").exists()
    assert voice.spend.entries == []
    hanging_lines.set()
    training.until(session, lambda s: s.checkpoint_step == saving.saving_step)
    session.send(Finish())
    snapshot = training.end(session)
    logged = [json.loads(line)["step"] for line in voice.history("text2mel").open()]
    assert logged == list(range(10, snapshot.step + 1, 10))
    entries = [s for s in voice.spend.entries if s.kind == "training"]
    assert [s.first_step for s in entries] == [0, *(s.last_step for s in entries[:-1])]
    assert entries[-1].last_step == snapshot.step
    # A dollar a second; a millisecond is worth no line.
    assert voice.spend.usd == pytest.approx(snapshot.spent, abs=2e-3)


@pytest.mark.parametrize("given_up", [False, True])
def test_the_end_waits_for_room_or_a_person(make_voice, training, monkeypatch, disk, given_up):
    voice = make_voice()
    if not given_up:
        monkeypatch.setattr("engine.training.checkpointer.RETRY_SECONDS", (0.01,))
    disk.error = errno.ENOSPC
    session = training.start(voice, "4")
    snapshot = training.until(session, lambda s: s.end_waits_for and s.saving_trouble)
    assert (snapshot.phase, snapshot.end_waits_for) == (Phase.STOPPING, "disk")
    assert snapshot.unsaved == 4
    # Two minutes are to come.
    assert snapshot.end_waits_until > time.time() + 30
    if given_up:
        session.hurry()
    else:
        disk.error = None
    last = training.end(session)
    if not given_up:
        assert (last.phase, steps(voice)) == (Phase.STOPPED, [0, 4])
        return
    assert (last.phase, last.end_waits_for, steps(voice)) == (Phase.FAILED, "", [0])
    assert os.strerror(errno.ENOSPC) in last.failure
    assert "4 steps since checkpoint 0 are lost." in last.failure


def test_a_folder_lost_at_the_end_is_waited_for_no_longer(make_voice, training, monkeypatch):
    monkeypatch.setattr("engine.training.checkpointer.RETRY_SECONDS", (0.01,))
    failures = [EngineError("The disk is full.")]
    waits = []

    def fail(*_):
        waits.append(session.snapshot().end_waits_for)
        raise failures.pop() if failures else FolderLostError("The folder is gone.")

    monkeypatch.setattr(checkpoint_writer, "save_checkpoint", fail)
    session = training.start(make_voice(), attended=True)
    training.until(session, lambda s: s.step > 3)
    session.send(Finish())
    last = training.end(session)
    assert waits[:2] == ["", "disk"]
    assert (last.phase, last.end_waits_for) == (Phase.FAILED, "")
    assert "The folder is gone." in last.failure


@pytest.mark.usefixtures("impatient")
def test_a_step_whose_fate_is_unknown_is_not_taken_as_saved(make_voice, training, monkeypatch):
    voice = make_voice()
    write, lost = CheckpointWriter._write, [True]

    def no_memory_to_say_how_it_went(writer):
        if lost:
            raise MemoryError
        write(writer)

    monkeypatch.setattr(CheckpointWriter, "_write", no_memory_to_say_how_it_went)
    last = training.end(training.start(voice, "4"))
    assert (last.phase, steps(voice)) == (Phase.FAILED, [0])
    assert "The checkpoint of step 4 was not written" in last.failure
    assert "4 steps since checkpoint 0 are lost." in last.failure
    # Nor is the stop forgotten, nor the next one held up.
    session = training.start(voice, checkpoint_every=3, attended=True)
    training.until(session, lambda s: "was not written" in s.saving_trouble)
    lost.clear()
    assert training.until(session, lambda s: s.checkpoint_step).saving_trouble == ""
    session.send(Finish())
    assert training.end(session).step == 4


def test_a_removed_voice_toml_is_written_again(make_voice, training):
    voice = make_voice(price=1.0)
    # Minutes make a checkpoint due whatever the step.
    session = training.start(voice, attended=True, checkpoint_minutes=0.0001)
    assert training.until(session, lambda s: s.checkpoint_step).checkpoint_step < 1000
    (voice.folder / "voice.toml").rename(voice.folder / "elsewhere.toml")
    training.until(session, lambda s: any("lost its voice.toml" in t for t in training.texts(s)))
    session.send(Finish())
    last = training.end(session)
    assert (last.phase, last.failure) == (Phase.STOPPED, "")
    assert steps(voice)[-1] == last.step
    again = training.end(training.start(voice, "+1"))
    assert (again.failure, again.step) == ("", last.step + 1)


def test_waiting_for_the_last_checkpoint_is_not_training(make_voice, training, monkeypatch):
    save = Checkpointer.save
    counted = []

    def watched(checkpointer, *given):
        # A clock that runs is never twice at the same place.
        counted.extend(checkpointer._cost.run_training_seconds for _ in range(2))
        return save(checkpointer, *given)

    monkeypatch.setattr(Checkpointer, "save", watched)
    session = training.start(make_voice())
    training.until(session, lambda snapshot: snapshot.step > 3)
    session.send(Finish())
    snapshot = training.end(session)
    assert counted[0] == counted[1] == snapshot.voice_seconds > 0
