"""Which checkpoint of TensorFlow holds which network, and how far it had been trained."""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from engine.choices import NETWORK_TITLES, NETWORKS, NetworkName
from engine.errors import InputError
from engine.networks.specs import NetworkSpec
from engine.run.stop import MAX_STEPS
from engine.tf_import.bundle import INDEX, Bundle
from engine.tf_import.files import newest_by_name, prefixes_in
from engine.tf_import.weights import SCOPES, STEP, Variable, spec_from_shapes, variables_of

FIRST_MOMENT, SECOND_MOMENT = "/Adam", "/Adam_1"
"""What the name of a variable's moment has after that of the variable."""

# As people write them.
# The BBC's code writes the networks into folders of these endings.
_USUAL_ENDINGS: dict[NetworkName, str] = {"text2mel": "-1", "ssrn": "-2"}
# TensorFlow's Adam keeps a power of its second decay rate: after k steps it is at k + 1.
_POWER, _DECAY = "beta2_power", 0.999
# Below this single precision loses digits, and some devices write 0.
_MIN_POWER = 1e-37
_MAX_POWERS = 100_000
_GIVE_ANOTHER = "give a checkpoint of the BBC's or Kyubyong's code"


@dataclass(frozen=True)
class FoundNetwork:
    """A network in a checkpoint: all that is known before its weights are read."""

    network: NetworkName
    bundle: Bundle
    step: int
    """The global step."""

    @property
    def title(self) -> str:
        """Its name as people write it."""
        return NETWORK_TITLES[self.network]

    @cached_property
    def spec(self) -> NetworkSpec:
        """Its sizes; an `InputError` where its variables are not those of a DC-TTS network."""
        shapes = {name: entry.shape for name, entry in self.bundle.entries.items()}
        try:
            return spec_from_shapes(self.network, shapes)
        except InputError as error:
            raise self._unusable(str(error)) from error

    @cached_property
    def variables(self) -> dict[str, Variable]:
        """Its variables without the moments; all are there, of the right shape and type.

        Raises:
            InputError: one is missing, of another shape or type, or too many.
        """
        variables = variables_of(self.spec)
        slots = ("", FIRST_MOMENT, SECOND_MOMENT) if self.has_moments else ("",)
        expected = {name + slot: one.shape for slot in slots for name, one in variables.items()}
        missing = [name for name in expected if name not in self.bundle.entries]
        if missing:
            raise self._unusable(
                f"it lacks {len(missing):,} of {len(expected):,} variables, such as {missing[0]}"
            )
        for name, shape in expected.items():
            entry = self.bundle.entries[name]
            if entry.shape != shape:
                raise self._unusable(
                    f"its variable {name} has the shape {entry.shape}, not {shape}"
                )
            if entry.dtype != np.float32:
                kind = entry.dtype or "of a type that is not supported"
                raise self._unusable(f"the numbers of its variable {name} are {kind}, not float32")
        if unexpected := sorted(self._own_names - expected.keys()):
            raise self._unusable(f"it has the variable {unexpected[0]!r}, which DC-TTS has not")
        return variables

    @cached_property
    def has_moments(self) -> bool:
        """Whether Adam's moments are stored beside the weights."""
        return any(name.endswith((FIRST_MOMENT, SECOND_MOMENT)) for name in self._own_names)

    @cached_property
    def updates(self) -> int:
        """Optimizer steps since Adam's moments were zero.

        They are not always the global step, which continues where training restarts with fresh
        moments. The power of the decay rate, multiplied up step by step, shows them, as long as
        single precision holds it.
        """
        power = _number(self.bundle, _POWER, "f") or 0.0
        powers = np.multiply.accumulate(np.full(_MAX_POWERS, _DECAY, np.float32))
        steps = int(np.abs(powers - power).argmin())
        known = power > _MIN_POWER and math.isclose(float(powers[steps]), power, rel_tol=1e-5)
        return steps if known else self.step

    @property
    def _own_names(self) -> set[str]:
        return {name for name in self.bundle.entries if name.startswith(SCOPES[self.network])}

    def _unusable(self, what: str) -> InputError:
        return InputError(
            f"{self.bundle.index} is not the {self.title} of a DC-TTS voice: {what}; "
            f"{_GIVE_ANOTHER}."
        )


def models_at(prefix: Path) -> dict[NetworkName, FoundNetwork]:
    """Return what one checkpoint holds: one network or both.

    Raises:
        InputError: it is damaged, or holds neither.
    """
    bundle = Bundle(prefix)
    found = {network.network: network for network in _networks_of(bundle)}
    if not found:
        raise InputError(f"{bundle.index} is not a checkpoint of DC-TTS: {_other_names(bundle)}.")
    return found


