"""What goes wrong in the middle of a run, and what is left of it."""

import errno
import os
from pathlib import Path

import pytest
import torch

from engine.checkpoints import checkpoint as checkpoints
from engine.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from engine.errors import EngineError, InputError
from engine.run.commands import Finish, SaveCheckpoint
from engine.run.snapshot import Phase
from engine.training.learner import Learner


def steps(voice, network="text2mel"):
    return [entry.step for entry in voice.checkpoints(network)]


def at_stop(snapshot):
    return snapshot.phase is Phase.AT_STOP


def test_weights_that_are_no_numbers_lead_to_an_end_where_no_checkpoint_is_sound(
    make_voice, training
):
    voice = make_voice(text2mel=20)
    path = voice.newest("text2mel").path
    sick = load_checkpoint(path)
    sick.weights["audio_decoder.layers.0.convolution.bias"][3] = float("nan")
    save_checkpoint(sick, path)
    session = training.start(voice, "+100")
    snapshot = training.end(session)
    assert snapshot.phase is Phase.FAILED
    assert isinstance(session.error, EngineError)
    assert snapshot.step == 30  # where it is noticed first
    assert "not finite" in snapshot.failure
    assert "step-000000020" in snapshot.failure
    assert steps(voice) == [20]


def test_weights_that_are_no_numbers_are_never_saved(
    make_voice, training, monkeypatch, written_at_once
):
    voice = make_voice()
    make_step = Learner.step

    def diverge(learner, batch, step):
        parts = make_step(learner, batch, step)
        if step == 4 and not learner.recovery.salt:
            with torch.no_grad():
                next(learner.network.parameters())[0] = float("inf")
        return parts

    monkeypatch.setattr(Learner, "step", diverge)
    snapshot = training.end(training.start(voice, "6", checkpoint_every=2))
    assert snapshot.phase is Phase.STOPPED
    [told] = [text for text in training.texts(snapshot) if "diverged" in text]
    assert "at step 4: weights are not finite; rolled back to 2," in told
    assert (steps(voice)[0], steps(voice)[-1]) == (0, 6)
    for entry in voice.checkpoints("text2mel"):
        weights = load_checkpoint(entry.path).weights
        assert all(tensor.isfinite().all() for tensor in weights.values())


def test_a_run_that_is_sick_at_its_stop_goes_back_and_arrives_there_again(
    make_voice, training, monkeypatch, written_at_once
):
    voice = make_voice()
    make_step = Learner.step

    def diverge(learner, batch, step):
        parts = make_step(learner, batch, step)
        if step == 5 and not learner.recovery.salt:
            with torch.no_grad():
                next(learner.network.parameters())[0] = float("inf")
        return parts

    monkeypatch.setattr(Learner, "step", diverge)
    snapshot = training.end(training.start(voice, "5", checkpoint_every=2))
    assert (snapshot.phase, snapshot.step, snapshot.rollbacks) == (Phase.STOPPED, 5, 1)
    assert steps(voice)[-1] == 5
    reached = [text for text in training.texts(snapshot) if "reached the stop" in text]
    assert reached == 2 * ["reached the stop at step 5"]


def test_a_fault_in_the_middle_saves_what_was_learned(make_voice, training, monkeypatch):
    voice = make_voice()
    make_step = Learner.step

    def break_off(learner, batch, step=6):
        if step == 6:
            # What is drawn beside a checkpoint cannot be computed any more either.
            monkeypatch.setattr(Learner, "evaluate", break_off)
            raise RuntimeError("the device fell off")
        return make_step(learner, batch, step)

    monkeypatch.setattr(Learner, "step", break_off)
    session = training.start(voice, "+20")
    snapshot = training.end(session)
    assert snapshot.phase is Phase.FAILED
    assert "the device fell off" in snapshot.failure
    told = training.texts(snapshot)
    assert "saved before ending with RuntimeError" in told
    assert not any("cannot be saved" in text for text in told)
    assert isinstance(session.error, RuntimeError)
    assert steps(voice) == [0, 5]
    assert (snapshot.step, snapshot.checkpoint_step) == (5, 5)
    monkeypatch.undo()
    assert training.end(training.start(voice, "+1")).step == 6


@pytest.mark.parametrize("work", ["step", "evaluate"])
def test_too_little_memory_is_told_in_a_sentence(make_voice, training, monkeypatch, work):
    def too_much(*_):
        raise torch.OutOfMemoryError("tried to allocate 20 GiB")

    monkeypatch.setattr(Learner, work, too_much)
    session = training.start(make_voice(), "+2")
    snapshot = training.end(session)
    assert isinstance(session.error, EngineError)
    assert "--preset small" in snapshot.failure


