"""When a run shall stop: one small language for the command line and the screen."""

import math
import re
from dataclasses import dataclass
from typing import Literal

from engine.errors import InputError
from engine.formatting import brief

_STEPS_AND_TIMES = "900k or 900000 (a step), +20k (steps from now), 2h or 90m (of training)"
HOW_TO_SAY_WHEN = f"{_STEPS_AND_TIMES}, $10"
"""The forms that `parse_stop` understands, for prompts and errors."""
HOW_TO_SAY_WHEN_IN_A_SHELL = f"{_STEPS_AND_TIMES}, '$10' (in quotes)"
"""The same for the command line, where a shell takes `$1` of a bare $10 for a name of its own."""
NONE: Literal["none"] = "none"
"""The word for no stop, and for no budget."""

# Digits are the ten of ASCII: \d would also take those of other scripts. Commas only between
# thousands: 1,5h is somebody's one and a half hours, and not fifteen.
_NUMBER = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?"
_STEP = re.compile(rf"(?P<plus>\+?)(?P<number>{_NUMBER})(?P<unit>[kKM]?)")
_TIME = re.compile(rf"(?:(?P<hours>{_NUMBER})h)?(?:(?P<minutes>{_NUMBER})m(?:in)?)?")
_MONEY = re.compile(rf"\$(?P<usd>{_NUMBER}|\.[0-9]+)")
_SPACE_AT_A_SIGN = re.compile(r"(?<![0-9])\s+|\s+(?![0-9])")
MAX_STEPS = 10**9
"""No network has a later step: a hundred steps a second, day and night, for four months."""
_MAX_SECONDS = 100_000 * 3600.0
MAX_USD = 10.0**9
"""No sum of money is larger."""


class AlreadyThereError(InputError):
    """The voice is where it was to stop, by step, sum or budget: there is nothing to train."""


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
            AlreadyThereError: it is the step at which the voice stands, or a sum that is spent.
            InputError: the point lies behind or beyond `MAX_STEPS`, or money is asked of a
                machine without a price.
        """
        if self.kind == "more steps":
            last = step + int(self.amount)
            if last > MAX_STEPS:
                raise InputError(
                    f"cannot stop at {self.text}: that is step {last:,}, and the maximum is "
                    f"{MAX_STEPS:,}; give fewer steps"
                )
            return StopPoint(step=last)
        if self.kind == "time":
            return StopPoint(training_seconds=training_seconds + self.amount)
        if self.kind == "step":
            if self.amount == step:
                raise AlreadyThereError(
                    f"the voice stands at step {step:,}, where it was to stop; give a later step, "
                    f"or +1k for a thousand more"
                )
            if self.amount < step:
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
            raise AlreadyThereError(
                f"cannot stop at {self.text}: ${usd:.2f} is spent already; give a larger sum"
            )
        return StopPoint(usd=self.amount)


Stop = StopRule | Literal["none"]
"""When to stop, or that training goes on without end."""


def parse_stop(text: str, forms: str = HOW_TO_SAY_WHEN) -> StopRule:
    """Read `900k`, `900000`, `+20k`, `2h`, `90m`, `1h30m` or `$10`.

    Args:
        text: what a person wrote.
        forms: what errors say can be written.

    Raises:
        InputError: the text is none of these, or asks for nothing at all or for too much.
    """
    said = _SPACE_AT_A_SIGN.sub("", text.strip())
    rule = _parse_steps(said, forms) or _parse_time(said) or _parse_money(said)
    if rule is None:
        raise InputError(f"cannot read {brief(text)} as a time to stop; write {forms}")
    if rule.amount <= 0:
        raise InputError(f"{brief(text)} asks for no training at all; write {forms}")
    most = {"time": _MAX_SECONDS, "money": MAX_USD}.get(rule.kind, MAX_STEPS)
    if rule.amount > most:
        raise InputError(f"{brief(text)} is more than anyone can train; write {forms}")
    return rule


def parse_budget(text: str) -> float:
    """Read `$30`, `30` or `30.50` as US dollars; `none` and 0 are no budget.

    Raises:
        InputError: it is no sum of money.
    """
    said = _SPACE_AT_A_SIGN.sub("", text.strip())
    if said.lower() == NONE:
        return 0.0
    match = _MONEY.fullmatch(said if said.startswith("$") else f"${said}")
    usd = math.nan if match is None else _number(match["usd"])
    if not usd <= MAX_USD:
        raise InputError(
            f"cannot read {brief(text)} as a budget; write US dollars for the whole voice, such "
            f"as 30 or 30.50, or none"
        )
    return usd


def _parse_steps(said: str, forms: str) -> StopRule | None:
    # A bare 90m is ninety minutes: whoever means ninety million steps writes M.
    match = _STEP.fullmatch(said)
    if match is None:
        return None
    factor = {"": 1, "k": 1_000, "K": 1_000, "M": 1_000_000}[match["unit"]]
    steps = _number(match["number"]) * factor
    if steps < 1 or steps.is_integer():
        return StopRule("more steps" if match["plus"] else "step", math.floor(steps), said)
    raise InputError(f"{said!r} is no whole number of steps; write {forms}")


def _parse_time(said: str) -> StopRule | None:
    match = _TIME.fullmatch(said)
    if match is None or not said:
        return None
    return StopRule("time", _number(match["hours"]) * 3600 + _number(match["minutes"]) * 60, said)


def _parse_money(said: str) -> StopRule | None:
    match = _MONEY.fullmatch(said)
    return None if match is None else StopRule("money", _number(match["usd"]), said)


def _number(said: str | None) -> float:
    """A number as it was written, 0 for none; too many digits to be meant become a huge one."""
    return min(float((said or "0").replace(",", "")), 1e15)
