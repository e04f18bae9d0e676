import pytest
import torch

from engine.networks.specs import preset_spec
from engine.networks.text2mel import AudioEncoder
from engine.speech.incremental import IncrementalStack


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", ["audio_encoder", "audio_decoder"])
def test_frame_by_frame_equals_the_whole_sequence_at_once(text2mel, name, batch):
    stack = getattr(text2mel.double(), name)
    width = text2mel.spec.n_mels if name == "audio_encoder" else 2 * text2mel.spec.hidden
    x = torch.rand(batch, 210, width, dtype=torch.float64)
    steps = IncrementalStack(stack, batch, torch.float64, "cpu")
    spoken = torch.stack([steps.step(x[:, t]) for t in range(x.shape[1])], dim=1)
    with torch.inference_mode():
        torch.testing.assert_close(spoken, stack(x), atol=1e-10, rtol=0)


@pytest.mark.parametrize("preset", ["small", "bbc"])
def test_rounding_stays_small_at_the_sizes_that_voices_have(preset):
    torch.manual_seed(0)
    spec = preset_spec(preset, "text2mel", vocabulary_size=34, n_mels=80, n_bins=1025)
    encoder = AudioEncoder(spec).eval()
    x = torch.rand(1, 120, 80)
    steps = IncrementalStack(encoder, 1, torch.float32, "cpu")
    spoken = torch.stack([steps.step(x[:, t]) for t in range(x.shape[1])], dim=1)
    with torch.inference_mode():
        torch.testing.assert_close(spoken, encoder(x), atol=1e-5, rtol=0)


def test_two_stacks_of_the_same_layers_have_own_pasts(text2mel):
    x = torch.rand(2, 40, text2mel.spec.n_mels)
    one, other = (
        IncrementalStack(text2mel.audio_encoder, 1, torch.float32, "cpu") for _ in range(2)
    )
    for t in range(39):
        one.step(x[:1, t])
        other.step(x[1:, t])
    with torch.inference_mode():
        whole = text2mel.audio_encoder(x)[:, -1]
    torch.testing.assert_close(one.step(x[:1, 39]), whole[:1], atol=1e-5, rtol=0)
    torch.testing.assert_close(other.step(x[1:, 39]), whole[1:], atol=1e-5, rtol=0)


def test_layers_that_look_ahead_are_refused(text2mel):
    with pytest.raises(ValueError, match="looks ahead"):
        IncrementalStack(text2mel.text_encoder, 1, torch.float32, "cpu")


def test_layers_that_change_the_number_of_frames_are_refused(ssrn):
    ssrn.layers = ssrn.layers[3:4]
    with pytest.raises(ValueError, match="Upsampling"):
        IncrementalStack(ssrn, 1, torch.float32, "cpu")
