"""Which checkpoint of TensorFlow holds which network, and how far it had been trained."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.choices import NETWORKS, NetworkName
from engine.errors import InputError
from engine.networks.specs import NetworkSpec
from engine.run.stop import MAX_STEPS
from engine.tf_import.bundle import INDEX, Bundle
from engine.tf_import.files import newest_by_name, prefixes_in
from engine.tf_import.weights import (
    SCOPES,
    STEP,
    Variable,
    networks_in,
    spec_from_shapes,
    variables_of,
)

FIRST_MOMENT, SECOND_MOMENT = "/Adam", "/Adam_1"
"""What the name of a variable's moment has after that of the variable."""

TITLES: dict[NetworkName, str] = {"text2mel": "Text2Mel", "ssrn": "SSRN"}
"""The networks as people write them."""

# The BBC's code writes the networks into folders of these endings.
_USUAL_ENDINGS: dict[NetworkName, str] = {"text2mel": "-1", "ssrn": "-2"}
# TensorFlow's Adam keeps the powers of its decay rates: after k steps they are at k + 1.
_DECAYS = {"beta1_power": 0.9, "beta2_power": 0.999}
# Below this single precision loses digits, and some devices write 0.
_SMALLEST_POWER = 1e-37
_MAX_POWERS = 100_000


@dataclass(frozen=True)
class FoundNetwork:
    """A network in a checkpoint: all that can be told before its weights are read."""

    network: NetworkName
    bundle: Bundle
    step: int
    """The global step."""

    @cached_property
    def spec(self) -> NetworkSpec:
        """Its sizes.

        Raises:
            InputError: its variables are not those of a DC-TTS network.
        """
        shapes = {name: entry.shape for name, entry in self.bundle.entries.items()}
        try:
            return spec_from_shapes(self.network, shapes)
        except InputError as error:
            raise self._unlike(str(error)) from error

    @cached_property
    def variables(self) -> dict[str, Variable]:
        """What its variables are to us, all of them there and of the right shape.

        Raises:
            InputError: one is missing, of another shape or type, or too many.
        """
        variables = variables_of(self.spec)
        expected = {name: variable.shape for name, variable in variables.items()}
        if self.has_moments:
            for moment in (FIRST_MOMENT, SECOND_MOMENT):
                expected |= {name + moment: v.shape for name, v in variables.items()}
        self._require(expected)
        strange = sorted(self._own_names - expected.keys())
        if strange:
            raise self._unlike(f"it has the variable {strange[0]!r}, which DC-TTS has not")
        return variables

    @cached_property
    def has_moments(self) -> bool:
        """Whether Adam's moments are stored beside the weights."""
        return any(name.endswith((FIRST_MOMENT, SECOND_MOMENT)) for name in self._own_names)

    @cached_property
    def updates(self) -> int:
        """The steps that Adam has made since its moments were zero.

        They are not always those of the global step, which goes on where training is begun
        again with fresh moments. The powers tell, as long as single precision holds them.
        """
        powers = {
            name: float(self.bundle.read(name))
            for name in _DECAYS
            if _is_number(self.bundle, name, "f")
        }
        # Those that have vanished say no more than that it was long ago.
        counts = [
            _updates(power, _DECAYS[name])
            for name, power in powers.items()
            if not 0 <= power <= _SMALLEST_POWER
        ]
        known = [count for count in counts if count is not None]
        if not known or len(known) < len(counts) or max(known) - min(known) > 1:
            return self.step
        return known[-1]

    @property
    def title(self) -> str:
        """Its name as people write it."""
        return TITLES[self.network]

    @property
    def _own_names(self) -> set[str]:
        scope = SCOPES[self.network]
        return {name for name in self.bundle.entries if name.startswith(scope)}

    def _require(self, expected: Mapping[str, tuple[int, ...]]) -> None:
        entries = self.bundle.entries
        missing = [name for name in expected if name not in entries]
        if missing:
            raise self._unlike(
                f"it lacks {len(missing):,} of {len(expected):,} variables, such as {missing[0]}"
            )
        for name, shape in expected.items():
            entry = entries[name]
            if entry.sliced:
                raise self._unlike(f"its variable {name} is stored in slices")
            if entry.shape != shape:
                raise self._unlike(f"its variable {name} has the shape {entry.shape}, not {shape}")
            if entry.dtype != np.float32:
                kind = entry.dtype or "of a type unknown here"
                raise self._unlike(f"the numbers of its variable {name} are {kind}, not float32")

    def _unlike(self, what: str) -> InputError:
        return InputError(
            f"{self.bundle.index} is not the {self.title} of a DC-TTS voice: {what}; give a "
            f"checkpoint of the BBC's or Kyubyong's code."
        )


def networks_of(bundle: Bundle) -> list[FoundNetwork]:
    """Return the networks whose variables a checkpoint holds; none for one of something else.

    Raises:
        InputError: it does not say at which step it stands.
    """
    networks = networks_in(bundle.entries)
    if not networks:
        return []
    step = _step(bundle)
    return [FoundNetwork(network, bundle, step) for network in networks]


def _step(bundle: Bundle) -> int:
    if not _is_number(bundle, STEP, "i"):
        raise InputError(
            f"{bundle.index} does not say how far it was trained: it has no whole number "
            f"{STEP}; give a checkpoint of the BBC's or Kyubyong's code."
        )
    step = int(bundle.read(STEP))
    if not 0 <= step <= MAX_STEPS:
        raise InputError(f"{bundle.index} stands at step {step:,}, where no training comes to.")
    return step


def _is_number(bundle: Bundle, name: str, kind: str) -> bool:
    entry = bundle.entries.get(name)
    return (
        entry is not None
        and entry.dtype is not None
        and entry.dtype.kind == kind
        and entry.shape == ()
        and not entry.sliced
    )


