"""Finds the newest checkpoint that is not damaged, and sets damaged ones aside."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.checkpoints.checkpoint import Checkpoint, load_checkpoint
from engine.checkpoints.state import DamagedCheckpointError
from engine.choices import NetworkName
from engine.errors import InputError
from engine.run.publisher import Publisher
from engine.voice.folder import Voice
from engine.voice.layout import CheckpointEntry, step_folders


@dataclass(frozen=True)
class NewestGood:
    """The newest good checkpoint of a network, and the damaged ones that are newer."""

    network: NetworkName
    checkpoint: Checkpoint | None
    """None where the network has no checkpoint."""
    damaged: tuple[tuple[CheckpointEntry, str], ...] = ()
    """Newest first, each with a sentence about its damage, without a full stop."""

    @property
    def damaged_step(self) -> int | None:
        """The step of the newest checkpoint, where that is damaged."""
        return self.damaged[0][0].step if self.damaged else None

    @property
    def note(self) -> str:
        """What a listener must know; empty where all is well."""
        if not self.damaged or self.checkpoint is None:
            return ""
        steps = ", ".join(f"{entry.step:,}" for entry, _ in self.damaged)
        return f"{self.network} at step {self.checkpoint.step:,}, because {steps} is damaged"


def find_newest_good(
    voice: Voice,
    network: NetworkName,
    *,
    with_optimizer: bool = True,
    is_sound: Callable[[Checkpoint], bool] = lambda checkpoint: True,
) -> NewestGood:
    """Find the newest checkpoint of a network that is not damaged; nothing is moved.

    Args:
        voice: whose.
        network: of which network.
        with_optimizer: load what only training needs.
        is_sound: whether the weights can be used; the others count as damaged.

    Raises:
        InputError: one cannot be read, or all are damaged.
    """
    voice.locate()
    bad: list[tuple[CheckpointEntry, str]] = []
    for entry in reversed(step_folders(voice.folder / network / "checkpoints")):
        try:
            checkpoint = load_checkpoint(entry.path, with_optimizer=with_optimizer)
        except DamagedCheckpointError as error:
            bad.append((entry, error.what))
            continue
        if is_sound(checkpoint):
            return NewestGood(network, checkpoint, tuple(bad))
        bad.append((entry, f"The checkpoint {entry.path} has weights that are not finite"))
    if bad:
        raise InputError(
            f"No checkpoint of {network} in {voice.folder} is good: {bad[0][1]}. Restore one from "
            f"a backup or the mirror, or move them all away to start over."
        )
    return NewestGood(network, None)


def set_aside_damaged(found: NewestGood, publisher: Publisher) -> None:
    """Rename the damaged checkpoints that are newer than the good one, and warn of each."""
    for entry, what in found.damaged:
        try:
            where, done = f"kept as {_move_aside(entry.path).name}", "set aside"
        except OSError as error:
            where, done = f"it cannot be renamed ({error.strerror})", "passed over"
        assert found.checkpoint is not None  # `find_newest_good` would have raised
        step = f"{found.checkpoint.step:,}"
        publisher.warn(
            f"{what}: {where}; using step {step}",
            f"Checkpoint {entry.step:,} of {found.network} is damaged: {done}, using step {step}.",
        )


def _move_aside(checkpoint: Path) -> Path:
    """Give a damaged checkpoint a name that is never listed, removed or swept; return it."""
    target = checkpoint.with_name(f"{checkpoint.name}-damaged")
    number = 1
    while target.exists():
        number += 1
        target = checkpoint.with_name(f"{checkpoint.name}-damaged-{number}")
    return checkpoint.rename(target)
