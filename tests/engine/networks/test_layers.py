"""The layers, against torch's own convolutions and against their formulas."""

import pytest
import torch
import torch.nn.functional as F
from torch.func import functional_call

from engine.networks import convolution, highway
from engine.networks.dropout import random_numbers
from engine.networks.layers import Convolution, ConvolutionLayer, HighwayLayer, Upsampling


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(1)


@pytest.fixture(params=["side by side", "Winograd", "as on a GPU"])
def way(request, monkeypatch):
    """All ways of making the products, whatever the sizes."""
    winograd = request.param == "Winograd"
    pays = lambda _, taps: winograd and taps.weight.shape[1] == 3  # noqa: E731
    monkeypatch.setattr(convolution, "_winograd_pays", pays)
    for module in (convolution, highway):
        monkeypatch.setattr(module, "few_launches", lambda _: request.param == "as on a GPU")


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("kernel", "dilation"), [(1, 1), (3, 1), (3, 3), (3, 27), (5, 2)])
@pytest.mark.parametrize("frames", [1, 2, 30])
def test_a_convolution_is_torchs_with_padding_on_the_right_side(
    causal, kernel, dilation, frames, way
):
    ours = Convolution(4, 6, kernel, dilation, causal=causal).double()
    x = torch.randn(2, frames, 4, dtype=torch.float64, requires_grad=True)
    reach = (kernel - 1) * dilation
    left = reach if causal else reach // 2
    padded = F.pad(x.transpose(1, 2), (left, reach - left))
    theirs = F.conv1d(padded, ours.weight.transpose(1, 2), ours.bias, dilation=dilation)
    theirs = theirs.transpose(1, 2)
    torch.testing.assert_close(ours(x), theirs)
    wanted, of_out = (x, ours.weight, ours.bias), torch.randn_like(theirs)
    expected = torch.autograd.grad(theirs, wanted, of_out)
    for found, right in zip(torch.autograd.grad(ours(x), wanted, of_out), expected, strict=True):
        torch.testing.assert_close(found, right)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_a_wide_convolution_on_a_cpu_loses_no_precision(kind, monkeypatch):
    ours, x = Convolution(512, 512, 3), torch.randn(2, 48, 512)
    exact = ours.double()(x.double()).detach()
    errors = []
    for winograd in (False, True):
        monkeypatch.setattr(convolution, "_winograd_pays", lambda *_, way=winograd: way)
        error = (ours.to(kind)(x.to(kind)).detach() - exact).norm()
        errors.append(float(error / exact.norm()))
    side_by_side, in_fewer_products = errors
    assert side_by_side < {torch.float32: 1e-6, torch.bfloat16: 5e-3}[kind]
    assert in_fewer_products < 3 * side_by_side


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


@pytest.mark.parametrize("frames", [1, 9])
def test_a_highway_has_the_gradients_of_its_formula(frames, way):
    layer = HighwayLayer(Convolution(3, 6, 3, 2, causal=True), epsilon=1e-5, dropout=0.4).double()
    layer.norm_weight.data.uniform_(0.5, 2)
    layer.norm_bias.data.uniform_(-1, 1)
    x = torch.randn(2, frames, 3, dtype=torch.float64, requires_grad=True)

    def made(*inputs):
        names = [name for name, _ in layer.named_parameters()]
        with random_numbers(1):
            return functional_call(layer, dict(zip(names, inputs[1:], strict=True)), inputs[0])

    assert torch.autograd.gradcheck(made, (x, *layer.parameters()))


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