@pytest.mark.usefixtures("written_at_once")
def test_a_checkpoint_that_cannot_be_written_is_told_and_training_goes_on(
    make_voice, training, monkeypatch
):
    voice = make_voice()
    save = checkpoints.save_checkpoint

    def full_until(step):
        def save_or_fail(checkpoint, target):
            if checkpoint.step < step:
                raise EngineError("No space left on device")
            save(checkpoint, target)

        # What fails is tried again at the next step, and not for long at the end.
        monkeypatch.setattr("engine.training.checkpointer.RETRY_SECONDS", (0.0,))
        monkeypatch.setattr("engine.training.checkpointer.END_SECONDS", -1.0)
        monkeypatch.setattr("engine.training.checkpoint_writer.save_checkpoint", save_or_fail)

    full_until(6)
    snapshot = training.end(training.start(voice, "8", checkpoint_every=2))
    assert snapshot.phase is Phase.STOPPED
    told = training.texts(snapshot)
    # Told once, however often it was tried.
    assert told.count("No space left on device") == 1
    assert "checkpoint 6 saved after failed attempts" in told
    assert snapshot.saving_trouble == ""
    assert steps(voice) == [0, 6, 8]

    full_until(100)
    session = training.start(voice, "10")
    snapshot = training.end(session)
    assert snapshot.phase is Phase.FAILED
    assert isinstance(session.error, EngineError)
    assert steps(voice) == [0, 6, 8]


def test_a_stop_that_cannot_be_saved_waits_for_space_beside_a_screen(
    make_voice, training, monkeypatch
):
    voice = make_voice()

    def full(checkpoint, target):
        raise EngineError("No space left on device")

    monkeypatch.setattr("engine.training.checkpoint_writer.save_checkpoint", full)
    session = training.start(voice, "3", attended=True)
    snapshot = training.until(session, at_stop)
    assert snapshot.checkpoint_step == 0
    monkeypatch.undo()
    session.send(SaveCheckpoint())
    training.until(session, lambda s: s.checkpoint_step == 3)
    session.send(Finish())
    assert training.end(session).phase is Phase.STOPPED
    assert steps(voice) == [0, 3]


def test_files_that_only_tell_cannot_end_a_run(make_voice, training):
    """Spend, history, report of the corpus and the removal of old checkpoints, all in the way."""
    voice = make_voice(keep_newest=1, keep_every=100)
    session = training.start(voice, "3", attended=True)
    training.until(session, at_stop)
    voice.history("text2mel").unlink(missing_ok=True)
    voice.history("text2mel").mkdir()
    (voice.folder / "spend.jsonl").unlink()
    (voice.folder / "spend.jsonl").mkdir()
    session.send(Finish())
    training.end(session)
    # The ledger and the history are needed to begin; in the middle they are not.
    (voice.folder / "spend.jsonl").rmdir()
    voice.history("text2mel").rmdir()
    voice.corpus_report.unlink()
    voice.corpus_report.mkdir()
    session = training.start(voice, "5", attended=True)
    training.until(session, at_stop)
    voice.history("text2mel").mkdir()
    (voice.folder / "spend.jsonl").unlink()
    (voice.folder / "spend.jsonl").mkdir()
    from engine.run.commands import StopAt
    from engine.run.stop import parse_stop

    session.send(StopAt(parse_stop("25")))
    snapshot = training.until(
        session,
        lambda s: (
            at_stop(s)
            and s.step == 25
            and any("spend.jsonl cannot be written" in text for text in training.texts(s))
            and any("history.jsonl cannot be written" in text for text in training.texts(s))
        ),
    )
    told = training.texts(snapshot)
    assert sum("history.jsonl cannot be written" in text for text in told) == 1
    assert any("corpus.json cannot be written" in text for text in told)
    (voice.folder / "spend.jsonl").rmdir()
    session.send(Finish())
    assert training.end(session).phase is Phase.STOPPED
    # What could not be written was kept for the next try.
    assert ("training", 5, 25) in [(s.kind, s.first_step, s.last_step) for s in voice.spend.entries]


