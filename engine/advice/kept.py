"""The checkpoints of a voice that can speak, and which of them a person means."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace

from engine.advice.best import find_best, recommend
from engine.choices import NETWORK_TITLES, NETWORKS, NetworkName
from engine.errors import InputError
from engine.run.options import TrainOptions
from engine.run.sample import KeptCheckpoint, StepChoice
from engine.voice.folder import Voice
from engine.voice.layout import CheckpointEntry, is_checkpoint

# Steps of an error that are named.
_NAMED = 8


def kept_checkpoints(voice: Voice) -> tuple[KeptCheckpoint, ...]:
    """List the complete checkpoints of both networks, each network's oldest first.

    Raises:
        InputError: as `engine.advice.best.find_best`.
    """
    return tuple(one for network in NETWORKS for one in _kept(voice, network))


def _kept(voice: Voice, network: NetworkName) -> list[KeptCheckpoint]:
    entries = voice.checkpoints(network)
    if not entries:
        return []
    best = find_best(voice, network)
    to_export = best.recommended.step if best.recommended else None
    return [
        KeptCheckpoint(
            network,
            step := entry.step,
            held_out=best.losses.get(step),
            best=step == to_export,
            best_by=tuple(by for by, one in best.by.items() if one == step),
            base=step == best.base,
        )
        for entry in entries
    ]


def resolve(
    voice: Voice, network: NetworkName, choice: StepChoice | None = None
) -> CheckpointEntry:
    """Find the checkpoint of a network that a person means; without a choice the newest.

    Raises:
        InputError: there is none like that.
    """
    name, entries = NETWORK_TITLES[network], {one.step: one for one in voice.checkpoints(network)}
    if not entries:
        raise InputError(_none_at_all(voice, network))
    if choice is None:
        return entries[max(entries)]
    if isinstance(choice, int):
        if choice in entries:
            return entries[choice]
        raise InputError(
            f"The voice {voice.folder} has no {name} checkpoint of step {choice:,}; "
            f"{_named(sorted(entries), choice)}."
        )
    for one in _kept(voice, network):
        if one.best if choice == "best" else one.base:
            return entries[one.step]
    if choice == "best":
        raise InputError(
            f"Which {name} checkpoint of {voice.folder} is best is not known: none was measured; "
            f"give a step, or measure them: voicecoach evaluate {shlex.quote(str(voice.folder))}"
        )
    raise InputError(
        f"The voice {voice.folder} has no base of {name}: it was trained from scratch, or the base "
        f"was removed; give a step."
    )


def _named(steps: Sequence[int], choice: int) -> str:
    """Name the steps that there are; of many, those that are nearest to a choice."""
    nearest = sorted(sorted(steps, key=lambda step: abs(step - choice))[:_NAMED])
    listed = ", ".join(f"{step:,}" for step in nearest)
    if len(nearest) == len(steps):
        return f"there are {listed}"
    return f"the nearest of {len(steps):,} are {listed}"


def why_best(
    voice: Voice, step: StepChoice | None, ssrn_step: StepChoice | None
) -> tuple[str, ...]:
    """Of each network of which `best` was chosen, which checkpoint that is, why, and how sure."""
    choices = zip(NETWORKS, (step, ssrn_step), strict=True)
    found = (recommend(voice, network) for network, choice in choices if choice == "best")
    return tuple(f"{NETWORK_TITLES[one.network]} {one.words}" for one in found if one)


def with_source_step(options: TrainOptions, report: Callable[[str], None]) -> TrainOptions:
    """The options of `train` with the one checkpoint for its source that `--from-step` names.

    `report` is told what `best` stands for, and why.

    Raises:
        InputError: there is none like that, or the source is no voice.
    """
    if options.source_step is None or options.source is None:
        return options
    if is_checkpoint(options.source):
        raise InputError(f"--from {options.source} is a checkpoint already; leave out --from-step.")
    voice, network = Voice.open(options.source), options.network
    entry = resolve(voice, network, options.source_step)
    if options.source_step == "best" and (advised := recommend(voice, network)):
        report(f"starting from {NETWORK_TITLES[network]} {advised.words}")
    return replace(options, source=entry.path)


def _none_at_all(voice: Voice, network: NetworkName) -> str:
    if network == "ssrn":
        return f"The voice {voice.folder} has no SSRN checkpoint; train its SSRN first."
    return (
        f"The voice {voice.folder} cannot speak yet: its Text2Mel has no checkpoint; train it "
        f"first."
    )
