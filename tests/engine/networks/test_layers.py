"""The layers, against torch's own convolutions and against their formulas."""

import pytest
import torch
import torch.nn.functional as F

from engine.networks.layers import Convolution, ConvolutionLayer, HighwayLayer, Upsampling


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(1)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("kernel", "dilation"), [(1, 1), (3, 1), (3, 3), (3, 27), (5, 2)])
@pytest.mark.parametrize("frames", [1, 2, 30])
def test_a_convolution_is_torchs_with_padding_on_the_right_side(causal, kernel, dilation, frames):
    ours = Convolution(4, 6, kernel, dilation, causal=causal)
    x = torch.randn(2, frames, 4)
    reach = (kernel - 1) * dilation
    left = reach if causal else reach // 2
    padded = F.pad(x.transpose(1, 2), (left, reach - left))
    theirs = F.conv1d(padded, ours.weight.transpose(1, 2), ours.bias, dilation=dilation)
    torch.testing.assert_close(ours(x), theirs.transpose(1, 2), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("frames", [1, 2, 17])
def test_upsampling_is_a_transposed_convolution_cut_at_the_end(frames):
    ours = Upsampling(5, epsilon=1e-5, dropout=0.0)
    x = torch.randn(2, frames, 5)
    # conv_transpose1d wants (in, out, kernel).
    weight = ours.weight.permute(2, 0, 1)
    theirs = F.conv_transpose1d(x.transpose(1, 2), weight, ours.bias, stride=2)
    cut = ours.norm(theirs.transpose(1, 2)[:, : 2 * frames])
    assert theirs.shape[-1] == 2 * frames + 1
    torch.testing.assert_close(ours(x), cut, atol=1e-5, rtol=1e-5)


def normalised(h):
    centred = h - h.mean(-1, keepdim=True)
    return centred / torch.sqrt((centred**2).mean(-1, keepdim=True) + 1e-5)


def test_a_highway_lets_through_what_its_gate_says():
    layer = HighwayLayer(Convolution(4, 8, 3), epsilon=1e-5, dropout=0.0)
    with torch.no_grad():
        layer.norm_weight.uniform_(0.5, 2)
        layer.norm_bias.uniform_(-1, 1)
    x = torch.randn(2, 9, 4)
    halves = layer.convolution(x).split(4, dim=-1)
    gate, candidate = (
        normalised(h) * weight + bias
        for h, weight, bias in zip(halves, layer.norm_weight, layer.norm_bias, strict=True)
    )
    expected = torch.sigmoid(gate) * candidate + (1 - torch.sigmoid(gate)) * x
    torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=1e-5)


def test_a_layer_normalises_over_channels_then_cuts_below_zero():
    layer = ConvolutionLayer(Convolution(3, 7), epsilon=1e-5, dropout=0.0, relu=True)
    x = torch.randn(2, 5, 3)
    expected = normalised(layer.convolution(x)).clamp(min=0)
    torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=1e-5)


def test_dropout_is_for_training_alone():
    layer = ConvolutionLayer(Convolution(3, 64), epsilon=1e-5, dropout=0.5)
    x = torch.randn(1, 8, 3)
    assert (layer(x) == 0).float().mean() > 0.3
    layer.eval()
    assert torch.equal(layer(x), layer(x))
    assert (layer(x) == 0).float().mean() < 0.01
