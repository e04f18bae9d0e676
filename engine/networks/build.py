"""Networks from their specs, with fresh weights or with given ones."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from engine.networks.specs import NetworkSpec, Text2MelSpec
from engine.networks.ssrn import SSRN
from engine.networks.text2mel import Text2Mel


def build_network(spec: NetworkSpec) -> Text2Mel | SSRN:
    """Return a network with fresh weights."""
    return Text2Mel(spec) if isinstance(spec, Text2MelSpec) else SSRN(spec)


@lru_cache(maxsize=4)
def weight_shapes(spec: NetworkSpec) -> Mapping[str, torch.Size]:
    """The names and shapes of a network's weights, for which no memory is taken."""
    return {name: one.shape for name, one in network_without_weights(spec).named_parameters()}


def network_with(spec: NetworkSpec, weights: Mapping[str, Tensor]) -> Text2Mel | SSRN:
    """Return a network in evaluation mode that uses these weights in place.

    No random number is drawn, so that a sample made during training does not change it.

    Raises:
        RuntimeError: names or shapes of the weights are not those of the network.
    """
    network = network_without_weights(spec)
    network.load_state_dict(dict(weights), strict=True, assign=True)
    return network.eval()


def network_without_weights(spec: NetworkSpec) -> Text2Mel | SSRN:
    """Return a network whose weights have shapes alone, for which no memory is taken."""
    with torch.device("meta"), _WithoutRandomNumbers():
        return build_network(spec)


class _WithoutRandomNumbers(TorchFunctionMode):
    """Fills nothing with random numbers.

    Where there is no memory to fill, torch would load eight hundred modules for it, for a second.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 (whatever a function of torch returns)
        if func.__name__ in ("normal_", "uniform_"):
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))