def _updates(power: float, decay: float) -> int | None:
    """Steps after which TensorFlow has this power of a decay rate, multiplied up step by step.

    None where it is a power of some other rate.
    """
    powers: NDArray[Any] = np.multiply.accumulate(np.full(_MAX_POWERS, decay, np.float32))
    steps = int(np.abs(powers - power).argmin())
    return steps if math.isclose(float(powers[steps]), power, rel_tol=1e-5) else None


@dataclass(frozen=True)
class FoundModels:
    """The networks that were chosen, and what a person should know of the choice."""

    networks: dict[NetworkName, FoundNetwork]
    notes: tuple[str, ...]


def models_at(prefix: Path) -> FoundModels:
    """Return what one checkpoint holds: usually one network.

    Raises:
        InputError: it is damaged, or holds neither network.
    """
    bundle = Bundle(prefix)
    found = {network.network: network for network in networks_of(bundle)}
    if not found:
        raise InputError(
            f"{bundle.index} is a checkpoint of something else than DC-TTS: it has no variable "
            f"under Text2Mel/ or SSRN/, but {_examples(bundle)}."
        )
    return FoundModels(found, ())


def models_in(folder: Path) -> FoundModels:
    """Find one checkpoint of each network in a folder and the folders in it.

    In a folder of several steps it is the one that TensorFlow's note `checkpoint` names, or
    else the highest. Of several folders it is the one that the BBC's code would have written,
    `…-1` for Text2Mel and `…-2` for SSRN.

    Raises:
        InputError: a network is missing, a checkpoint damaged, or the choice not clear.
    """
    prefixes = prefixes_in(folder)
    if not prefixes:
        raise InputError(
            f"{folder} holds no TensorFlow checkpoint ({_instead(folder)}); give the folder with "
            f"models such as LJ01-1/model_gs_1450k{INDEX} and its data."
        )
    bundles = [Bundle(prefix) for prefix in prefixes]
    found = [network for bundle in bundles for network in networks_of(bundle)]
    if not found:
        raise InputError(
            f"{folder} holds checkpoints of something else than DC-TTS: {bundles[0].index} has "
            f"no variable under Text2Mel/ or SSRN/, but {_examples(bundles[0])}."
        )
    useful = {network.bundle.prefix for network in found}
    notes = [
        f"left alone: {prefix}{INDEX} is a checkpoint of something else"
        for prefix in prefixes
        if prefix not in useful
    ]
    chosen = {
        name: _choose([network for network in found if network.network == name], notes)
        for name in NETWORKS
        if any(network.network == name for network in found)
    }
    _require_both(folder, chosen)
    return FoundModels(chosen, tuple(notes))


def _require_both(folder: Path, chosen: Mapping[NetworkName, FoundNetwork]) -> None:
    for missing in NETWORKS:
        if missing in chosen:
            continue
        (other,) = chosen.values()
        raise InputError(
            f"{folder} has {other.title} but no {TITLES[missing]}, and a voice speaks with both; "
            f"put the files of the other into it too, or import the one alone, by the prefix of "
            f"its unpacked files, {other.bundle.prefix}."
        )


def _choose(candidates: list[FoundNetwork], notes: list[str]) -> FoundNetwork:
    """One of several checkpoints of a network, and notes on those that were left."""
    folders = sorted({found.bundle.prefix.parent for found in candidates})
    newest = [
        _newest([found for found in candidates if found.bundle.prefix.parent == folder])
        for folder in folders
    ]
    chosen = newest[0]
    if len(newest) > 1:
        ending = _USUAL_ENDINGS[chosen.network]
        usual = [found for found in newest if found.bundle.prefix.parent.name.endswith(ending)]
        if len(usual) != 1:
            raise InputError(
                f"There is more than one {chosen.title}: {newest[0].bundle.prefix} and "
                f"{newest[1].bundle.prefix}; give a folder that holds only one, or a prefix."
            )
        (chosen,) = usual
    notes.extend(
        f"left alone: another {found.title}, {found.bundle.prefix} at step {found.step:,}"
        for found in candidates
        if found is not chosen
    )
    return chosen


def _newest(candidates: list[FoundNetwork]) -> FoundNetwork:
    """Of the checkpoints in one folder, the one named there as the newest, or the highest."""
    named = newest_by_name(candidates[0].bundle.prefix.parent)
    for found in candidates:
        if found.bundle.prefix == named:
            return found
    first, *others = sorted(candidates, key=lambda found: -found.step)
    for other in others:
        if other.step == first.step:
            raise InputError(
                f"There is more than one {first.title} of step {first.step:,}: "
                f"{first.bundle.prefix} and {other.bundle.prefix}; give a prefix."
            )
    return first


def _examples(bundle: Bundle) -> str:
    names = [name for name in bundle.entries if not name.endswith("_power")]
    return repr(sorted(names)[0][:80]) if names else "none at all"


def _instead(folder: Path) -> str:
    """What a folder holds that is taken for a checkpoint, or that it holds nothing."""
    names = sorted(path.name for path in folder.iterdir())
    for name in names:
        if _looks_like_version_1(name, names):
            return f"{name!r} is one of version 1 of the format, from before TensorFlow 1.0"
        if name == "saved_model.pb":
            return "but a SavedModel, which has no training state"
        if name.endswith((".pt", ".pth", ".safetensors", ".ckpt", ".h5")):
            return f"{name!r} is another kind of file"
    return f"there are {len(names):,} other files and folders" if names else "it is empty"


def _looks_like_version_1(name: str, names: Iterable[str]) -> bool:
    return not name.endswith(".meta") and f"{name}.meta" in names
