"""Gradient accumulation where the memory is too small for a batch."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest
import torch

from engine.data.batches import Batch, BatchSource
from engine.machine.cloud.machine import Clock
from engine.machine.device import is_out_of_memory
from engine.machine.torchrun import Place
from engine.networks.specs import SSRNSpec, Text2MelSpec
from engine.run.commands import Audition
from engine.run.recipe import recipe_named
from engine.run.snapshot import Phase
from engine.training import spot
from engine.training.learner import Learner
from engine.training.rank_learner import RankLearner

TEXT2MEL = Text2MelSpec(34, n_mels=6, embedding=8, hidden=8, dropout=0.2)
SSRN = SSRNSpec(6, 9, hidden=8, dropout=0.2)
TEXT_LENGTHS = torch.tensor([9, 2, 7, 5, 3])
FRAME_LENGTHS = torch.tensor([12, 3, 10, 12, 5])


@pytest.fixture
def batch():
    """Five clips of very different lengths."""
    generator = torch.Generator().manual_seed(4)

    def padded(tensor, lengths):
        places = torch.arange(tensor.shape[1])
        mask = places[None, :] < lengths[:, None]
        return tensor * mask.view(*mask.shape, *([1] * (tensor.ndim - 2)))

    return Batch(
        padded(torch.randint(2, 34, (5, 9), generator=generator), TEXT_LENGTHS),
        TEXT_LENGTHS,
        padded(torch.rand(5, 12, 6, generator=generator), FRAME_LENGTHS),
        FRAME_LENGTHS,
        padded(torch.rand(5, 48, 9, generator=generator), 4 * FRAME_LENGTHS),
    )


def make_learner(spec, recipe="standard", precision=torch.float32, kind=Learner):
    return kind(
        spec,
        replace(recipe_named(recipe), frame_drop=0.2, ema_decay=None),
        device=torch.device("cpu"),
        precision=precision,
        seed=1,
    )


@pytest.fixture
def exact(monkeypatch, batch):
    """Compute in double precision, so that the order of sums does not matter."""
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    wide = replace(batch, mel=batch.mel.double(), magnitude=batch.magnitude.double())

    return partial(make_learner, precision=torch.float64), wide


@pytest.mark.parametrize("recipe", ["standard", "bbc"])
@pytest.mark.parametrize("spec", [TEXT2MEL, SSRN])
@pytest.mark.parametrize("parts", [2, 3, 5])
def test_micro_batches_give_the_gradients_of_the_batch(spec, recipe, parts, exact):
    make, batch = exact
    whole, parted = make(spec, recipe), make(spec, recipe)
    parted.micro_batches = parts
    one, other = whole._compute_gradients(batch, 5), parted._compute_gradients(batch, 5)
    for a, b in zip(one, other, strict=True):
        assert a is b is None or float(a) == pytest.approx(float(b), rel=1e-6)
    for name, gradient in whole.gradients.items():
        assert gradient.any(), name
        torch.testing.assert_close(parted.gradients[name], gradient, rtol=1e-6, atol=1e-6)


class InThreads:
    """Ranks in threads of one process; what one says or sums, the others wait for."""

    def __init__(self, rank, ranks, turn, sums):
        self.place = Place(rank, ranks, rank, machine=0, restarts=0)
        self.leads = rank == 0
        self.reductions = 0
        self._turn, self._sums = turn, sums

    def order(self, order):
        assert order.kind in ("take state", "step")

    def share(self, numbers):
        return numbers

    def share_tensors(self, tensors):
        assert all(tensor.is_contiguous() for tensor in tensors)

    def sum(self, tensor):
        self.reductions += 1
        self._sums[self.place.rank] = tensor.clone()
        self._turn.wait()
        tensor.copy_(torch.stack(self._sums).sum(0))


@pytest.mark.slow
@pytest.mark.parametrize(("spec", "recipe", "ranks"), [(TEXT2MEL, "standard", 2), (SSRN, "bbc", 7)])
def test_ranks_make_the_step_of_one_process(spec, recipe, ranks, batch):
    alone, turn, sums = make_learner(spec, recipe), threading.Barrier(ranks), [None] * ranks
    together = [make_learner(spec, recipe, kind=RankLearner) for _ in range(ranks)]
    for rank, one in enumerate(together):
        one.join(InThreads(rank, ranks, turn, sums))
    together[1].micro_batches = 2
    with ThreadPoolExecutor(ranks) as threads:
        made = [threads.submit(one.step, batch, 5) for one in together]
    whole = alone.step(batch, 5)
    for one, losses in zip(together, made, strict=True):
        assert one.ranks.reductions == 1
        for a, b in zip(losses.result(), whole, strict=True):
            assert a is b is None or float(a) == pytest.approx(float(b), rel=1e-5)
        for name, gradient in alone.gradients.items():
            torch.testing.assert_close(one.gradients[name], gradient, rtol=1e-4, atol=1e-6)
            assert torch.equal(one.gradients[name], together[0].gradients[name])


def with_room_for(monkeypatch, clips):
    """Let the device have room for so many clips at once; return how many were asked for."""
    asked = []
    losses = Learner.losses

    def limited(one, batch):
        asked.append(len(batch.text))
        if len(batch.text) > clips:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return losses(one, batch)

    monkeypatch.setattr(Learner, "losses", limited)
    return asked


@pytest.mark.slow
def test_a_batch_that_does_not_fit_is_split_from_then_on(monkeypatch, batch):
    one = make_learner(TEXT2MEL)
    asked = with_room_for(monkeypatch, 2)
    one.step(batch, 1)
    assert one.micro_batches == 4
    assert asked == [5, 2, 3, 1, 1, 1, 2]
    asked.clear()
    one.step(batch, 2)
    assert asked == [1, 1, 1, 2]


def test_probing_the_memory_changes_nothing(batch):
    one = make_learner(TEXT2MEL)
    weights, random = one.copy_ema_weights()[1], torch.get_rng_state()
    one.probe_memory(batch)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(w, weights[name]) for name, w in one.copy_ema_weights()[1].items())
    assert one.live_state()["optimizer"] == {}
    assert one.take_skips() == (0, 0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("spec", [TEXT2MEL, SSRN])
def test_evaluation_in_micro_batches_gives_the_same(monkeypatch, exact, spec):
    make, batch = exact
    one = make(spec)
    losses, output = one.evaluate(batch)
    evaluate = Learner._evaluate_batch

    def limited(one, batch):
        if len(batch.text) > 2:
            raise torch.OutOfMemoryError("no")
        return evaluate(one, batch)

    monkeypatch.setattr(Learner, "_evaluate_batch", limited)
    in_micro_batches, joined = one.evaluate(batch)
    assert float(in_micro_batches.total) == pytest.approx(float(losses.total), rel=1e-6)
    for a, b in zip(output, joined, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)


@pytest.mark.slow
def test_too_little_memory_is_found_before_the_first_step(make_voice, training, monkeypatch, tones):
    voice = make_voice(dataset=tones)
    asked, frames = with_room_for(monkeypatch, 6), []
    gather = BatchSource.gather

    def watched(source, *given):
        made = gather(source, *given)
        frames.append(int(made.frame_lengths.sum()))
        return made

    monkeypatch.setattr(BatchSource, "gather", watched)
    snapshot = training.end(training.start(voice, "3"))
    assert snapshot.phase is Phase.STOPPED
    assert snapshot.step == 3
    [notice] = [text for text in training.texts(snapshot) if "4 micro-batches" in text]
    assert "memory of cpu" in notice
    # Whole, in two, in four; then three steps in four.
    assert asked == [16, 8] + [4] * 4 + [4] * 12
    # The probe is of the longest clips.
    assert frames[0] == max(frames)


@pytest.mark.slow
def test_a_batch_too_large_for_the_device_is_copied_in_pieces(make_voice, training, monkeypatch):
    voice = make_voice()
    make_step, move = Learner.step, Batch.to

    def without_room(batch, device):
        if len(batch.text) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return move(batch, device)

    def step(one, batch, number):
        if number == 4:
            monkeypatch.setattr(Batch, "to", without_room)
        return make_step(one, batch, number)

    monkeypatch.setattr(Learner, "step", step)
    snapshot = training.end(training.start(voice, "6"))
    assert (snapshot.phase, snapshot.step) == (Phase.STOPPED, 6)
    assert sum("2 micro-batches" in text for text in training.texts(snapshot)) == 1


@pytest.mark.parametrize(
    ("error", "is_it"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (MemoryError(), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
        (ValueError("CUDA error: out of memory"), False),
    ],
)
def test_out_of_memory_is_recognized(error, is_it):
    assert is_out_of_memory(error) is is_it


@pytest.mark.slow
def test_a_run_starts_no_thread_after_its_first_step(make_voice, training, monkeypatch, tmp_path):
    """Without memory, `Thread.start` may wait forever; checkpoint, sample, rollback, spot notice
    with its command, and the end all find their threads waiting.
    """
    begun, late = threading.Event(), []
    start = threading.Thread.start

    def watched_start(thread):
        if begun.is_set():
            late.append(thread.name)
        start(thread)

    monkeypatch.setattr("threading.Thread.start", watched_start)
    monkeypatch.setattr(spot, "_MIN_MARGIN_SECONDS", 0.1)
    monkeypatch.setattr(spot, "_WRITE_FACTOR", 0.0)
    make_step = Learner.step
    batch_of = BatchSource.batch

    def batch_that_diverges(source, step):
        made = batch_of(source, step)
        bad = 20 <= step < 40 and not source._salt
        return replace(made, mel=torch.full_like(made.mel, float("nan"))) if bad else made

    monkeypatch.setattr(Learner, "step", lambda *given: begun.set() or make_step(*given))
    monkeypatch.setattr(BatchSource, "batch", batch_that_diverges)
    done = tmp_path / "done"
    session = training.start(
        make_voice(ssrn=0), None, checkpoint_every=5, on_interrupt=f"touch {done}"
    )
    training.until(session, lambda run: run.step >= 10)
    session.send(Audition())
    training.until(session, lambda run: run.auditions == 1 and run.rollbacks == 1)
    training.until(session, lambda run: run.step >= 30)
    notice = Clock(time.time(), time.monotonic()).notice("AWS terminates this machine", 2)
    session.send(notice)
    last = training.end(session)
    assert last.interrupted
    assert last.checkpoint_step == last.step
    assert done.exists()
    assert late == []
