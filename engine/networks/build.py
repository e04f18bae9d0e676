"""Networks from their specs, with fresh weights or with given ones."""

from collections.abc import Mapping
from functools import lru_cache

import torch
from torch import Tensor

from engine.networks.specs import NetworkSpec, Text2MelSpec
from engine.networks.ssrn import SSRN
from engine.networks.text2mel import Text2Mel


def build_network(spec: NetworkSpec) -> Text2Mel | SSRN:
    """Return a network with fresh weights."""
    return Text2Mel(spec) if isinstance(spec, Text2MelSpec) else SSRN(spec)


@lru_cache(maxsize=4)
def weight_shapes(spec: NetworkSpec) -> Mapping[str, torch.Size]:
    """The names and shapes of a network's weights, for which no memory is taken."""
    with torch.device("meta"):
        return {name: one.shape for name, one in build_network(spec).named_parameters()}


def network_with(spec: NetworkSpec, weights: Mapping[str, Tensor]) -> Text2Mel | SSRN:
    """Return a network in evaluation mode that uses these weights in place.

    No random number is drawn, so that a sample made during training does not change it.

    Raises:
        RuntimeError: names or shapes of the weights are not those of the network.
    """
    with torch.device("meta"):
        network = build_network(spec)
    network.load_state_dict(dict(weights), strict=True, assign=True)
    return network.eval()
