"""A network that a run trains, as auditions need it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from engine.choices import NetworkName
from engine.data.features import FeatureStore
from engine.networks.specs import NetworkSpec, Text2MelSpec


@dataclass(frozen=True)
class NetworkInTraining:
    """The network that a run trains, for auditions with its weights of this moment."""

    spec: NetworkSpec
    symbols: str
    copy_weights: Callable[[Mapping[str, Tensor] | None], tuple[int, Mapping[str, Tensor]]]
    """Returns the step and copies on the CPU of its weights, if possible in those of an earlier
    call; called from another thread."""
    store: FeatureStore
    held_out: Sequence[int]
    """Clips of the store; the first is what SSRN resynthesises unless told otherwise."""

    @property
    def name(self) -> NetworkName:
        """Which one it is."""
        return "text2mel" if isinstance(self.spec, Text2MelSpec) else "ssrn"

    def by_text(self) -> dict[str, int]:
        """The held-out clips, by number, under their texts; the empty text has the first."""
        numbers = list(self.held_out)
        return {self.store.clips[i].text: i for i in reversed(numbers)} | {"": numbers[0]}
