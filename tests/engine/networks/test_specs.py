"""Sizes that no network can have, and networks from given weights."""

from dataclasses import asdict

import pytest
import torch

from engine.errors import InputError
from engine.networks.build import build_network, network_with, weight_shapes
from engine.networks.specs import SSRNSpec, Text2MelSpec, preset_spec, read_spec

SPECS = [Text2MelSpec(34, n_mels=6, embedding=4, hidden=4), SSRNSpec(6, 9, hidden=4)]


@pytest.mark.parametrize(
    "change", [{"hidden": 0}, {"hidden": 2**15}, {"dropout": 1.0}, {"epsilon": -1.0}, {"depth": 5}]
)
def test_impossible_sizes_are_named(change):
    with pytest.raises(InputError, match=next(iter(change))):
        read_spec("ssrn", {**asdict(SSRNSpec(6, 9)), **change})


@pytest.mark.parametrize(
    ("preset", "network", "size"),
    [
        ("bbc", "text2mel", 24.0e6),
        ("bbc", "ssrn", 28.4e6),
        ("small", "text2mel", 6.0e6),
        ("small", "ssrn", 5.0e6),
    ],
)
def test_a_preset_has_its_size(preset, network, size):
    spec = preset_spec(preset, network, vocabulary_size=34, n_mels=80, n_bins=1025)
    count = sum(shape.numel() for shape in weight_shapes(spec).values())
    assert count == pytest.approx(size, rel=0.01)


@pytest.mark.parametrize("spec", SPECS)
def test_given_weights_are_used_without_random_numbers(spec):
    fresh = build_network(spec)
    weights = {name: weight.detach().clone() for name, weight in fresh.named_parameters()}
    torch.manual_seed(3)
    state = torch.get_rng_state()
    network = network_with(spec, weights)
    assert torch.equal(torch.get_rng_state(), state)
    assert not network.training
    for name, parameter in network.named_parameters():
        assert torch.equal(parameter, weights[name])


@pytest.mark.parametrize("spec", SPECS)
def test_weights_of_another_network_are_refused(spec):
    weights = dict(build_network(spec).named_parameters())
    name = next(iter(weights))
    for wrong in ({**weights, "more": weights[name]}, {**weights, name: torch.zeros(1)}, {}):
        with pytest.raises(RuntimeError):
            network_with(spec, wrong)
