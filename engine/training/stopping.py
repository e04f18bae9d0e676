"""Where a run stops: at the point that was ordered, or where its budget is used up."""

import math

from engine.board import Board
from engine.errors import EngineError, InputError
from engine.order import Stop
from engine.snapshot import Phase
from engine.stop import StopPoint, StopRule
from engine.training.budget import Budget
from engine.training.ledger_keeper import LedgerKeeper
from engine.training.rollback import SickError
from engine.training.standing import Standing
from engine.training.tending import Tending
from engine.voice import Voice


class Stopping:
    """Knows the stop and the budget, and what is to be done where one is reached."""

    def __init__(
        self, voice: Voice, board: Board, ledger: LedgerKeeper, standing: Standing, tending: Tending
    ) -> None:
        """Begin without a stop, and with the budget from the voice's settings."""
        self._settings = voice.settings
        self._board = board
        self._ledger = ledger
        self._standing = standing
        self._tending = tending
        self._budget = Budget(voice, board, ledger)
        self._point: StopPoint | None = None

    @property
    def reached(self) -> bool:
        """Whether it is time to end, by the stop or by the budget."""
        if self._budget.used_up or self._point is None:
            return self._budget.used_up
        ledger = self._ledger
        return self._point.reached(self._standing.step, ledger.voice_seconds, ledger.spent)

    def begin(self, stop: Stop | None, spent: float) -> None:
        """Take up the stop that was ordered.

        Args:
            stop: when to stop.
            spent: the US dollars of the voice when the run began.

        Raises:
            InputError: the point lies behind.
        """
        self.set(stop if isinstance(stop, StopRule) else None, spent)

    def set(self, rule: StopRule | None, spent: float | None = None) -> None:
        """Resolve a rule against the counters, or train without end.

        Args:
            rule: when to stop.
            spent: the US dollars against which a sum is held; None for those of this moment.

        Raises:
            InputError: the point lies behind.
        """
        ledger = self._ledger
        # One that the cloud is yet to say can be asked for money as well.
        price = ledger.price or (math.inf if self._settings.price_auto else 0.0)
        held = ledger.spent if spent is None else spent
        self._point = (
            None
            if rule is None
            else rule.resolve(self._standing.step, ledger.voice_seconds, held, price)
        )
        self._board.update(stop=self._point, stop_text=rule.text if rule else "")

    def change(self, rule: StopRule | None) -> bool:
        """Stop elsewhere because a person asks it; say whether that can be."""
        if self.refuses():
            return False
        try:
            self.set(rule)
        except InputError as error:
            self._board.event(str(error), "error")
            return False
        self._board.event(f"stop at {rule.text}" if rule else "no stop: training goes on")
        return True

    def change_budget(self, usd: float) -> bool:
        """Set another budget; say whether a run that it had stopped may go on."""
        before = self._budget.used_up
        return self._budget.change(usd) and before and not self.reached

    def look(self) -> None:
        """Warn once where most of the budget is spent."""
        self._budget.look()

    def refuses(self) -> bool:
        """Whether nothing goes on, because the budget is used up; if so, say it."""
        if self._budget.used_up:
            self._board.event(self._budget.sentence, "error")
        return self._budget.used_up

    def arrive(self) -> None:
        """The stop is reached, or the budget: end, or save and wait for the person."""
        standing = self._standing
        if self._budget.used_up:
            self._board.event(self._budget.sentence, "warning")
        else:
            self._board.event(f"reached the stop at step {standing.step:,}")
        standing.at_stop = standing.attended
        restarts = standing.restarts
        try:
            self._tending.save_and_draw()
        except SickError:
            raise
        except EngineError:
            pass  # the keeper has told it, and tries again at the end, or while a person waits
        if standing.restarts > restarts:
            # What was to be saved was sick, and the stop lies ahead again.
            standing.at_stop = False
        elif standing.attended:
            standing.wait(Phase.AT_STOP)
        else:
            standing.finishing = True
