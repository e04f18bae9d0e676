"""What a step asks of a GPU, counted without one: on torch's `meta` device nothing is computed.

It has no numbers either, so that a step which looked at one, and made a GPU wait, would raise.
"""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from engine.checkpoints.state import Unlogged
from engine.data.audio import AudioSpec
from engine.data.batches import Batch
from engine.data.frames import Frames
from engine.data.resident import ResidentFrames
from engine.run.recipe import recipe_named
from engine.training.learner import Learner
from engine.training.metrics import LossSums
from engine.voice.settings import VoiceSettings

META = torch.device("meta")
# Calls that launch several: filling and copying; the gradients of the input and of the weights.
SEVERAL = {
    "constant_pad_nd": 2,
    "native_layer_norm_backward": 2,
    "binary_cross_entropy_with_logits": 6,
}
# Calls that launch none.
FREE = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "detach"}


class Launches(TorchDispatchMode):
    """Counts calls that write numbers; what only looks at others launches nothing."""

    def __init__(self):
        super().__init__()
        self.calls = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function._schema.name.removeprefix("aten::")
        is_view = any(
            argument.alias_info is not None and not argument.alias_info.is_write
            for argument in function._schema.arguments
        )
        if not is_view and name not in FREE:
            self.calls[name] += SEVERAL.get(name, 1)
        return function(*args, **(kwargs or {}))


def batch(network):
    """Shapes of the standard recipe; 96 characters and 80 frames, or crops of 16."""
    frames = 80 if network == "text2mel" else 16
    magnitude = torch.empty(16, 4 * frames, 1025, device=META) if network == "ssrn" else None
    lengths = torch.empty(16, dtype=torch.int64, device=META)
    text = torch.empty(16, 96, dtype=torch.int64, device=META)
    return Batch(text, lengths, torch.empty(16, frames, 80, device=META), lengths, magnitude)


@pytest.mark.parametrize("recipe", ["bbc", "standard"])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("network", "most"), [("text2mel", 930), ("ssrn", 430)])
def test_a_step_launches_few_kernels_and_waits_for_none(network, most, precision, recipe):
    spec = VoiceSettings(preset="bbc").fresh_spec(network)
    learner = Learner(spec, recipe_named(recipe), device=META, precision=precision, seed=1)
    with Launches() as launches:
        learner.step(batch(network), 1)
    assert 100 < launches.calls.total() <= most, launches.calls.most_common(20)


class Recorder:
    """Records what is launched; a replay launches nothing."""

    def record(self, work):
        with Launches() as self.recorded:
            return work(), lambda: None


@pytest.mark.parametrize("network", ["text2mel", "ssrn"])
def test_beside_its_graph_a_step_launches_hardly_anything(network):
    spec = VoiceSettings(preset="bbc").fresh_spec(network)
    learner = Learner(spec, recipe_named("standard"), device=META, precision=torch.bfloat16, seed=1)
    learner.use_graphs(recorder := Recorder())
    for step in (1, 2):
        learner.step(batch(network), step)
    with Launches() as launches:
        learner.step(batch(network), 3)
    assert recorder.recorded.calls.total() > 300
    assert launches.calls.total() <= 30, launches.calls


@pytest.mark.parametrize("network", ["text2mel", "ssrn"])
def test_gathered_micro_batches_are_waited_for_by_none(network, tmp_path):
    audio, path = AudioSpec(), tmp_path / "zeros.features"
    np.zeros(8 * (audio.n_bins + audio.n_mels), np.float16).tofile(path)
    frames = Frames(path, audio, 8, np.array([[0, 8]]))
    made = batch(network)
    places = torch.empty(made.mel.shape[:2], dtype=torch.int64, device=META)
    resident = ResidentFrames(frames, META, magnitudes=network == "ssrn")
    gathered = replace(made, mel=places, magnitude=None, resident=resident)
    spec = VoiceSettings(preset="small").fresh_spec(network)
    settings = {"device": META, "precision": torch.float16, "seed": 1}
    learner = Learner(spec, recipe_named("standard"), **settings)
    learner.micro_batches = 3
    sums = LossSums(Unlogged(), META)
    sums.add(learner.step(gathered, 1))
    with pytest.raises(RuntimeError, match="meta"):
        sums.means()  # of all that is called between two logged steps, this alone looks
