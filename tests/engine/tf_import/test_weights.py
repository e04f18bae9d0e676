"""Names, layouts and sizes of the original's variables."""

import numpy as np
import pytest
import torch
from dc_tts_files import as_original, saved, ssrn_shapes, text2mel_shapes

from engine.errors import InputError
from engine.networks.build import build_network, network_with
from engine.networks.specs import SSRNSpec
from engine.tf_import.weights import parameters_from, spec_from_shapes, variables_of


@pytest.mark.parametrize(
    ("network", "shapes"),
    [("text2mel", text2mel_shapes(40, 7, 3, 5)), ("ssrn", ssrn_shapes(7, 11, 3))],
)
def test_every_number_finds_its_place(network, shapes):
    variables = saved(shapes, moments=False)
    spec = spec_from_shapes(network, shapes)
    assert {name: variable.shape for name, variable in variables_of(spec).items()} == shapes
    values = {f"{name}/Adam": variables[name] for name in reversed(shapes)}
    tensors = parameters_from(values, variables_of(spec), "/Adam")
    assert not values
    network_with(spec, tensors)
    back = as_original(spec, {name: t.numpy() for name, t in tensors.items()})
    assert back.keys() == shapes.keys()
    for name, value in back.items():
        np.testing.assert_array_equal(value, variables[name])
    assert all(tensor.is_contiguous() for tensor in tensors.values())
    ours = {name: p.shape for name, p in build_network(spec).named_parameters()}
    assert {name: t.shape for name, t in tensors.items()} == ours


@torch.inference_mode()
def test_transposed_convolution_is_tensorflows():
    spec = SSRNSpec(3, 5, hidden=4, epsilon=1e-12)
    variables = saved(ssrn_shapes(3, 5, 4), moments=False, seed=8)
    layer = network_with(spec, parameters_from(dict(variables), variables_of(spec))).layers[3]
    kernel = variables["SSRN/D_4/conv2d_transpose/kernel"][0]  # (3, out, in)
    x = np.random.default_rng(2).standard_normal((6, 4)).astype(np.float32)
    # Every input frame adds its product with tap k to frame 2t + k.
    whole = np.zeros((13, 4), np.float32)
    for t, k in np.ndindex(6, 3):
        whole[2 * t + k] += kernel[k] @ x[t]
    h = whole[:12] + variables["SSRN/D_4/conv2d_transpose/bias"]
    h = (h - h.mean(1, keepdims=True)) / np.sqrt(h.var(1, keepdims=True) + 1e-12)
    h = h * variables["SSRN/D_4/normalize/gamma"] + variables["SSRN/D_4/normalize/beta"]
    np.testing.assert_allclose(layer(torch.from_numpy(x[None]))[0], h, atol=1e-5)


@pytest.mark.parametrize(
    "shape", [None, (34,), (34, 16, 1), (0, 16), (34, 0), (2**17, 16), (34, 2**40)]
)
def test_impossible_sizes_are_refused(shape):
    shapes = text2mel_shapes() | {"Text2Mel/TextEnc/embed_1/lookup_table": shape}
    if shape is None:
        del shapes["Text2Mel/TextEnc/embed_1/lookup_table"]
    with pytest.raises(InputError, match="lookup_table"):
        spec_from_shapes("text2mel", shapes)
