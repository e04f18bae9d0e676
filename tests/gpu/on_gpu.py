"""Learners and batches of the full size, for checks on a GPU."""

from dataclasses import replace

import torch

from engine.checkpoints.checkpoint import Checkpoint
from engine.data.audio import AudioSpec
from engine.data.batches import Batch
from engine.run.recipe import recipe_named
from engine.training.learner import Learner
from engine.voice.settings import VoiceSettings

AUDIO = AudioSpec()


def make_learner(network, device, precision=torch.float32, recipe="standard", **changes):
    """A learner with fresh weights; `changes` are of its sizes, or `graphs` or `frame_drop`."""
    graphs = changes.pop("graphs", True)
    hyperparameters = recipe_named(recipe)
    if "frame_drop" in changes:
        hyperparameters = replace(hyperparameters, frame_drop=changes.pop("frame_drop"))
    spec = replace(VoiceSettings(preset="bbc").fresh_spec(network), **changes)
    learner = Learner(spec, hyperparameters, device=device, precision=precision, seed=1)
    if not graphs:
        learner.graphs = None
    return learner


def make_batch(network, device, clips=16, frames=80, characters=96, seed=1):
    """Noise in 16 bits, as the features are, staged for a device; every second clip is shorter."""
    numbers = torch.Generator().manual_seed(seed)
    lengths = torch.full((clips,), frames)
    lengths[1::2] -= 3
    present = torch.arange(frames)[None, :] < lengths[:, None]

    def noise(per_coarse, width):
        shape = (clips, frames * per_coarse, width)
        drawn = torch.rand(shape, generator=numbers)
        return (drawn * present.repeat_interleave(per_coarse, 1).unsqueeze(-1)).half()

    magnitude = noise(AUDIO.reduction, AUDIO.n_bins) if network == "ssrn" else None
    text = torch.randint(2, 30, (clips, characters), generator=numbers)
    texts = torch.full((clips,), characters)
    return Batch(text, texts, noise(1, AUDIO.n_mels), lengths, magnitude).staged(device)


def state_of(learner):
    """Copies of weights, EMA and optimizer state on the CPU."""
    live = learner.live_state()
    return {(group, name): t.cpu().clone() for group in live for name, t in live[group].items()}


def checkpoint_of(learner, network, step, tensors):
    """A checkpoint of what a `StateCopy` has taken."""
    return Checkpoint(
        network=network, spec=learner.spec, symbols="", step=step, base_step=0,
        recipe=learner.recipe.name, seed=1,
        **{group: {n: t.clone() for n, t in tensors[group].items()} for group in tensors},
    )  # fmt: skip


def worst_difference(one, other):
    """The largest relative difference between tensors of the same names."""
    pairs = ((one[name].float().cpu(), other[name].float().cpu()) for name in one)
    return max(float((a - b).norm() / (a.norm() + 1e-8)) for a, b in pairs)
