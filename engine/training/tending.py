"""What is kept of a run: sound steps alone, with the account and the attention brought up to date.

How a step comes to the disk, and when one is due, is the keeper's matter.
"""

from engine.errors import EngineError
from engine.run.publisher import Publisher
from engine.training.checkpointer import DivergedError, Keeper
from engine.training.metrics import Teller
from engine.training.rollback import SickError
from engine.training.sickness import Sickness
from engine.training.spend_recorder import SpendRecorder
from engine.training.standing import Standing


class Tending:
    """Has steps saved, unless they are sick: then the run goes back instead."""

    def __init__(
        self,
        publisher: Publisher,
        standing: Standing,
        spend: SpendRecorder,
        keeper: Keeper,
        teller: Teller,
        sickness: Sickness,
    ) -> None:
        self._publisher = publisher
        self._standing = standing
        self._spend = spend
        self._keeper = keeper
        self._teller = teller
        self._sickness = sickness

    def tend(self) -> None:
        """Note what was saved; copy this step where that is due, and renew the attention.

        Raises:
            SickError: the run is sick, and cannot go back.
        """
        step = self._standing.step
        if not self._keeper.wants(step):
            return
        self._spend.record(step)
        if self._sickness.falls_back_unsaved():
            return
        try:
            self._keeper.begin(step, self._teller.unlogged)
        except DivergedError as error:
            self._sickness.falls_back(str(error))
            return
        self._teller.draw_attention(step)

    def ask_to_save(self) -> None:
        """Do as a person asks who wants this step saved."""
        step = self._standing.step
        if step == 0:
            self._publisher.event("nothing has been learned yet that could be saved")
        elif step == self._keeper.saved_step:
            self._publisher.event(f"step {step:,} is saved already")
        else:
            self.try_to_save()

    def try_to_save(self) -> None:
        """Have this step saved, or the first after a checkpoint that is being written."""
        self._keeper.want()
        self.tend()

    def save_at_once(self) -> float:
        """Save this step and wait until it is on the disk; trouble is told, and tried again.

        Returns the seconds that the last write took.
        """
        try:
            self.save()
        except SickError:
            raise
        except EngineError:
            self._keeper.want()
        return self._keeper.write_seconds

    def save_and_draw(self, *, last: bool = False) -> None:
        """Save this step and wait for it; renew the attention where there was something to save.

        Raises:
            EngineError: the checkpoint cannot be written.
        """
        if self.save(last=last):
            self.draw_attention()

    def save(self, *, last: bool = False) -> bool:
        """Save this step and wait for it; say whether there was something to save.

        The `last` step of a run is worth a longer wait for a disk that refuses it.

        Raises:
            EngineError: the checkpoint cannot be written.
        """
        step = self._standing.step
        self._spend.record(step)
        self._keeper.settle()
        if step in (0, self._keeper.saved_step):
            return False
        if self._sickness.falls_back_unsaved():
            return False
        save = self._keeper.save_at_last if last else self._keeper.save
        try:
            return save(step, self._teller.unlogged)
        except DivergedError as error:
            self._sickness.falls_back(str(error))
            return False

    def draw_attention(self) -> None:
        """Draw the attention as it is at this step."""
        self._teller.draw_attention(self._standing.step)
