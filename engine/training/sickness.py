"""Where a run is sick: back to weights that were sound, and a person asked where that is vain."""

from engine.run.publisher import Publisher
from engine.run.snapshot import Phase
from engine.training.checkpointer import Keeper
from engine.training.cost import CostMeter
from engine.training.divergence import MAX_ROLLBACKS
from engine.training.metrics import Teller
from engine.training.rollback import Rollbacks, SickError
from engine.training.setup import TrainingContext
from engine.training.standing import Standing


class Sickness:
    """Takes a sick run back, with its account and its history, or gives it up."""

    def __init__(
        self,
        prepared: TrainingContext,
        publisher: Publisher,
        standing: Standing,
        paid: CostMeter,
        keeper: Keeper,
        teller: Teller,
    ) -> None:
        self._base_step = prepared.base_step
        self._publisher = publisher
        self._standing = standing
        self._paid = paid
        self._keeper = keeper
        self._teller = teller
        self._rollbacks = Rollbacks(prepared, publisher)
        self.given_up = ""
        """Why a person is waited for, as a sentence; empty while the run goes on by itself."""

    def falls_back_after(self, logged: float | None) -> bool:
        """Look at a logged loss, None where none was finite; go back where it is sick.

        Returns whether the run went back.

        Raises:
            SickError: no checkpoint is good, or it was tried often enough and nobody is there.
        """
        return self.falls_back(self._rollbacks.look(self._standing.step, logged, logged=True))

    def falls_back_unsaved(self) -> bool:
        """Look at what was made since the last logged step, so that no sick weights are saved.

        Returns and raises as `falls_back_after` does.
        """
        loss = self._teller.loss_since_logged()
        return self.falls_back(self._rollbacks.look(self._standing.step, loss, logged=False))

    def falls_back(self, trouble: str) -> bool:
        """Where there is trouble, go back to the last good checkpoint; say whether there is.

        How often the run went back is kept with the checkpoint that it goes on from, and so a run
        that is taken up again has not more tries than one that never ended. Imported weights stay
        as they were imported: of tries from there, and from fresh weights, the first checkpoint
        after them is the first that tells.

        Raises:
            SickError: no checkpoint is good, or it was tried often enough and nobody is there.
        """
        if not trouble:
            return False
        self._paid.close_stretch(self._standing.step)
        self._keeper.settle()
        hopeless = self._rollbacks.exhausted
        step, unlogged, why = self._rollbacks.go_back(self._standing.step, trouble)
        self._standing.step = step
        self._standing.restarts += 1
        self._paid.ledger.go_back(step)
        self._teller.go_back(step, unlogged)
        self._teller.note(step, why)
        self._keeper.went_back(step)
        if hopeless:
            self._give_up(why)
        elif step > self._base_step:
            # The same weights, with what has become of the run: also a resume shall know it.
            self._keeper.begin(step, unlogged)
        return True

    def _give_up(self, why: str) -> None:
        """Wait for a person; without one, end.

        Raises:
            SickError: nobody is there.
        """
        self.given_up = (
            f"{why}. The learning rate was lowered {MAX_ROLLBACKS} times already: look at the "
            f"recordings, make a voice with another preset, or train with --precision fp32."
        )
        standing = self._standing
        if standing.finishing:
            return
        if not standing.attended:
            raise SickError(self.given_up)
        self._publisher.event(f"paused at step {standing.step:,}: p tries again", "error")
        self._publisher.update(alarm=self.given_up)
        standing.wait(Phase.PAUSED)

    def try_again(self) -> None:
        """Go on because a person wants it, with a still lower learning rate and other batches."""
        self.given_up = ""
        self._standing.restarts += 1
        self._publisher.update(alarm="")
        terms = self._rollbacks.try_again()
        self._publisher.event(f"tried again from step {self._standing.step:,} {terms}")
