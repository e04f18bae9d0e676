"""A learner that shares its batches with those of other processes."""

import torch

from engine.checkpoints.checkpoint import Checkpoint
from engine.checkpoints.state import Recovery
from engine.data.batches import Batch
from engine.evaluation.losses import LossParts
from engine.machine.ranks import Order, Ranks
from engine.networks.text2mel import Text2Mel
from engine.training.learner import Learner


class RankLearner(Learner):
    """Makes the steps of one process, once it has joined others; until then, its own.

    The gradients of all are summed, so that every process makes the same update. Steps may raise
    `RankLostError`: another process has ended.
    """

    ranks: Ranks | None = None
    """The processes that share each batch."""

    def join(self, ranks: Ranks) -> None:
        """Take this rank's share of each batch from now on."""
        self.ranks = ranks
        self._share = ranks.place.rank, ranks.place.ranks
        if ranks.leads:
            self._give_state()

    def restore(self, checkpoint: Checkpoint | None) -> None:
        """Take over a checkpoint as `Learner` does; as rank 0, have the others do so, too."""
        super().restore(checkpoint)
        self._give_state()

    def _give_state(self) -> None:
        if self.ranks is not None:
            self.ranks.order(Order("take state"))
            self.agree()

    def agree(self) -> None:
        """Copy rank 0's weights, optimizer state and counters; all ranks call it together."""
        assert self.ranks is not None
        ours = self.base_step, self.optimizer_start_step, self._updates
        self.base_step, self.optimizer_start_step, self._updates = self.ranks.share(ours)
        self.ranks.share_tensors([self._weights.flat, *self._optimizer.tensors])
        self._refresh()

    def follow(self, order: Order, batch: Batch) -> None:
        """Make the step that rank 0 has ordered, on this rank's share of its batch."""
        self.recovery = Recovery(rate_factor=order.rate_factor, salt=order.salt)
        self._updates = order.updates
        self.step(batch, order.step)

    def _gradients_of_step(self, batch: Batch, step: int) -> LossParts:
        ranks, recovery = self.ranks, self.recovery
        if ranks is not None and ranks.leads:
            given = step, self._updates, recovery.salt, recovery.rate_factor
            ranks.order(Order("step", *given))
        losses = super()._gradients_of_step(batch, step)
        return losses if ranks is None else self._sum(losses, ranks)

    @torch.no_grad()
    def _sum(self, losses: LossParts, ranks: Ranks) -> LossParts:
        """Add up the gradients of all ranks, and return the sums of their losses."""
        self._gradients.tail.copy_(losses.stacked())
        ranks.sum(self._gradients.whole)
        total, l1, divergence, attention = self._gradients.tail.clone()
        guided = attention if isinstance(self.network, Text2Mel) else None
        return LossParts(total, l1, divergence, guided)
