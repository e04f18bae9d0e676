"""The writer beside the steps: what is told of a checkpoint, and what is never removed."""

from dataclasses import replace

import pytest
import torch

from engine.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from engine.checkpoints.retention import remove_superseded
from engine.errors import EngineError
from engine.training.checkpoint_writer import CheckpointWriter, StateCopy
from engine.training.finite import all_finite


def written(writer, checkpoint):
    writer.begin(checkpoint, lambda: None)
    assert writer.busy
    writer.wait()
    outcome = writer.take_outcome()
    assert not writer.busy
    return outcome


@pytest.fixture
def voice(make_voice):
    return make_voice(text2mel=3, base_step=3, keep_newest=2, keep_every=10)


@pytest.fixture
def checkpoint(voice):
    return load_checkpoint(voice.newest("text2mel").path)


def test_who_asked_is_told_of_a_checkpoint_that_is_whole(voice, checkpoint):
    told = []

    def fail(folder):
        raise RuntimeError("somebody else's trouble")

    def look(folder):
        told.append((folder.name, load_checkpoint(folder).step))

    writer = CheckpointWriter(voice, "text2mel", 3, (fail, look), ())
    assert written(writer, replace(checkpoint, step=4)).failure is None
    assert told == [("step-000000004", 4)]


def test_nobody_is_told_of_one_that_failed(voice, checkpoint, monkeypatch):
    told = []
    writer = CheckpointWriter(voice, "text2mel", 3, (told.append,), ())

    def break_off(*_):
        raise MemoryError("no more")

    monkeypatch.setattr("engine.checkpoints.checkpoint.write_tensors", break_off)
    outcome = written(writer, replace(checkpoint, step=4))
    assert "step-000000004 cannot be written: MemoryError: no more" in str(outcome.failure)
    assert told == []
    assert [entry.step for entry in voice.checkpoints("text2mel")] == [3]


def test_the_folders_of_a_first_checkpoint_are_made_safe_with_it(tmp_path, checkpoint, monkeypatch):
    safe = []
    monkeypatch.setattr("engine.files.fsync", safe.append)
    save_checkpoint(checkpoint, tmp_path / "text2mel" / "checkpoints" / "step-000000004")
    assert safe == [tmp_path, tmp_path / "text2mel"]


def test_where_no_thread_can_begin_it_is_written_all_the_same(voice, checkpoint, monkeypatch):
    def refuse(_):
        raise RuntimeError("can't start new thread")

    writer = CheckpointWriter(voice, "text2mel", 3, (), ())
    with monkeypatch.context() as patch:
        patch.setattr("threading.Thread.start", refuse)
        assert written(writer, replace(checkpoint, step=4)).failure is None
    assert written(writer, replace(checkpoint, step=5)).failure is None
    assert [entry.step for entry in voice.checkpoints("text2mel")] == [3, 4, 5]


def test_what_has_to_be_safe_before_a_checkpoint_is_tried_before(voice, checkpoint):
    there = []

    def refuse():
        raise EngineError("history.jsonl cannot be written")

    def look():
        there.append([entry.step for entry in voice.checkpoints("text2mel")])

    writer = CheckpointWriter(voice, "text2mel", 3, (), (refuse, look))
    assert written(writer, replace(checkpoint, step=4)).failure is None
    assert there == [[3]]


def test_what_the_disk_gives_back_otherwise_is_not_a_checkpoint(voice, checkpoint, monkeypatch):
    monkeypatch.setattr("engine.checkpoints.checkpoint.sha256_of", lambda path, **_: "0" * 64)
    writer = CheckpointWriter(voice, "text2mel", 3, (), ())
    outcome = written(writer, replace(checkpoint, step=4))
    assert "reading weights.safetensors back gives other content" in str(outcome.failure)
    assert [entry.step for entry in voice.checkpoints("text2mel")] == [3]


def test_one_that_came_late_is_kept_for_its_multiple(voice, checkpoint):
    for step in (9, 12, 15, 18, 23, 25, 27):
        save_checkpoint(replace(checkpoint, step=step), voice.checkpoint_folder("text2mel", step))
    remove_superseded(voice, "text2mel", base_step=3)
    # The base, the first from 10 and from 20 on, and the newest two.
    assert [entry.step for entry in voice.checkpoints("text2mel")] == [3, 12, 23, 25, 27]


def test_the_one_just_saved_is_kept_though_later_steps_were_saved_before(voice, checkpoint):
    for step in (4, 5, 6, 7):
        save_checkpoint(replace(checkpoint, step=step), voice.checkpoint_folder("text2mel", step))
    remove_superseded(voice, "text2mel", base_step=3, saved=4)
    assert [entry.step for entry in voice.checkpoints("text2mel")] == [3, 4, 6, 7]


def test_a_copy_stays_as_it_is_and_takes_no_more_memory():
    from engine.networks.specs import Text2MelSpec
    from engine.training.learner import Learner
    from engine.training.recipe import recipe_named

    learner = Learner(
        Text2MelSpec(34, n_mels=6, embedding=4, hidden=4),
        recipe_named("standard"),
        device=torch.device("cpu"),
        precision=torch.float32,
        seed=1,
    )
    copy = StateCopy(learner)
    size = copy.bytes
    first, _ = copy.take()
    name, weight = next(iter(learner.live_state()["weights"].items()))
    before = weight.clone()
    with torch.no_grad():
        weight.add_(1)
    assert torch.equal(first["weights"][name], before)
    second, _ = copy.take()
    assert second["weights"][name] is first["weights"][name]
    assert torch.equal(second["weights"][name], before + 1)
    assert copy.bytes == size


def test_a_host_that_pins_no_memory_is_no_reason_not_to_train(monkeypatch, caplog):
    from engine.networks.specs import Text2MelSpec
    from engine.training.learner import Learner
    from engine.training.recipe import recipe_named

    learner = Learner(
        Text2MelSpec(34, n_mels=6, embedding=4, hidden=4),
        recipe_named("standard"),
        device=torch.device("cpu"),
        precision=torch.float32,
        seed=1,
    )
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


@pytest.mark.parametrize("sick", [float("nan"), float("inf"), -float("inf")])
def test_a_single_number_that_is_not_finite_is_found(sick):
    tensors = [torch.randn(50), torch.randn(3, 4)]
    assert all_finite(tensors)
    tensors[1][2, 1] = sick
    assert not all_finite(tensors)
