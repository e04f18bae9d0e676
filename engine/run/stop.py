"""When a run stops: what a person writes, what it means, and what is stored for the next run.

A run that is killed, or whose machine is taken away, has not reached its stop. The next run keeps
that stop: `+20k` counted anew from the newest checkpoint would train, and cost, more than was
asked for. So the stop lies beside the network's checkpoints, in `stop.json`.
"""

import math
import re
import time
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from engine.choices import NetworkName
from engine.errors import EngineError, InputError
from engine.files import make_folder, read_plain, write_whole
from engine.formatting import brief, dollars, whole_minutes
from engine.serialization import from_json, to_json

_STEPS_AND_TIMES = (
    "900k or 900000 (a step), +20k (steps from now), 2h or 90m (of training), 19:00 (time of day)"
)
STOP_FORMS = f"{_STEPS_AND_TIMES}, $10"
"""The forms that `parse_stop` understands, for prompts and errors."""
STOP_FORMS_IN_A_SHELL = f"{_STEPS_AND_TIMES}, '$10' (in quotes)"
"""The same for the command line, where a shell takes `$1` of a bare $10 for a variable."""
NONE: Literal["none"] = "none"
"""The word for no stop, and for no budget."""

# Digits are the ten of ASCII: \d would also take those of other scripts. Commas only between
# thousands: 1,5h is somebody's one and a half hours, and not fifteen.
_NUMBER = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?"
_MONEY = rf"\$(?P<usd>{_NUMBER}|\.[0-9]+)"
# A bare 90m is ninety minutes: whoever means ninety million steps writes M.
_STOP = re.compile(
    rf"(?P<plus>\+?)(?P<number>{_NUMBER})(?P<unit>[kKM]?)|{_MONEY}|"
    r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})|"
    rf"(?:(?P<hours>{_NUMBER})h)?(?:(?P<minutes>{_NUMBER})m(?:in)?)?"
)
_SPACE_AT_A_SIGN = re.compile(r"(?<![0-9])\s+|\s+(?![0-9])")
MAX_STEPS = 10**9
"""No network has a later step: a hundred steps a second, day and night, for four months."""
Step = Annotated[int, Meta(ge=0, le=MAX_STEPS)]
"""A global step, in dataclasses that are read from files."""
MAX_USD = 10.0**9
"""No sum of money is larger."""
BUDGET_WARNING_SHARE = 0.8
"""Share of the budget at which a warning is shown."""
_MAX_EPOCH = 2.0**33
_MAXIMA = {
    "time": (360e6, "100,000 hours"),
    "clock": (_MAX_EPOCH, "the year 2242"),
    "money": (MAX_USD, f"${MAX_USD:,.0f}"),
}
_MAX_TEXT = 200

_STORED = "stop.json"
_MAX_BYTES = 1_000


class AlreadyThereError(InputError):
    """The voice is where it was to stop, by step, sum or budget: there is nothing to train."""


@dataclass(frozen=True)
class StopPoint:
    """Where a run ends: on one of the counters that the screen shows, or at a time of day."""

    step: int | None = None
    """The last global step."""
    training_seconds: float | None = None
    """Training time of the voice in seconds, all its runs together."""
    usd: float | None = None
    """Spend of the voice in US dollars, all its runs together."""
    at: float | None = None
    """A time, in seconds since the epoch."""

    def reached(self, step: int, training_seconds: float, usd: float) -> bool:
        """Say whether the counters have arrived."""
        if self.step is not None:
            return step >= self.step
        if self.training_seconds is not None:
            return training_seconds >= self.training_seconds
        if self.at is not None:
            return self.at <= time.time()
        return self.usd is not None and usd >= self.usd

    @property
    def words(self) -> str:
        """Name the point, as in "still stopping at …"."""
        if self.step is not None:
            return f"{self.step:,}"
        if self.training_seconds is not None:
            return f"{whole_minutes(self.training_seconds)} of training in all"
        if self.at is not None:
            then = datetime.fromtimestamp(self.at)
            return f"{then:%H:%M} on {then:%a} {then.day} {then:%b}"
        return f"{dollars(self.usd or 0.0)} spent"


