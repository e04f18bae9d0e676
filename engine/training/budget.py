"""The budget of a voice, which all its networks and runs share."""

import math
import threading
from dataclasses import replace

from engine.errors import VoicecoachError
from engine.formatting import dollars, whole_minutes
from engine.run.publisher import Publisher
from engine.run.stop import BUDGET_WARNING_SHARE
from engine.training.cost import CostMeter
from engine.voice.folder import Voice

# A cloud that is asked for the price answers well before.
_PRICE_SECONDS = 60.0
# At a price of next to nothing, a budget lasts longer than can be written.
_MAX_SECONDS = 1e10


class Budget:
    """Says whether the budget is used up, warns before, and changes it; from any thread."""

    def __init__(self, voice: Voice, publisher: Publisher, cost: CostMeter) -> None:
        """Begin with the budget from the voice's settings."""
        self._voice = voice
        self._publisher = publisher
        self._cost = cost
        self._usd = voice.settings.budget
        self._warned_of_share = self._warned_of_end = self._warned_of_price = False
        self._changing = threading.Lock()

    @property
    def used_up(self) -> bool:
        """Whether all of it is spent."""
        return 0 < self._usd <= self._cost.spent

    def text(self) -> str:
        """Say that it is used up, and what to do."""
        return (
            f"the budget of {dollars(self._usd)} is used up: {dollars(self._cost.spent)} spent; "
            f"set a larger budget to continue"
        )

    def change(self, usd: float) -> None:
        """Set another budget in US dollars, 0 for none; say so, or why not."""
        with self._changing:
            if usd == self._usd:
                return
            if error := self._error(usd):
                self._publisher.event(error, "error")
                return
            self._usd, self._warned_of_share, self._warned_of_end = usd, False, False
            self._publisher.update(budget=usd)
            self._publisher.event(f"budget {dollars(usd)}" if usd else "no budget")
            try:
                self._voice.save(replace(self._voice.settings, budget=usd))
            except VoicecoachError as error:
                self._publisher.event(f"the budget is kept for this run only: {error}", "warning")

    def _error(self, usd: float) -> str:
        spent = self._cost.spent
        if 0 < usd <= spent:
            return f"a budget of {dollars(usd)} is too small: {dollars(spent)} is spent already"
        if usd > 0 and self._cost.price <= 0 and not self._voice.settings.price_auto:
            return "a budget needs a price: end the run, and give --price in $ an hour"
        return ""

    def warn(self) -> None:
        """Warn once when most of the budget is spent, once when all, and if no price is known."""
        cost = self._cost
        if self._usd <= 0 or not self._changing.acquire(blocking=False):
            return  # another network's trainer is at it
        try:
            if not self._warned_of_end and self.used_up:
                # `Limits.report` writes in the log that a run ends for it.
                self._warned_of_end = self._warned_of_share = True
                self._publisher.notify("budget", self.text())
            if not self._warned_of_share and cost.spent >= BUDGET_WARNING_SHARE * self._usd:
                self._warned_of_share = True
                self._publisher.event(self._share_text(), "warning")
                self._publisher.notify("budget", self._share_text())
            unknown = cost.price <= 0 and cost.run_seconds >= _PRICE_SECONDS
            if unknown and not self._warned_of_price:
                self._warned_of_price = True
                self._publisher.event(
                    f"the budget of {dollars(self._usd)} cannot be enforced: no price is known; "
                    f"give --price",
                    "warning",
                )
        finally:
            self._changing.release()

    def _share_text(self) -> str:
        spent, price = self._cost.spent, self._cost.price
        text = f"{dollars(spent)} of {dollars(self._usd)}"
        if price > 0 and spent < self._usd:
            seconds = min((self._usd - spent) / price * 3600, _MAX_SECONDS)
            text += f"; the rest lasts {whole_minutes(seconds)}"
        return f"{math.floor(100 * spent / self._usd)} % of the budget is spent: {text}"
