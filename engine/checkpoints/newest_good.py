"""The newest checkpoint that is as it was written; damaged ones are passed over, and told."""

from dataclasses import dataclass

from engine.checkpoints.checkpoint import Checkpoint, load_checkpoint
from engine.checkpoints.folders import DamagedCheckpointError, move_aside
from engine.choices import NetworkName
from engine.errors import InputError
from engine.run.publisher import Publisher
from engine.voice.folder import Voice
from engine.voice.layout import CheckpointEntry, step_folders


@dataclass(frozen=True)
class NewestGood:
    """What was found where the newest good checkpoint was looked for."""

    checkpoint: Checkpoint | None
    """None where there is none of any kind."""
    damaged: int | None = None
    """The step of the newest one, where that is damaged."""


def load_newest_good(voice: Voice, network: NetworkName, publisher: Publisher) -> NewestGood:
    """Find the newest checkpoint of a network of which no byte has changed.

    Newer ones that are damaged are named in the snapshot and moved aside, never removed.

    Raises:
        InputError: one cannot be read, or all are damaged: where nothing is good, nothing is
            moved, and training does not begin anew by itself.
    """
    bad: list[DamagedCheckpointError] = []
    voice.locate()
    folders = step_folders(voice.folder / network / "checkpoints")
    newest_first = list(reversed(folders))
    for entry in newest_first:
        try:
            checkpoint = load_checkpoint(entry.path)
        except DamagedCheckpointError as error:
            bad.append(error)
            continue
        for place, fault in zip(newest_first, bad, strict=False):
            _put_aside(network, place, fault, checkpoint.step, publisher)
        return NewestGood(checkpoint, newest_first[0].step if bad else None)
    if bad:
        raise InputError(
            f"No checkpoint of {network} in {voice.folder} is as it was written: {bad[0]} Put back "
            f"a copy of one, or move them all away to begin anew."
        )
    return NewestGood(None)


def load_newest_to_speak(voice: Voice, network: NetworkName) -> tuple[Checkpoint | None, str]:
    """Return the newest good checkpoint of a network to speak with, and a note for listeners.

    Nothing is moved: another process may train. The checkpoint is None where there is none; the
    note says which newer ones are damaged, and is empty where all is well.

    Raises:
        InputError: one cannot be read, or all are damaged.
    """
    newest: DamagedCheckpointError | None = None
    passed: list[int] = []
    for entry in reversed(voice.checkpoints(network)):
        try:
            checkpoint = load_checkpoint(entry.path, to_speak=True)
        except DamagedCheckpointError as error:
            newest = newest or error
            passed.append(entry.step)
            continue
        return checkpoint, _note(network, passed, checkpoint.step)
    if newest:
        raise newest
    return None, ""


def _note(network: NetworkName, passed: list[int], used: int) -> str:
    if not passed:
        return ""
    steps = ", ".join(f"{step:,}" for step in passed)
    return f"{network} of step {used:,} speaks, as that of step {steps} is damaged"


def _put_aside(
    network: NetworkName,
    entry: CheckpointEntry,
    fault: DamagedCheckpointError,
    used: int,
    publisher: Publisher,
) -> None:
    try:
        where, done = f"it is kept as {move_aside(entry.path).name}", "set aside"
    except OSError as error:
        where, done = f"it cannot be renamed ({error.strerror})", "passed over"
    publisher.warn(
        f"{fault.what}: {where}, and the one of step {used:,} is used",
        f"Checkpoint {entry.step:,} of {network} is damaged: {done}, and that of step {used:,} is "
        f"used.",
    )
