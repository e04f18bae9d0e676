"""CUDA graphs on a GPU: the same numbers as without them, whatever else uses the device."""

import threading
from functools import partial

import pytest
import torch
from saved import same

from engine.checkpoints.checkpoint import Checkpoint
from engine.choices import NETWORKS
from engine.data.batches import Batch
from engine.machine.device import make_repeatable
from engine.run.recipe import recipe_named
from engine.training import graphs
from engine.training.learner import Learner
from engine.voice.settings import VoiceSettings

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"),
]
# Characters and frames of the batches of a few steps; some share a graph.
SIZES = [(40, 60), (33, 62), (70, 100), (80, 97), (40, 61), (66, 110), (20, 33), (17, 47)]


@pytest.fixture(autouse=True)
def device():
    found = torch.device("cuda", 0)
    make_repeatable(found)
    yield found
    torch.cuda.empty_cache()


def batch(network, device, step, clips=8):
    generator = torch.Generator().manual_seed(step)
    characters, frames = SIZES[step % len(SIZES)]
    draw = partial(torch.rand, generator=generator)
    magnitude = None
    if network == "ssrn":
        frames = 16
        magnitude = draw(clips, 4 * frames, 1025)
    texts, lengths = torch.full((clips,), characters), torch.full((clips,), frames)
    texts[1::2] -= 9
    lengths[1::2] -= 7
    text = torch.randint(2, 30, (clips, characters), generator=generator)
    text *= torch.arange(characters) < texts[:, None]
    mel = draw(clips, frames, 80) * (torch.arange(frames) < lengths[:, None])[..., None]
    return Batch(text, texts, mel, lengths, magnitude).staged(device)


def make_learner(network, device, precision=torch.float32, *, replays=True):
    spec = VoiceSettings(preset="small").fresh_spec(network)
    learner = Learner(spec, recipe_named("standard"), device=device, precision=precision, seed=1)
    if not replays:
        # Filled up as before, but launched one by one.
        learner.graphs.stop("to compare")
    return learner


def state(learner):
    live = learner.live_state()
    return {(group, name): one.clone() for group in live for name, one in live[group].items()}


def train(learner, network, steps):
    made = [learner.step(batch(network, learner.device, step), step) for step in steps]
    return [[None if loss is None else float(loss) for loss in losses] for losses in made]


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("network", NETWORKS)
def test_replays_make_the_very_same_steps(network, precision, device):
    one = make_learner(network, device, precision)
    other = make_learner(network, device, precision, replays=False)
    assert train(one, network, range(1, 25)) == train(other, network, range(1, 25))
    assert one.graphs.trouble == ""
    assert one.graphs.recorded == (1 if network == "ssrn" else 3)
    assert same(state(one), state(other))


@pytest.mark.parametrize("network", NETWORKS)
def test_a_resumed_run_makes_the_same_steps_with_graphs_of_its_own(network, device):
    whole, first, second = (make_learner(network, device) for _ in range(3))
    expected = train(whole, network, range(1, 25))
    train(first, network, range(1, 13))
    live = {
        group: {n: t.cpu() for n, t in live.items()} for group, live in first.live_state().items()
    }
    second.restore(
        Checkpoint(
            network=network, spec=first.spec, symbols="", step=12, base_step=0,
            recipe="standard", seed=1, optimizer_start_step=0,
            weights=live["weights"], ema=live["ema"], optimizer=live["optimizer"],
        )
    )  # fmt: skip
    assert train(second, network, range(13, 25)) == expected[12:]
    assert same(state(whole), state(second))


@pytest.mark.parametrize("network", NETWORKS)
def test_a_replayed_step_waits_for_nothing(network, device):
    learner = make_learner(network, device, torch.bfloat16)
    train(learner, network, range(1, 17))
    batches = [batch(network, device, step) for step in range(17, 25)]
    torch.cuda.synchronize(device)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for step, made in enumerate(batches, 17):
            learner.step(made, step)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_the_device_is_used_by_others_while_a_graph_is_recorded(device):
    """Auditions copy the weights, and batches are pinned, at any moment."""
    learner = make_learner("text2mel", device)
    ended, failures = threading.Event(), []

    def use():
        try:
            while not ended.is_set():
                learner.copy_ema_weights()
                batch("text2mel", device, 3).to(device).mel.sum().item()
        except Exception as error:
            failures.append(error)

    user = threading.Thread(target=use)
    user.start()
    try:
        train(learner, "text2mel", range(1, 25))
    finally:
        ended.set()
        user.join()
    assert not failures
    assert (learner.graphs.trouble, learner.graphs.recorded) == ("", 3)


def test_graphs_share_their_memory(device):
    learner = make_learner("text2mel", device)
    taken = []
    for frames in range(20, 0, -1):
        made = Batch(
            torch.randint(2, 30, (8, 40)), torch.full((8,), 40),
            torch.rand(8, 16 * frames, 80), torch.full((8,), 16 * frames),
        )  # fmt: skip
        for step in (1, 2, 3):
            learner.step(made, step)
        torch.cuda.empty_cache()
        taken.append(torch.cuda.memory_reserved(device))
    assert learner.graphs.recorded == 20
    # Of the first, which is the longest, the others take the memory again.
    assert taken[-1] < 1.5 * taken[0]


def test_a_recording_without_memory_goes_on_without_graphs(device, monkeypatch):
    learner, plain = (make_learner("text2mel", device) for _ in range(2))
    plain.graphs.stop("to compare")
    compute = Learner._compute

    def without_room(one, *given):
        losses = compute(one, *given)
        if torch.cuda.is_current_stream_capturing():
            raise torch.OutOfMemoryError("CUDA out of memory")
        return losses

    monkeypatch.setattr(Learner, "_compute", without_room)
    learner.graphs = graphs.graphs_for(
        learner.spec, learner.recipe, learner._compute, graphs.CudaRecorder(device)
    )
    steps = range(1, 25)
    assert train(learner, "text2mel", steps) == train(plain, "text2mel", steps)
    assert learner.graphs.trouble == "out of memory"
    assert torch.cuda.current_stream(device) == torch.cuda.default_stream(device)
