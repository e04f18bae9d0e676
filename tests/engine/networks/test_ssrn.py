"""SSRN: its layers and its shapes."""

import pytest
import torch

from engine.networks.layers import Upsampling
from engine.networks.specs import SSRNSpec
from engine.networks.ssrn import SSRN


def test_the_layers_are_the_papers():
    network = SSRN(SSRNSpec(6, 9, hidden=4))
    shape = [
        "up"
        if isinstance(layer, Upsampling)
        else (layer.convolution.kernel, layer.convolution.dilation)
        for layer in network.layers
    ]
    pair, one = [(3, 1), (3, 3)], [(1, 1)]
    assert shape == [*one, *pair, "up", *pair, "up", *pair, *one, (3, 1), (3, 1), *one * 4]


@pytest.mark.parametrize("frames", [1, 3, 16])
def test_four_fine_frames_come_of_a_coarse_one(frames):
    torch.manual_seed(1)
    said = SSRN(SSRNSpec(6, 9, hidden=4)).eval()(torch.rand(2, frames, 6))
    assert said.magnitude.shape == (2, 4 * frames, 9)
    torch.testing.assert_close(said.magnitude, torch.sigmoid(said.logits))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_silence_has_sound_gradients(dtype):
    torch.manual_seed(1)
    network = SSRN(SSRNSpec(6, 9, hidden=4)).to(dtype)
    said = network(torch.zeros(2, 8, 6))
    said.logits.square().mean().backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())
