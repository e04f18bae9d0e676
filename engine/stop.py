"""When a run shall stop: one small language for the command line and the screen."""

import re
from dataclasses import dataclass
from typing import Literal

from engine.errors import InputError

HOW_TO_SAY_WHEN = "900k or 900000 (a step), +20k (steps from now), 2h or 90m (of training), $10"
"""The forms that `parse_stop` understands, for help texts and errors."""

_STEP = re.compile(r"(?P<plus>\+?)(?P<number>\d+(?:\.\d+)?)(?P<unit>[kKmM]?)")
_TIME = re.compile(r"(?:(?P<hours>\d+(?:\.\d+)?)h)?(?:(?P<minutes>\d+(?:\.\d+)?)m(?:in)?)?")
_MONEY = re.compile(r"\$(?P<usd>\d+(?:\.\d+)?|\.\d+)")
_MOST_STEPS = 10**10


@dataclass(frozen=True)
class StopPoint:
    """Where a run ends, on the counters that the screen shows; one field is set."""

    step: int | None = None
    """The last global step."""
    training_seconds: float | None = None
    """Training time of the voice in seconds, all its runs together."""
    usd: float | None = None
    """Spend of the voice in US dollars, all its runs together."""

    def reached(self, step: int, training_seconds: float, usd: float) -> bool:
        """Say whether the counters have arrived."""
        if self.step is not None:
            return step >= self.step
        if self.training_seconds is not None:
            return training_seconds >= self.training_seconds
        return self.usd is not None and usd >= self.usd


@dataclass(frozen=True)
class StopRule:
    """What a person asked for, before it is known where the run stands."""

    kind: Literal["step", "more steps", "time", "money"]
    amount: float
    """Steps, seconds or US dollars."""
    text: str
    """As it was written."""

    def resolve(self, step: int, training_seconds: float, usd: float, price: float) -> StopPoint:
        """Turn the rule into a point on the counters.

        Steps with a plus and times count from now; a plain step is the global step, and money
        is the voice's whole spend, as the screen shows it.

        Raises:
            InputError: the point lies behind, or money is asked of a machine without a price.
        """
        if self.kind == "more steps":
            return StopPoint(step=step + int(self.amount))
        if self.kind == "time":
            return StopPoint(training_seconds=training_seconds + self.amount)
        if self.kind == "step":
            if self.amount <= step:
                raise InputError(
                    f"cannot stop at step {int(self.amount):,}: the voice stands at {step:,} "
                    f"already; give a later step, or +1k for a thousand more"
                )
            return StopPoint(step=int(self.amount))
        if price <= 0:
            raise InputError(
                f"cannot stop at {self.text}: this run has no price; give --price in $ an hour"
            )
        if self.amount <= usd:
            raise InputError(
                f"cannot stop at {self.text}: ${usd:.2f} is spent already; give a larger sum"
            )
        return StopPoint(usd=self.amount)


def parse_stop(text: str) -> StopRule:
    """Read `900k`, `900000`, `+20k`, `2h`, `90m`, `1h30m` or `$10`.

    Raises:
        InputError: the text is none of these, or asks for nothing at all.
    """
    said = text.strip().replace(",", "").replace(" ", "")
    rule = _parse_steps(said) or _parse_time(said) or _parse_money(said)
    if rule is None:
        raise InputError(f"cannot read {text!r} as a time to stop; write {HOW_TO_SAY_WHEN}")
    if rule.amount <= 0:
        raise InputError(f"{text!r} asks for no training at all; write {HOW_TO_SAY_WHEN}")
    return rule


def _parse_steps(said: str) -> StopRule | None:
    match = _STEP.fullmatch(said)
    # A bare 90m is ninety minutes: whoever means ninety million steps writes M.
    if match is None or match["unit"] == "m":
        return None
    factor = {"": 1, "k": 1_000, "K": 1_000, "M": 1_000_000}[match["unit"]]
    amount = round(float(match["number"]) * factor)
    if amount > _MOST_STEPS:
        raise InputError(f"{said!r} is more steps than anyone can train; write {HOW_TO_SAY_WHEN}")
    return StopRule("more steps" if match["plus"] else "step", amount, said)


def _parse_time(said: str) -> StopRule | None:
    match = _TIME.fullmatch(said)
    if match is None or not said:
        return None
    seconds = float(match["hours"] or 0) * 3600 + float(match["minutes"] or 0) * 60
    return StopRule("time", seconds, said)


def _parse_money(said: str) -> StopRule | None:
    match = _MONEY.fullmatch(said)
    return None if match is None else StopRule("money", float(match["usd"]), said)
