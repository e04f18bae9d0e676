"""Where a run stops: at the point that was ordered, or where its budget is used up."""

import math

from engine.errors import EngineError, InputError
from engine.run.publisher import Publisher
from engine.run.snapshot import Phase
from engine.run.stop import Stop, StopPoint, StopRule
from engine.run.stored_stop import KeptStop, keep_stop, read_kept_stop
from engine.training.budget import Budget
from engine.training.ledger_keeper import SpendRecorder
from engine.training.rollback import SickError
from engine.training.setup import TrainingContext
from engine.training.standing import Standing
from engine.training.tending import Tending


class Stopping:
    """Knows the stop and the budget, and what is to be done where one is reached."""

    def __init__(
        self,
        prepared: TrainingContext,
        publisher: Publisher,
        ledger: SpendRecorder,
        standing: Standing,
        tending: Tending,
    ) -> None:
        """Begin without a stop, and with the budget from the voice's settings."""
        self._voice = voice = prepared.voice
        self._network = prepared.network
        self._settings = voice.settings
        self._publisher = publisher
        self._ledger = ledger
        self._standing = standing
        self._tending = tending
        self._budget = Budget(voice, publisher, ledger)
        self._point: StopPoint | None = None

    @property
    def reached(self) -> bool:
        """Whether it is time to end, by the stop or by the budget."""
        return self._budget.used_up or self._at_point

    @property
    def _at_point(self) -> bool:
        if self._point is None:
            return False
        ledger = self._ledger
        return self._point.reached(self._standing.step, ledger.voice_seconds, ledger.spent)

    def begin(self, asked: Stop | None, spent: float) -> None:
        """Take up the stop that was ordered, or the one that the run before had not come to.

        Args:
            asked: when to stop; None for where the run before was to, if anywhere.
            spent: the US dollars of the voice when the run began.

        Raises:
            InputError: the point lies behind; or nothing was ordered, and what is kept cannot be
                read.
        """
        kept = self._read_kept(asked)
        if kept is not None and kept.holds_for(asked):
            self._point = kept.point
            self._publisher.update(stop=kept.point, stop_text=kept.text)
            self._publisher.event(
                f"its stop was {kept.words}: kept; s, or another --stop-at, changes it"
            )
            return
        self.set(asked if isinstance(asked, StopRule) else None, spent)
        if kept is not None:
            now = "none" if self._point is None else KeptStop(self._point, "").words
            self._publisher.event(f"its stop was {kept.words}, is {now}")

    def _read_kept(self, asked: Stop | None) -> KeptStop | None:
        try:
            return read_kept_stop(self._voice.folder / self._network)
        except InputError as error:
            if asked is None:
                raise
            self._publisher.event(str(error), "warning")
            return None

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
        text = rule.text if rule else ""
        self._publisher.update(stop=self._point, stop_text=text)
        self._keep(None if self._point is None else KeptStop(self._point, text))

    def _keep(self, stop: KeptStop | None) -> None:
        try:
            keep_stop(self._voice.locate() / self._network, stop)
        except EngineError as error:
            self._publisher.event(f"the stop lasts for this run only: {error}", "warning")

    def change(self, rule: StopRule | None) -> bool:
        """Stop elsewhere because a person asks it; say whether that can be."""
        if self.refuses():
            return False
        try:
            self.set(rule)
        except InputError as error:
            self._publisher.event(str(error), "error")
            return False
        self._publisher.event(f"stop at {rule.text}" if rule else "no stop: training goes on")
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
            self._publisher.event(self._budget.sentence, "error")
        return self._budget.used_up

    def arrive(self) -> None:
        """The stop is reached, or the budget: end, or save and wait for the person."""
        standing = self._standing
        if self._budget.used_up:
            self._publisher.event(self._budget.sentence, "warning")
        else:
            self._publisher.event(f"reached the stop at step {standing.step:,}")
        standing.at_stop = standing.attended
        restarts = standing.restarts
        saved = False
        try:
            self._tending.save_and_draw()
            saved = True
        except SickError:
            raise
        except EngineError:
            pass  # the keeper has told it, and tries again at the end, or while a person waits
        if saved and self._at_point:
            self._keep(None)
        if standing.restarts > restarts:
            # What was to be saved was sick, and the stop lies ahead again.
            standing.at_stop = False
        elif standing.attended:
            standing.wait(Phase.AT_STOP)
        else:
            standing.finishing = True

    def end(self, *, cut_short: bool) -> None:
        """Keep the stop for whoever takes the run up, unless it is reached or was given up.

        Args:
            cut_short: whether the cloud takes the machine away, whatever else was asked.
        """
        if self._at_point or (self._standing.given_up and not cut_short):
            self._keep(None)