@dataclass(frozen=True)
class StopRule:
    """What a person asked for, before it is known where the run stands.

    Raises ValueError for an amount or a text that nobody can mean: rules come from other
    processes, too.
    """

    kind: Literal["step", "more steps", "time", "clock", "money"]
    amount: float
    """Steps, seconds of training, seconds since the epoch, or US dollars."""
    text: Annotated[str, Meta(max_length=_MAX_TEXT)]
    """As it was written; a time of day with two digits for the hour."""

    def __post_init__(self) -> None:
        if not self.amount > 0:
            raise ValueError("must be more than 0")
        largest, unit = _MAXIMA.get(self.kind, (MAX_STEPS, f"{MAX_STEPS:,} steps"))
        if not self.amount <= largest:
            raise ValueError(f"is too large (maximum {unit})")
        if not self.text.isprintable():
            raise ValueError("has characters that cannot be shown")

    def resolve(self, step: int, training_seconds: float, usd: float, price: float) -> StopPoint:
        """Turn the rule into a point on the counters.

        Steps with a plus and times count from now; a plain step is the global step, and money
        is the voice's whole spend, as the screen shows it.

        Raises:
            AlreadyThereError: it is the step at which the voice stands, or a sum that is spent.
            InputError: the point lies behind or beyond `MAX_STEPS`, or money is asked of a
                machine without a price.
        """
        if self.kind == "time":
            return StopPoint(training_seconds=training_seconds + self.amount)
        if self.kind == "clock":
            # One that passes while the run prepares is reached before the first step.
            return StopPoint(at=self.amount)
        if self.kind == "money":
            if price <= 0:
                raise InputError(
                    f"cannot stop at {self.text}: this run has no price; give --price in $ an hour"
                )
            if self.amount <= usd:
                raise AlreadyThereError(
                    f"cannot stop at {self.text}: already spent {dollars(usd)}; give a larger "
                    f"amount"
                )
            return StopPoint(usd=self.amount)
        if self.kind == "step":
            already = f"already at step {step:,}; give a later step, or +1k for 1,000 more"
            if self.amount == step:
                raise AlreadyThereError(already)
            if self.amount < step:
                raise InputError(f"cannot stop at step {int(self.amount):,}: {already}")
            return StopPoint(step=int(self.amount))
        if (last := step + int(self.amount)) > MAX_STEPS:
            raise InputError(
                f"cannot stop at {self.text}: that is step {last:,}, and the maximum is "
                f"{MAX_STEPS:,}; give fewer steps"
            )
        return StopPoint(step=last)

    def as_reached(self) -> "StoredStop":
        """The stop where `resolve` raises `AlreadyThereError`."""
        at_sum = self.kind == "money"
        point = StopPoint(usd=self.amount) if at_sum else StopPoint(step=int(self.amount))
        return StoredStop(point, self.text)


class StopAt(Struct, frozen=True, tag=True):
    """The command to stop when the rule says; None trains on without a stop."""

    rule: StopRule | None
    network: NetworkName | None = None
    """Whose stop it is; None for every network that is trained."""


class SetBudget(Struct, frozen=True, tag=True):
    """The command to set the budget for all runs of the voice; a run that waits at a smaller one
    goes on."""

    usd: float
    """US dollars; 0 for no budget."""

    def __post_init__(self) -> None:
        """Raises ValueError where it is not an amount of money."""
        if not 0 <= self.usd <= MAX_USD:
            raise ValueError(f"a budget is from $0 to ${MAX_USD:,.0f}")


def parse_stop(text: str, forms: str = STOP_FORMS, now: datetime | None = None) -> StopRule:
    """Read `900k`, `900000`, `+20k`, `2h`, `90m`, `1h30m`, `19:00` or `$10`.

    Args:
        text: what a person wrote.
        forms: what errors name.
        now: from when on a time of day is sought, in this host's zone; the present without it.

    Raises:
        InputError: the text is none of these, or asks for nothing at all or for too much.
    """
    compact = _SPACE_AT_A_SIGN.sub("", text.strip())
    try:
        rule = _parse(compact, now or datetime.now())
    except ValueError as error:
        raise InputError(f"{brief(text)} {error}; write {forms}") from None
    if rule is None:
        raise InputError(f"cannot read {brief(text)} as a stop; write {forms}")
    return rule


def parse_budget(text: str) -> float:
    """Read `$30`, `30` or `30.50` as US dollars; 0 for `none`.

    A bare 0 is refused: a shell makes it of $30, and it would take away a budget that a person
    means to set.

    Raises:
        InputError: it is no sum of money.
    """
    compact = _SPACE_AT_A_SIGN.sub("", text.strip())
    if compact.lower() == NONE:
        return 0.0
    match = re.fullmatch(_MONEY, compact if compact.startswith("$") else f"${compact}")
    usd = math.nan if match is None else _number(match["usd"])
    if not 0 < usd <= MAX_USD or re.match(r"\$?0[0-9]", compact):
        raise InputError(
            f"{brief(text)} is not a budget; write US dollars for the whole voice, more than 0, "
            f"such as 30 or 30.50, or none"
        )
    return usd


def _parse(text: str, now: datetime) -> StopRule | None:
    match = _STOP.fullmatch(text)
    if match is None or not text:
        return None
    if match["usd"]:
        return StopRule("money", _number(match["usd"]), text)
    if match["hour"]:
        hour, minute = int(match["hour"]), int(match["minute"])
        return StopRule("clock", _next_time(hour, minute, now), f"{hour:02d}:{minute:02d}")
    if match["number"] is None:
        seconds = _number(match["hours"]) * 3600 + _number(match["minutes"]) * 60
        return StopRule("time", seconds, text)
    steps = _number(match["number"]) * {"": 1, "M": 1_000_000}.get(match["unit"], 1_000)
    if steps >= 1 and not steps.is_integer():
        raise ValueError("is not a whole number of steps")
    return StopRule("more steps" if match["plus"] else "step", math.floor(steps), text)


