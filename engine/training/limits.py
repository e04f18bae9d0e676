"""Where a run stops: at the point that was asked for, where the voice's budget is spent, or where
training brings nothing more."""

import math

from engine.choices import NetworkName
from engine.errors import EngineError, InputError
from engine.machine.background import BackgroundThread
from engine.run.publisher import Publisher
from engine.run.stop import (
    Stop,
    StopPoint,
    StopRule,
    StoredStop,
    forget_stop,
    read_stored_stop,
    store_stop,
)
from engine.training.budget import Budget
from engine.training.cost import CostMeter
from engine.voice.folder import Voice


class Limits:
    """Knows the stop of a network and the budget of the run; says when one is reached."""

    def __init__(
        self,
        voice: Voice,
        network: NetworkName,
        publisher: Publisher,
        cost: CostMeter,
        budget: Budget,
    ) -> None:
        """Begin without a stop."""
        self._voice = voice
        self._network = network
        self._publisher = publisher
        self._cost = cost
        self.budget = budget
        """Of the whole run."""
        self._point: StopPoint | None = None
        self._text = ""
        self._stored: bool | None = None
        self._first_step = 0

    def begin(self, stop: Stop | None, step: int) -> None:
        """Take up the stop as preflight left it, which may be one that the last run did not reach.

        What the preparation cost may have used up the sum at which to stop: that counts as reached.

        Raises:
            InputError: the point lies behind.
        """
        self._first_step = step
        if not isinstance(stop, StoredStop):
            rule = stop if isinstance(stop, StopRule) else None
            self.set_stop(rule, step, self._cost.spent_before)
            return
        self._point, self._text, self._stored = stop.point, stop.text, True
        self._publisher.update(stop=stop.point, stop_text=stop.text)
        self._publisher.event(
            f"still stopping at {stop.point.words}, as before; s or --stop-at changes that"
        )

    def reached(self, step: int) -> bool:
        """Whether a limit is reached at a step."""
        return self.budget.used_up or self._stop_reached(step) or self._is_flat

    def report(self, step: int) -> None:
        """Say which limit is reached at a step: the budget comes before the stop."""
        if self.budget.used_up:
            self._publisher.event(self.budget.text(), "warning")
        else:
            text = f"reached the stop at step {step:,}"
            if not self._stop_reached(step) and (advice := self._publisher.snapshot.advice):
                text = f"stopped at step {step:,} by --stop-when flat: {advice.text}"
            self._publisher.event(text)
            self._publisher.notify("stop", text)

    @property
    def _is_flat(self) -> bool:
        """Whether the run is to stop when flat, and is, by what was seen in this run."""
        shown = self._publisher.snapshot
        advice = shown.advice if shown.stop_when == "flat" and shown.is_flat else None
        return advice is not None and advice.step > self._first_step

    def _stop_reached(self, step: int) -> bool:
        cost = self._cost
        return self._point is not None and self._point.reached(
            step, cost.training_seconds, cost.spent
        )

    def set_stop(self, rule: StopRule | None, step: int, spent: float | None = None) -> None:
        """Resolve a rule to a point on the counters, and store it; None trains without end.

        Args:
            rule: when to stop.
            step: the global step.
            spent: the US dollars that a sum is compared with; None for those spent by now.

        Raises:
            InputError: the point lies behind.
        """
        if self._is_flat:
            self._publisher.update(stop_when="")  # a person has seen that, and wants more
        cost, point = self._cost, None
        if rule is not None:
            # A price that the cloud is yet to name will do for a stop at a sum of money.
            price = cost.price or (math.inf if self._voice.settings.price_auto else 0.0)
            spent = cost.spent if spent is None else spent
            point = rule.resolve(step, cost.training_seconds, spent, price)
        self._point, self._text = point, rule.text if rule else ""
        self._publisher.update(stop=point, stop_text=self._text)
        self._store(None if point is None else StoredStop(point, self._text))

    def store_stop(self, step: int, *, done: bool, given_up: bool = False) -> None:
        """Store for the next run whether there is a stop to reach.

        There is none where it was given up, or is reached and the run is `done` with it: one that
        trains another network still, and is killed, must not train this one on.
        """
        reached = self._stop_reached(step)
        keep = self._point is not None and not (given_up or (reached and done))
        if (given_up or reached) and keep is not self._stored:
            self._store(StoredStop(self._point, self._text) if keep and self._point else None)

    def _store(self, stop: StoredStop | None) -> None:
        self._stored = stop is not None
        try:
            store_stop(self._voice.locate() / self._network, stop)
        except EngineError as error:
            self._publisher.event(f"the stop is kept for this run only: {error}", "warning")

    def change_stop(self, rule: StopRule | None, step: int) -> bool:
        """Set another stop, as a person asks; return whether that is possible."""
        if self.refuse_to_resume():
            return False
        try:
            self.set_stop(rule, step)
        except InputError as error:
            self._publisher.event(str(error), "error")
            return False
        clock = self._point is not None and self._point.at is not None and self._point.words
        self._publisher.event(f"stop at {clock or rule.text}" if rule else "no stop")
        return True

    def refuse_to_resume(self) -> bool:
        """Whether training cannot continue, because the budget is spent; if so, say it."""
        if self.budget.used_up:
            self._publisher.event(self.budget.text(), "error")
        return self.budget.used_up


class EarlyStop:
    """Stores a stop that is asked for before the first step, from where on `Limits` does.

    Features may take long to compute, and the machine may be gone before they are.
    """

    def __init__(self, voice: Voice, network: NetworkName, publisher: Publisher) -> None:
        """Note what is stored by now."""
        self._voice, self._folder = voice, voice.folder / network
        self._publisher = publisher
        self._rule: StopRule | None = None
        self._asked = False
        try:
            self._before = read_stored_stop(self._folder)
        except InputError:  # preflight has said so
            self._before = None
        self._writer = BackgroundThread("storing the stop", self._store, publisher.event)

    def start(self) -> None:
        """Write in a thread from here on, for callers that must not wait."""
        self._writer.start()

    def stop(self) -> None:
        """Write what was asked for, and nothing more."""
        self._writer.stop()

    def ask(self, rule: StopRule | None) -> None:
        """Store a rule, as it resolves now; None stores that there is no stop."""
        if not self._writer.stopped:
            self._rule, self._asked = rule, True
            self._writer.request()

    def undo(self) -> None:
        """Store what was stored before, and nothing more."""
        self.stop()
        try:
            if self._asked and self._before is not None:
                store_stop(self._folder, self._before)
            elif self._asked:
                forget_stop(self._folder)
        except (EngineError, OSError) as error:
            self._publisher.event(f"the stop stays as it was asked for: {error}", "warning")

    def _store(self) -> None:
        rule, settings, spend = self._rule, self._voice.settings, self._voice.spend
        stop = None
        if rule is not None:
            price = settings.price or (math.inf if settings.price_auto else 0.0)
            given = (self._publisher.snapshot.step, spend.seconds, spend.usd, price)
            try:
                stop = StoredStop(rule.resolve(*given), rule.text)
            except InputError:
                return  # `Limits` says so
        if self._voice.locate() == self._voice.folder:
            store_stop(self._folder, stop)
        self._publisher.update(stop_text=rule.text if rule else "")
