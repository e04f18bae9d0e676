import pytest
import torch

from engine.networks.specs import preset_spec
from engine.networks.text2mel import AudioEncoder
from engine.speech.incremental import IncrementalStack


@pytest.mark.slow
@pytest.mark.parametrize("name", ["audio_encoder", "audio_decoder"])
def test_frame_by_frame_equals_the_whole_sequence_at_once(text2mel, name):
    stack = getattr(text2mel.double(), name)
    width = text2mel.spec.n_mels if name == "audio_encoder" else 2 * text2mel.spec.hidden
    one, other = IncrementalStack(stack), IncrementalStack(stack)
    x = torch.rand(1, 210, width, dtype=torch.float64)
    spoken = []
    for t in range(x.shape[1]):
        spoken.append(one.step(x[:, t]))
        # Another of the same layers has a past of its own.
        other.step(1 - x[:, t])
    with torch.inference_mode():
        torch.testing.assert_close(torch.stack(spoken, dim=1), stack(x), atol=1e-10, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["small", "bbc"])
def test_rounding_stays_small_at_the_sizes_that_voices_have(preset):
    torch.manual_seed(0)
    spec = preset_spec(preset, "text2mel", vocabulary_size=34, n_mels=80, n_bins=1025)
    encoder = AudioEncoder(spec).eval()
    x = torch.rand(1, 120, 80)
    steps = IncrementalStack(encoder)
    spoken = torch.stack([steps.step(x[:, t]) for t in range(x.shape[1])], dim=1)
    with torch.inference_mode():
        torch.testing.assert_close(spoken, encoder(x), atol=1e-5, rtol=0)