def _next_time(hour: int, minute: int, now: datetime) -> float:
    """When this host's clock shows a time of day next, in seconds since the epoch.

    An hour that it shows twice, when summer ends, counts twice; one that it leaves out, when
    summer begins, comes an hour later.
    """
    if hour > 23 or minute > 59:
        raise ValueError("is not a time of day (00:00 to 23:59)")
    times = (
        (now + timedelta(days=days)).replace(
            hour=hour, minute=minute, second=0, microsecond=0, fold=fold
        )
        for days in (0, 1)
        for fold in (0, 1)
    )
    return next(each.timestamp() for each in times if each.timestamp() > now.timestamp())


def _number(text: str | None) -> float:
    """A number as it was written, 0 for none; too many digits to be meant become a huge one."""
    return min(float((text or "0").replace(",", "")), 1e15)


@dataclass(frozen=True)
class StoredStop:
    """Where the previous run was to stop."""

    point: StopPoint
    text: str
    """As it was asked for."""

    def resolve(self, step: int, training_seconds: float, usd: float, price: float) -> StopPoint:
        """The point, where it lies ahead; as `StopRule.resolve`.

        Raises:
            AlreadyThereError: the previous run reached it, and could not write that down.
            InputError: it is a sum, and there is no price.
        """
        if self.point.usd is not None and price <= 0:
            raise InputError(
                f"the voice is to stop at {self.point.words}, but this run has no price; give "
                f"--price in $ an hour, or another --stop-at, or none"
            )
        if self.point.at is not None and self.point.reached(step, training_seconds, usd):
            raise AlreadyThereError(
                f"the voice was to stop at {self.point.words}, which has passed; give another "
                f"--stop-at, such as 2h, or none to train on without one"
            )
        if self.point.reached(step, training_seconds, usd):
            raise AlreadyThereError(
                f"the voice has reached its stop, {self.point.words}; give another --stop-at, such "
                f"as +1k, or none to train on without one"
            )
        return self.point

    def matches(self, requested: "Stop | None") -> bool:
        """Whether a start that asks for this stop, or for none, keeps the stored one.

        The same words again mean the same end, and not as much once more.
        """
        if requested is None:
            return True
        return isinstance(requested, StopRule) and requested.text == self.text


Stop = StopRule | StoredStop | Literal["none"]
"""When to stop, or that training goes on without end."""


class _StopFile(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """`stop.json`: the text and one point, or nothing for no stop."""

    text: Annotated[str, Meta(max_length=_MAX_TEXT)] = ""
    step: Annotated[int, Meta(gt=0, le=MAX_STEPS)] | None = None
    training_seconds: Annotated[float, Meta(gt=0, le=1e12)] | None = None
    usd: Annotated[float, Meta(gt=0, le=MAX_USD)] | None = None
    at: Annotated[float, Meta(gt=0, le=_MAX_EPOCH)] | None = None

    def __post_init__(self) -> None:
        points = (self.step, self.training_seconds, self.usd, self.at)
        if (
            sum(point is not None for point in points) != bool(self.text)
            or not self.text.isprintable()
        ):
            raise ValueError("expected a text and one point")


def read_stored_stop(network_folder: Path) -> StoredStop | None:
    """The stop that the network of a voice has not reached yet; None where it has none.

    Raises:
        InputError: the file is damaged, or cannot be read.
    """
    path = network_folder / _STORED
    try:
        file = from_json(read_plain(path, _MAX_BYTES), _StopFile, path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, InputError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it is damaged"
        raise InputError(
            f"{path}, where the voice was to stop, cannot be read ({why}); give the stop again "
            f"with --stop-at, or give --stop-at none"
        ) from error
    point = StopPoint(file.step, file.training_seconds, file.usd, file.at)
    return StoredStop(point, file.text) if file.text else None


def store_stop(network_folder: Path, stop: StoredStop | None) -> None:
    """Store where the network of a voice is to stop; None where it is there, or goes on.

    No stop is written as well, where there was one, for the copy of the file in a mirror.

    Raises:
        EngineError: it cannot be written.
    """
    path = network_folder / _STORED
    if stop is None and not path.exists():
        return
    file = _StopFile() if stop is None else _StopFile(stop.text, **asdict(stop.point))
    try:
        # In a voice folder that is there: one that was deleted must not come back.
        make_folder(network_folder, within=network_folder.parent)
    except OSError as error:
        raise EngineError(f"{network_folder} cannot be made: {error.strerror}.") from error
    write_whole(path, to_json(file) + b"\n", make_folders=False)


def forget_stop(network_folder: Path) -> None:
    """Leave no trace of a stop that was stored where there was none."""
    (network_folder / _STORED).unlink(missing_ok=True)
