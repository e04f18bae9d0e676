"""CUDA graphs without a GPU: their plan, with a recorder that computes anew at each replay."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from saved import same

from engine.data.batches import Batch
from engine.evaluation.losses import LossParts
from engine.networks.dropout import Rows, random_numbers
from engine.networks.specs import SSRNSpec, Text2MelSpec
from engine.run.recipe import recipe_named
from engine.run.snapshot import Phase
from engine.training import graphs, setup
from engine.training.learner import Learner

TEXT2MEL = Text2MelSpec(34, n_mels=6, embedding=8, hidden=8, dropout=0.2)
SSRN = SSRNSpec(6, 9, hidden=8, dropout=0.2)


class Recorder:
    """Keeps to the rules of CUDA graphs: the tensors read and written stay the same."""

    def __init__(self, room=1000, replays=1000):
        self.replays = self.recordings = 0
        self.room, self.last = room, replays

    def record(self, work):
        if self.recordings == self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.recordings += 1
        results = LossParts(*torch.zeros(4))

        def replay():
            if self.replays == self.last:
                raise torch.OutOfMemoryError("CUDA out of memory")
            self.replays += 1
            for into, new in zip(results, work(), strict=True):
                if new is not None:
                    into.copy_(new)

        return results, replay


def batch(characters, frames, seed=1, clips=3):
    generator = torch.Generator().manual_seed(seed)
    draw = partial(torch.rand, generator=generator)
    text_lengths = torch.tensor([characters, 2, 3][:clips])
    lengths = torch.tensor([frames, frames - 1, 2][:clips])
    text = torch.randint(2, 34, (clips, characters), generator=generator)
    text *= torch.arange(characters) < text_lengths[:, None]
    mel = draw(clips, frames, 6) * (torch.arange(frames) < lengths[:, None])[..., None]
    return Batch(text, text_lengths, mel, lengths, draw(clips, 4 * frames, 9))


def make_learner(spec, recorder=None, recipe="standard", **changes):
    recipe = replace(recipe_named(recipe), **changes)
    learner = Learner(spec, recipe, device=torch.device("cpu"), precision=torch.float32, seed=1)
    if recorder is not None:
        learner.use_graphs(recorder)
    return learner


def state(learner):
    live = learner.live_state()
    return {(group, name): one.clone() for group in live for name, one in live[group].items()}


def text2mel_batch(characters, frames, seed=1):
    return replace(batch(characters, frames, seed), magnitude=None)


def test_shapes_that_come_back_are_replayed_to_the_same_numbers():
    """Another run that never replays, as each shape is new to it, makes the very same steps."""
    recorder = Recorder()
    one, other = make_learner(TEXT2MEL, recorder), make_learner(TEXT2MEL, Recorder())
    sizes = [(7, 12), (9, 16), (20, 5), (3, 14), (17, 3), (4, 9)]
    for step, size in enumerate(sizes, 1):
        made = text2mel_batch(*size, seed=step)
        first, second = one.step(made, step), other.step(made, step)
        other.use_graphs(Recorder())
        assert [float(loss) for loss in first] == [float(loss) for loss in second]
    assert same(state(one), state(other))
    # Two shapes, each computed once without a graph.
    assert (recorder.recordings, recorder.replays) == (2, 4)


@pytest.mark.parametrize("mask_text", [True, False])
def test_padding_changes_neither_losses_nor_gradients(mask_text):
    spec = replace(TEXT2MEL, dropout=0.0, mask_text=mask_text)
    plain = make_learner(spec, frame_drop=0.0)
    graphed = make_learner(spec, Recorder(), frame_drop=0.0)
    for step in (1, 2, 3):
        expected = plain._compute_gradients(text2mel_batch(7, 12), step)
        found = graphed._compute_gradients(text2mel_batch(7, 12), step)
        for a, b in zip(expected, found, strict=True):
            torch.testing.assert_close(a, b)
        for name, gradient in plain.gradients.items():
            torch.testing.assert_close(graphed.gradients[name], gradient, rtol=1e-4, atol=1e-5)
    assert graphed.graphs.recorded == 1


def test_micro_batches_of_filled_batches_see_the_same_dropout():
    one, other = make_learner(TEXT2MEL, Recorder()), make_learner(TEXT2MEL, Recorder())
    other.micro_batches = 2
    for step in (1, 2, 3):
        made = text2mel_batch(7, 12, step)
        expected, found = one._compute_gradients(made, step), other._compute_gradients(made, step)
        for a, b in zip(expected, found, strict=True):
            torch.testing.assert_close(a, b)
        for name, gradient in one.gradients.items():
            torch.testing.assert_close(other.gradients[name], gradient, rtol=1e-4, atol=1e-5)
    assert (one.graphs.recorded, other.graphs.recorded) == (1, 0)


def test_a_rank_weighs_its_part_of_each_batch_anew():
    one, other = make_learner(TEXT2MEL, recorder := Recorder()), make_learner(TEXT2MEL)
    for step, weights in enumerate([(0.25, 0.5), (0.75, 0.125), (0.5, 1.0)], 1):
        given = tuple(map(torch.tensor, weights))
        # Filled up to the same shape already, so that dropout is the same.
        made = text2mel_batch(16, 16, step)
        rows = partial(random_numbers, step, Rows(3, 6, 9))
        for learner in (one, other):
            learner._gradients.flat.zero_()
        found = one.graphs.compute(made, rows, given, alike=True)
        with rows():
            expected = other._compute(made, given)
        assert [float(loss) for loss in found] == [float(loss) for loss in expected]
        assert same(one.gradients, other.gradients)
    assert (recorder.recordings, recorder.replays) == (1, 2)


def test_crops_of_ssrn_share_a_graph_whatever_is_said_in_them():
    recorder = Recorder()
    learner = make_learner(SSRN, recorder)
    plain = make_learner(SSRN)
    for step, characters in enumerate((5, 20, 40, 3), 1):
        made = batch(characters, 16, step)
        assert float(learner.step(made, step).total) == float(plain.step(made, step).total)
    assert (recorder.recordings, recorder.replays) == (1, 3)
    assert same(state(learner), state(plain))


@pytest.mark.parametrize("spec", [TEXT2MEL, SSRN])
def test_a_recipe_that_sees_padding_gets_no_graphs(spec):
    assert make_learner(spec, Recorder(), "bbc").graphs is None


def test_there_are_only_so_many_graphs(monkeypatch):
    monkeypatch.setattr(graphs, "MAX_GRAPHS", 2)
    recorder = Recorder()
    learner = make_learner(TEXT2MEL, recorder)
    for step in range(1, 16):
        learner.step(text2mel_batch(5, 16 * (1 + step % 5) - 3), step)
    assert (recorder.recordings, recorder.replays) == (2, 4)
    assert learner.graphs.trouble == ""


def test_a_graph_that_cannot_be_recorded_costs_no_step():
    learner, plain = (make_learner(TEXT2MEL, Recorder(room)) for room in (1, 0))
    for step in range(1, 9):
        made = text2mel_batch(5, 16 + 16 * (step % 2), step)
        assert float(learner.step(made, step).total) == float(plain.step(made, step).total)
    assert learner.graphs.trouble == plain.graphs.trouble == "out of memory"
    assert learner.graphs.recorded == 1
    assert learner.micro_batches == plain.micro_batches == 1
    assert same(state(learner), state(plain))


def test_memory_of_graphs_is_given_back_before_a_batch_is_split(monkeypatch):
    learner = make_learner(TEXT2MEL, Recorder())
    losses = Learner.losses
    for step in (1, 2, 3):
        learner.step(text2mel_batch(5, 16), step)

    def limited(one, made):
        if made.mel.shape[1] > 32 and (one.graphs._graphs or len(made.text) > 2):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return losses(one, made)

    monkeypatch.setattr(Learner, "losses", limited)
    learner.step(text2mel_batch(5, 40), 4)
    assert learner.graphs.trouble == "out of memory"
    assert learner.micro_batches == 2


@pytest.mark.slow
def test_a_run_reports_its_graphs_and_their_end(make_voice, training, monkeypatch):
    make = setup._make_learner

    def with_graphs(*given):
        learner = make(*given)
        learner.use_graphs(Recorder(replays=5))
        return learner

    monkeypatch.setattr(setup, "_make_learner", with_graphs)
    snapshot = training.end(training.start(make_voice(), "12"))
    assert (snapshot.phase, snapshot.step, snapshot.warm_up) == (Phase.STOPPED, 12, "")
    told = training.texts(snapshot)
    off = "CUDA graphs are off (out of memory): training goes on without them, slower"
    assert [text for text in told if "graphs" in text or "micro" in text] == [
        "recording CUDA graphs: the first steps are slower",
        off,
    ]
