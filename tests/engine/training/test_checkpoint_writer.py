"""Writing checkpoints in the background: what is announced, and what is removed."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from saved import steps

from engine.advice.best import best_steps, recommend
from engine.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from engine.checkpoints.retention import remove_superseded
from engine.errors import EngineError
from engine.networks.specs import Text2MelSpec
from engine.run.recipe import recipe_named
from engine.training.checkpoint_writer import CheckpointWriter, StateCopy
from engine.training.learner import Learner
from engine.voice.comparisons import Comparison, append_comparison


@pytest.fixture
def voice(make_voice):
    return make_voice(text2mel=3, base_step=3, keep_newest=2, keep_every=10)


@pytest.fixture
def checkpoint(voice):
    return load_checkpoint(voice.newest("text2mel").path)


@pytest.fixture
def write(voice, checkpoint):
    """Write a checkpoint of step 4 or another; return why it failed, if it did."""

    def write(step=4, on_saved=lambda folder: None, before_write=()):
        writer = CheckpointWriter(voice, "text2mel", 3, (on_saved,), before_write)
        writer.begin(replace(checkpoint, step=step), lambda: None)
        writer.thread.wait()
        assert (writer.take_ended(), writer.take_ended()) == (step, None)
        return writer.failure

    return write


def test_a_whole_checkpoint_is_announced(write):
    announced = []

    def load(folder):
        announced.append((folder.name, load_checkpoint(folder).step))
        raise RuntimeError("a bug elsewhere")

    assert write(on_saved=load) is None
    assert announced == [("step-000000004", 4)]


def test_a_failed_checkpoint_is_not_announced(voice, write, monkeypatch):
    announced = []

    def break_off(*_):
        raise MemoryError("no more")

    monkeypatch.setattr("engine.checkpoints.checkpoint.write_tensors", break_off)
    failure = write(on_saved=announced.append)
    assert "step-000000004 cannot be written: MemoryError: no more" in str(failure)
    assert announced == []
    assert steps(voice) == [3]


def test_what_the_disk_gives_back_changed_is_no_checkpoint(voice, write, monkeypatch):
    monkeypatch.setattr("engine.checkpoints.checkpoint.sha256_of", lambda path, **_: "0" * 64)
    assert write() is not None
    assert steps(voice) == [3]


def test_without_a_thread_it_is_written_all_the_same(voice, write, monkeypatch):
    def refuse(_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr("threading.Thread.start", refuse)
        assert write(4) is None
    assert write(5) is None
    assert steps(voice) == [3, 4, 5]


def test_history_and_spend_are_made_safe_first(voice, write):
    before = []

    def refuse():
        raise EngineError("history.jsonl cannot be written")

    assert write(before_write=(refuse, lambda: before.append(steps(voice)))) is None
    assert before == [[3]]


@pytest.mark.parametrize(
    ("saved", "newest", "kept"),
    [
        # The base, the first from 10 and from 20 on, and the newest two.
        ((9, 12, 15, 18, 23, 25, 27), None, [3, 12, 23, 25, 27]),
        # The one just saved, though later steps were saved before a rollback.
        ((4, 5, 6, 7), 4, [3, 4, 6, 7]),
    ],
)
def test_old_checkpoints_are_removed(voice, checkpoint, saved, newest, kept):
    for step in saved:
        save_checkpoint(replace(checkpoint, step=step), voice.checkpoint_folder("text2mel", step))
    remove_superseded(voice, "text2mel", base_step=3, keep=(newest,))
    assert steps(voice) == kept


def test_the_best_is_never_removed(voice, write):
    """Neither by held-out loss nor by what a person preferred, and that is to be exported."""
    losses = {4: 0.9, 5: 0.3, 6: 0.5, 7: 0.6, 8: 0.7}
    lines = [f'{{"step":{step},"loss":1.0,"held_out":{loss}}}' for step, loss in losses.items()]
    voice.history("text2mel").write_text("\n".join(lines))
    for when in range(6):
        names = ("text2mel-4.wav", "text2mel-5.wav")
        append_comparison(voice, Comparison(when, "text2mel", 4, 5, "a", "Hello.", names))
    for step in losses:
        assert write(step) is None
    assert steps(voice) == [3, 4, 5, 7, 8]
    assert best_steps(voice, "text2mel") == {5, 4}
    advised = recommend(voice, "text2mel")
    assert advised.step == 4
    assert "4 wins: better than 5 in 6 of 6 answers" in advised.reasons[0]
    assert "the lowest is 0.3000 at 5" in advised.reasons[1]


@pytest.mark.slow
@pytest.mark.usefixtures("written_at_once")
def test_one_that_cannot_be_removed_keeps_no_other(make_voice, training, make_unremovable):
    voice = make_voice(keep_newest=1)
    training.end(training.start(voice, "2"))
    folder = voice.folder / "text2mel" / "checkpoints"
    make_unremovable(folder / "step-000000002" / "weights.safetensors")
    snapshot = training.end(training.start(voice, "10", checkpoint_every=2))
    assert steps(voice) == [0, 10]
    # Reported once, though it was retried after every checkpoint.
    [text] = [text for text in training.texts(snapshot) if "cannot be removed" in text]
    hidden = folder / ".step-000000002.removed"
    assert str(hidden) in text
    assert "delete by hand" in text
    assert [path.name for path in hidden.iterdir()] == ["weights.safetensors"]


def refuse_renames(monkeypatch, prefix):
    """Be overlayfs, asked to rename folders of a lower layer."""
    rename = Path.rename

    def refuse(path, target):
        if path.name.startswith(prefix):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)


@pytest.mark.slow
@pytest.mark.usefixtures("written_at_once")
def test_checkpoints_that_cannot_be_renamed_are_removed(make_voice, training, monkeypatch):
    voice = make_voice(keep_newest=1)
    refuse_renames(monkeypatch, "step-")
    snapshot = training.end(training.start(voice, "8", checkpoint_every=2))
    names = {path.name for path in (voice.folder / "text2mel" / "checkpoints").iterdir()}
    assert names == {"step-000000000", "step-000000008"}
    assert not any("cannot be removed" in text for text in training.texts(snapshot))


@pytest.fixture
def learner():
    return Learner(
        Text2MelSpec(34, n_mels=6, embedding=4, hidden=4),
        recipe_named("standard"),
        device=torch.device("cpu"),
        precision=torch.float32,
        seed=1,
    )


def test_a_copy_does_not_change_and_takes_no_more_memory(learner):
    copy = StateCopy(learner)
    size = copy.bytes
    first, _ = copy.take()
    name, weight = next(iter(learner.live_state()["weights"].items()))
    before = weight.clone()
    with torch.no_grad():
        weight.add_(1)
    assert torch.equal(first["weights"][name], before)
    second, _ = copy.take()
    assert second["weights"][name].data_ptr() == first["weights"][name].data_ptr()
    assert torch.equal(second["weights"][name], before + 1)
    assert copy.bytes == size


def test_a_host_without_pinned_memory_trains_all_the_same(learner, monkeypatch, caplog):
    weights = sum(weight.nbytes for weight in learner.live_state()["weights"].values())
    empty = torch.empty

    def refuse(*sizes, pin_memory=False, **settings):
        if pin_memory:
            raise RuntimeError("CUDA error: out of memory")
        return empty(*sizes, **settings)

    monkeypatch.setattr(torch, "empty", refuse)
    monkeypatch.setattr(learner, "device", torch.device("cuda:0"))
    copy = StateCopy(learner)
    assert not copy.pinned
    assert copy.bytes >= 3 * weights
    assert "no pinned memory" in caplog.text
