"""What is kept: the checkpoint of a step, and of those before it what the settings say."""

import torch

from engine.board import Board
from engine.errors import EngineError
from engine.training.checkpoint import Checkpoint, remove_superseded, save_checkpoint
from engine.training.preparation import Prepared


class DivergedError(EngineError):
    """Loss or weights are not finite any more: what is on disk is better than what is not."""


class Keeper:
    """Writes the checkpoints of a run, and none of weights that are not finite."""

    def __init__(self, prepared: Prepared, board: Board) -> None:
        self._prepared = prepared
        self._voice = prepared.voice
        self._network = prepared.network
        self._board = board
        newest = self._voice.newest(self._network)
        self.saved_step = newest.step if newest else None
        """The newest checkpoint on disk."""

    def save(self, step: int) -> None:
        """Write the checkpoint of a step and remove those that it supersedes.

        Raises:
            DivergedError: the weights are not finite; nothing has been written.
            EngineError: it cannot be written; those before it are untouched.
        """
        checkpoint = self._checkpoint(step)
        if not all(bool(torch.isfinite(tensor).all()) for tensor in checkpoint.weights.values()):
            raise self.diverged("weights are not finite", step)
        save_checkpoint(checkpoint, self._voice.checkpoint_folder(self._network, step))
        self.saved_step = step
        self._board.update(checkpoint_step=step)
        self._board.event(f"checkpoint {step:,} saved")
        try:
            remove_superseded(self._voice, self._network, self._prepared.base_step)
        except OSError as error:
            self._board.event(f"an old checkpoint cannot be removed: {error}", "warning")

    def diverged(self, what: str, step: int) -> DivergedError:
        """Say what is not finite, and from where to train on."""
        saved = (
            "there is no checkpoint yet"
            if self.saved_step is None
            else f"the checkpoint of step {self.saved_step:,} is untouched"
        )
        return DivergedError(
            f"{self._network}: the {what} at step {step:,}; {saved}. Train on from there, with "
            f"--precision fp32 or from an older checkpoint if it happens again."
        )

    def _checkpoint(self, step: int) -> Checkpoint:
        learner = self._prepared.learner
        settings = self._voice.settings
        return Checkpoint(
            network=self._network,
            spec=learner.spec,
            symbols=settings.symbols,
            step=step,
            base_step=self._prepared.base_step,
            recipe=learner.recipe.name,
            seed=settings.seed,
            moments_from=learner.moments_from,
            weights=learner.weights(),
            average=learner.average(),
            optimizer=learner.optimizer_state(),
            recovery=learner.recovery,
        )
