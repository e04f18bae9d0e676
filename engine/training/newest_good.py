"""The newest checkpoint that is as it was written; damaged ones are told and moved aside."""

from engine.board import Board
from engine.checkpoint_folders import (
    CheckpointEntry,
    DamagedCheckpointError,
    move_aside,
    step_folders,
)
from engine.choices import NetworkName
from engine.errors import InputError
from engine.training.checkpoint import Checkpoint, load_checkpoint
from engine.voice import Voice


def load_newest_good(voice: Voice, network: NetworkName, board: Board) -> Checkpoint | None:
    """Return the newest checkpoint of a network of which no byte has changed, or None without any.

    Newer ones that are damaged are named on the board and moved aside, never removed.

    Raises:
        InputError: one cannot be read, or all are damaged: where nothing is good, nothing is
            moved, and training does not begin anew by itself.
    """
    bad: list[DamagedCheckpointError] = []
    folders = step_folders(voice.folder / network / "checkpoints")
    newest_first = list(reversed(folders))
    for entry in newest_first:
        try:
            checkpoint = load_checkpoint(entry.path)
        except DamagedCheckpointError as error:
            bad.append(error)
            continue
        for place, fault in zip(newest_first, bad, strict=False):
            _put_aside(place, fault, checkpoint.step, board)
        return checkpoint
    if bad:
        raise InputError(
            f"No checkpoint of {network} in {voice.folder} is as it was written: {bad[0]} Put back "
            f"a copy of one, or move them all away to begin anew."
        )
    return None


def _put_aside(
    entry: CheckpointEntry, fault: DamagedCheckpointError, used: int, board: Board
) -> None:
    try:
        where = f"it is kept as {move_aside(entry.path).name}"
    except OSError as error:
        where = f"it cannot be renamed ({error.strerror})"
    board.event(f"{fault.what}: {where}, and the one of step {used:,} is used", "warning")