def models_in(folder: Path, notes: list[str]) -> dict[NetworkName, FoundNetwork]:
    """Find one checkpoint of each network in a folder and the folders in it.

    In a folder of several steps it is the one that TensorFlow's note `checkpoint` names, or
    else the highest. Of several folders it is the one that the BBC's code would have written,
    `…-1` for Text2Mel and `…-2` for SSRN. `notes` gets sentences about those that are ignored.

    Raises:
        InputError: a network is missing, a checkpoint damaged, or the choice ambiguous.
    """
    bundles = [Bundle(prefix) for prefix in prefixes_in(folder)]
    if not bundles:
        raise InputError(
            f"{folder} holds no TensorFlow checkpoint (no *{INDEX}); give the folder with models "
            f"such as LJ01-1/model_gs_1450k{INDEX} and its data."
        )
    networks = {bundle: _networks_of(bundle) for bundle in bundles}
    notes += [
        f"ignored: {bundle.index} is a checkpoint of something else"
        for bundle, found in networks.items()
        if not found
    ]
    chosen: dict[NetworkName, FoundNetwork] = {}
    for name in NETWORKS:
        if candidates := [one for own in networks.values() for one in own if one.network == name]:
            chosen[name] = _choose(candidates, notes)
    if not chosen:
        raise InputError(
            f"{folder} holds no checkpoint of DC-TTS: {bundles[0].index}: "
            f"{_other_names(bundles[0])}."
        )
    for name in NETWORKS:
        if name not in chosen:
            [only] = chosen.values()
            raise InputError(
                f"{folder} has {only.title} but no {NETWORK_TITLES[name]}, and a voice needs both; "
                f"add the files of the other, or import this one alone, by the prefix of its "
                f"unpacked files, {only.bundle.prefix}."
            )
    return chosen


def _networks_of(bundle: Bundle) -> list[FoundNetwork]:
    """Return the networks whose variables a checkpoint holds; none for one of something else."""
    networks = [
        network
        for network, scope in SCOPES.items()
        if any(name.startswith(scope) for name in bundle.entries)
    ]
    if not networks:
        return []
    step = _number(bundle, STEP, "i")
    if step is None:
        raise InputError(f"{bundle.index} has no whole number {STEP}; {_GIVE_ANOTHER}.")
    if not 0 <= step <= MAX_STEPS:
        raise InputError(f"{bundle.index} is at step {step:,}, which no training reaches.")
    return [FoundNetwork(network, bundle, int(step)) for network in networks]


def _number(bundle: Bundle, name: str, kind: str) -> float | None:
    """A variable that is a single number of a kind, as numpy abbreviates it; None if it is not."""
    value = bundle.read(name) if name in bundle.entries else None
    return (
        value.item() if value is not None and value.dtype.kind == kind and not value.shape else None
    )


def _choose(candidates: list[FoundNetwork], notes: list[str]) -> FoundNetwork:
    """Choose one of several checkpoints of a network, and note the others."""
    folders: dict[Path, list[FoundNetwork]] = {}
    for found in candidates:
        folders.setdefault(found.bundle.prefix.parent, []).append(found)
    newest = [_newest(folders[folder], folder) for folder in sorted(folders)]
    ending = _USUAL_ENDINGS[candidates[0].network]
    usual = [one for one in newest if one.bundle.prefix.parent.name.endswith(ending)]
    if len(newest) > 1 and len(usual) != 1:
        raise InputError(
            f"There is more than one {newest[0].title}: {newest[0].bundle.prefix} and "
            f"{newest[1].bundle.prefix}; give a folder that holds only one, or a prefix."
        )
    [chosen] = newest if len(newest) == 1 else usual
    notes += [
        f"ignored: another {found.title}, {found.bundle.prefix} at step {found.step:,}"
        for found in candidates
        if found is not chosen
    ]
    return chosen


def _newest(candidates: list[FoundNetwork], folder: Path) -> FoundNetwork:
    """Of the checkpoints in one folder, the one named there as the newest, or the highest."""
    named = newest_by_name(folder)
    first, *others = sorted(
        candidates, key=lambda found: (found.bundle.prefix != named, -found.step)
    )
    if first.bundle.prefix != named and others and others[0].step == first.step:
        raise InputError(
            f"There is more than one {first.title} of step {first.step:,}: "
            f"{first.bundle.prefix} and {others[0].bundle.prefix}; give a prefix."
        )
    return first


def _other_names(bundle: Bundle) -> str:
    names = [name for name in bundle.entries if not name.endswith("_power")]
    example = repr(min(names)[:80]) if names else "no variable at all"
    return f"it has no variable under Text2Mel/ or SSRN/, but {example}"
