"""The budget of a voice: what all its runs together may cost, watched between steps."""

import math
from dataclasses import replace

from engine.errors import VoicecoachError
from engine.formatting import whole_minutes
from engine.run.publisher import Publisher
from engine.run.stop import MAX_USD
from engine.training.cost import CostMeter
from engine.voice.folder import Voice

WARNING_SHARE = 0.8
"""Of the budget; whoever has spent it is warned."""
# A cloud that is asked for the price answers well before.
_PRICE_SECONDS = 60.0
# Seconds; at a price of next to nothing a budget lasts for longer than can be written.
_ENDLESS = 1e10


class Budget:
    """Warns where most of the budget is spent, and knows when it is used up."""

    def __init__(self, voice: Voice, publisher: Publisher, cost: CostMeter) -> None:
        """Take the budget from the voice's settings."""
        self._voice = voice
        self._publisher = publisher
        self._cost = cost
        self._usd = voice.settings.budget
        self._warned = False
        self._told_unknown = False

    @property
    def used_up(self) -> bool:
        """Whether all of it is spent."""
        return 0 < self._usd <= self._cost.spent

    @property
    def sentence(self) -> str:
        """Say that it is used up, and what goes on."""
        return (
            f"the budget of ${self._usd:,.2f} is used up: ${self._cost.spent:,.2f} is spent; a "
            f"larger budget lets training go on"
        )

    def look(self) -> None:
        """Warn once at four fifths, and once where it cannot be watched."""
        if self._usd <= 0:
            return
        cost = self._cost
        if not self._warned and cost.spent >= WARNING_SHARE * self._usd:
            self._warned = True
            self._publisher.event(self._warning(), "warning")
        unknown = cost.price <= 0 and cost.run_seconds >= _PRICE_SECONDS
        if unknown and not self._told_unknown:
            self._told_unknown = True
            self._publisher.event(
                f"the budget of ${self._usd:,.2f} cannot be enforced: no price is known; give "
                f"--price",
                "warning",
            )

    def _warning(self) -> str:
        spent, price = self._cost.spent, self._cost.price
        share = math.floor(100 * spent / self._usd)
        left = ""
        if price > 0 and spent < self._usd:
            seconds = min((self._usd - spent) / price * 3600, _ENDLESS)
            left = f"; the rest lasts {whole_minutes(seconds)}"
        return f"{share} % of the budget is spent: ${spent:,.2f} of ${self._usd:,.2f}{left}"

    def change(self, usd: float) -> bool:
        """Set another budget in US dollars, 0 for none; say whether it could be taken."""
        spent = self._cost.spent
        trouble = ""
        if not (math.isfinite(usd) and 0 <= usd <= MAX_USD):
            trouble = "the budget must be an amount of US dollars"
        elif 0 < usd <= spent:
            trouble = f"a budget of ${usd:,.2f} is too small: ${spent:,.2f} is spent already"
        elif usd > 0 and self._cost.price <= 0 and not self._voice.settings.price_auto:
            trouble = "a budget needs a price; end, and give --price in $ an hour"
        if trouble:
            self._publisher.event(trouble, "error")
            return False
        self._usd, self._warned = usd, False
        self._publisher.update(budget=usd)
        self._publisher.event(f"budget ${usd:,.2f}" if usd else "no budget")
        try:
            self._voice.save(replace(self._voice.settings, budget=usd))
        except VoicecoachError as error:
            self._publisher.event(f"the budget lasts for this run only: {error}", "warning")
        return True