@pytest.mark.usefixtures("written_at_once")
def test_an_old_checkpoint_that_cannot_be_removed_is_told(make_voice, training, monkeypatch):
    voice = make_voice(keep_newest=1)

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied", "step-000000002")

    monkeypatch.setattr("engine.training.checkpoint_writer.remove_superseded", refuse)
    snapshot = training.end(training.start(voice, "4", checkpoint_every=2))
    assert snapshot.phase is Phase.STOPPED
    assert any("cannot be removed" in text for text in training.texts(snapshot))
    assert steps(voice) == [0, 2, 4]


@pytest.mark.usefixtures("written_at_once")
def test_one_that_cannot_be_removed_keeps_no_other(make_voice, training, make_unremovable):
    voice = make_voice(keep_newest=1)
    training.end(training.start(voice, "2"))
    folder = voice.folder / "text2mel" / "checkpoints"
    make_unremovable(folder / "step-000000002" / "weights.safetensors")
    snapshot = training.end(training.start(voice, "10", checkpoint_every=2))
    assert steps(voice) == [0, 10]
    told = [text for text in training.texts(snapshot) if "cannot be removed" in text]
    # Told once, though it was tried again after every checkpoint.
    assert len(told) == 1
    assert str(folder / ".step-000000002.removed") in told[0]
    assert "delete by hand" in told[0]
    # Nothing of it is there but what refuses.
    assert [path.name for path in (folder / ".step-000000002.removed").iterdir()] == [
        "weights.safetensors"
    ]


@pytest.mark.usefixtures("written_at_once")
def test_checkpoints_that_cannot_be_renamed_are_removed(make_voice, training, monkeypatch):
    voice = make_voice(keep_newest=1)
    rename = Path.rename

    def refuse(path, target):
        """Be overlayfs, and asked to rename folders of a lower layer."""
        if path.name.startswith("step-"):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    snapshot = training.end(training.start(voice, "8", checkpoint_every=2))
    assert [path.name[-1] for path in (voice.folder / "text2mel" / "checkpoints").iterdir()] in (
        ["0", "8"],
        ["8", "0"],
    )
    assert not any("cannot be removed" in text for text in training.texts(snapshot))


@pytest.mark.usefixtures("written_at_once")
def test_a_removal_in_place_leaves_no_whole_checkpoint(
    make_voice, training, monkeypatch, make_unremovable
):
    voice = make_voice(keep_newest=1)
    training.end(training.start(voice, "2"))
    stuck = voice.newest("text2mel").path
    make_unremovable(stuck / "weights.safetensors")
    rename = Path.rename

    def refuse(path, target):
        if path == stuck:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    snapshot = training.end(training.start(voice, "6", checkpoint_every=2))
    told = [text for text in training.texts(snapshot) if "cannot be removed" in text]
    assert len(told) == 1
    assert str(stuck) in told[0]
    assert [path.name for path in stuck.iterdir()] == ["weights.safetensors"]
    assert steps(voice) == [0, 6]


def test_half_checkpoints_of_a_dead_process_are_swept(make_voice, training):
    voice = make_voice()
    half = voice.folder / "text2mel" / "checkpoints" / ".step-000000009.1.tmp"
    half.mkdir()
    (half / "state.json").write_text("{}")
    assert training.end(training.start(voice, "+1")).step == 1
    assert not half.exists()


def test_a_damaged_checkpoint_is_bad_input(make_voice, training):
    voice = make_voice()
    (voice.newest("text2mel").path / "weights.safetensors").write_bytes(b"nothing")
    session = training.start(voice, "+1")
    snapshot = training.end(session)
    assert isinstance(session.error, InputError)
    assert "step-000000000" in snapshot.failure
    assert voice.folder.is_dir()


def test_moments_that_were_lost_are_told(make_voice, training):
    voice = make_voice()
    training.end(training.start(voice, "3"))
    (voice.newest("text2mel").path / "optimizer.safetensors").unlink()
    snapshot = training.end(training.start(voice, "5"))
    assert snapshot.step == 5
    assert any("optimizer reset" in text for text in training.texts(snapshot))
    assert load_checkpoint(voice.newest("text2mel").path).optimizer_start_step == 3


def test_symbols_or_sound_that_the_weights_were_not_trained_with_are_refused(make_voice, training):
    voice = make_voice()
    path = voice.folder / "voice.toml"
    original = path.read_text()
    for old, new, word in (
        ("?,;", "?,;!", "symbols"),
        ("n_mels = 20", "n_mels = 24", "n_mels"),
    ):
        path.write_text(original.replace(old, new))
        session = training.start(voice, "+1")
        snapshot = training.end(session)
        assert isinstance(session.error, InputError)
        assert word in snapshot.failure
        assert steps(voice) == [0]
