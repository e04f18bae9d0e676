"""Text2Mel: its layers, what each part sees, its attention, and that it can be trained."""

import math

import pytest
import torch

from engine.networks.specs import Text2MelSpec
from engine.networks.text2mel import Text2Mel, attend, guide

SPEC = Text2MelSpec(34, n_mels=12, embedding=8, hidden=16)


@pytest.fixture
def network():
    torch.manual_seed(1)
    return Text2Mel(SPEC).eval()


def test_the_layers_are_the_papers_in_number_kernel_and_dilation(network):
    def shape(stack):
        return [(layer.convolution.kernel, layer.convolution.dilation) for layer in stack.layers]

    around = [(3, 1), (3, 3), (3, 9), (3, 27)]
    one = [(1, 1)]
    assert shape(network.text_encoder) == one * 2 + around * 2 + [(3, 1)] * 2 + one * 2
    assert shape(network.audio_encoder) == one * 3 + around * 2 + [(3, 3)] * 2
    assert shape(network.audio_decoder) == one + around + [(3, 1)] * 2 + one * 4


def test_a_frame_is_predicted_from_the_frames_before_it_alone(network):
    text, mel = torch.randint(2, 34, (1, 9)), torch.rand(1, 30, SPEC.n_mels)
    changed = mel.clone()
    changed[:, 12] = 1 - changed[:, 12]
    before, after = network(text, mel), network(text, changed)
    assert torch.equal(before.mel[:, :13], after.mel[:, :13])
    assert torch.equal(before.attention[:, :, :13], after.attention[:, :, :13])
    assert not torch.allclose(before.mel[:, 13], after.mel[:, 13])


def test_the_text_is_seen_whole_in_both_directions(network):
    text = torch.randint(2, 34, (1, 9))
    mel = torch.rand(1, 30, SPEC.n_mels)
    for place in (0, 8):
        changed = text.clone()
        changed[0, place] = 2 + (changed[0, place] - 1) % 32
        first = (network(text, mel).mel[:, 0] - network(changed, mel).mel[:, 0]).abs().max()
        assert first > 1e-6


def test_a_sentence_is_encoded_the_same_alone_and_in_a_batch(network):
    torch.manual_seed(2)
    short, mel = torch.randint(2, 34, (1, 5)), torch.rand(1, 20, SPEC.n_mels)
    text = torch.zeros(2, 60, dtype=torch.long)
    text[0, :5], text[1] = short, torch.randint(2, 34, (60,))
    longer = torch.rand(2, 50, SPEC.n_mels)
    longer[0, :20], longer[0, 20:] = mel, 0
    alone, together = network(short, mel), network(text, longer)
    torch.testing.assert_close(together.mel[:1, :20], alone.mel, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(together.attention[:1, :5, :20], alone.attention)
    assert (together.attention[0, 5:] == 0).all()


def test_without_masks_padding_changes_the_encoding():
    torch.manual_seed(1)
    network = Text2Mel(Text2MelSpec(34, n_mels=12, embedding=8, hidden=16, mask_text=False)).eval()
    short = torch.randint(2, 34, (1, 5))
    padded = torch.cat((short, torch.zeros(1, 55, dtype=torch.long)), dim=1)
    key, _ = network.text_encoder.encode(short)
    padded_key, _ = network.text_encoder.encode(padded)
    assert not torch.allclose(padded_key[:, :5], key)


def test_padding_reads_as_zero_whatever_its_row_holds(network):
    text, mel = torch.tensor([[4, 5, 0, 0]]), torch.rand(1, 6, SPEC.n_mels)
    before = network(text, mel)
    with torch.no_grad():
        network.text_encoder.embedding.weight[0] += 100
    assert torch.equal(network(text, mel).mel, before.mel)
    network(text, mel).mel.sum().backward()
    assert (network.text_encoder.embedding.weight.grad[0] == 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_first_step_from_scratch_has_sound_gradients(dtype):
    """The all-zero first frame has no variance, which normalisation divides by."""
    torch.manual_seed(1)
    network = Text2Mel(SPEC).to(dtype)
    text, mel = torch.randint(2, 34, (3, 7)), torch.rand(3, 21, SPEC.n_mels)
    said = network(text, mel)
    torch.nn.functional.binary_cross_entropy_with_logits(said.logits, mel).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() < 100, name


def test_logits_are_dropped_only_where_the_spec_says_so():
    text, mel = torch.randint(2, 10, (2, 7)), torch.rand(2, 9, 12)
    for share in (0.0, 0.5):
        spec = Text2MelSpec(10, 12, embedding=8, hidden=8, dropout=0.0, logit_dropout=share)
        dropped = (Text2Mel(spec).train()(text, mel).logits == 0).float().mean().item()
        assert dropped == 0 if share == 0 else 0.2 < dropped < 0.8


def test_attention_covers_the_text_alone():
    torch.manual_seed(1)
    query, key, value = torch.randn(2, 7, 4), torch.randn(2, 5, 4), torch.randn(2, 5, 4)
    mask = torch.tensor([[True] * 5, [True, True, False, False, False]])
    joined, attention = attend(query, key, value, mask)
    assert attention.shape == (2, 5, 7)
    torch.testing.assert_close(attention.sum(1), torch.ones(2, 7))
    assert (attention[1, 2:] == 0).all()
    scores = key[0] @ query[0].T / 2  # the root of d = 4
    expected = torch.softmax(scores, dim=0)
    torch.testing.assert_close(attention[0], expected)
    context = expected.T @ value[0]
    torch.testing.assert_close(joined[0], torch.cat((context, query[0]), dim=-1))


def test_the_guide_is_the_papers_formula_with_each_ones_lengths():
    lengths, frames = [3, 6], [10, 4]
    penalty = guide(torch.tensor(lengths), torch.tensor(frames), 6, 10)
    assert penalty.shape == (2, 6, 10)
    for b in range(2):
        for n in range(6):
            for t in range(10):
                away = n / lengths[b] - t / frames[b]
                expected = 1 - math.exp(-(away**2) / (2 * 0.2**2))
                assert math.isclose(penalty[b, n, t], expected, abs_tol=1e-6)
