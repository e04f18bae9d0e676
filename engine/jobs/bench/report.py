"""What a benchmark found, as plain values: the screen's lines and JSON say the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from engine.check.report import Estimate
from engine.serialization import to_plain

OURS, PLAIN = "ours", "plain"
"""The ways that are timed in turn: as voicecoach does it, and as a straightforward port would."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """What it takes to train both networks in one way."""

    what: str
    """`the BBC's schedule`, or the name of a corpus."""
    recipe: str
    estimates: tuple[Estimate, ...]

    @property
    def hours(self) -> float:
        """Hours of both networks, one after the other."""
        return sum(one.hours for one in self.estimates)

    def as_json(self) -> dict[str, Any]:
        """The schedule as plain values."""
        usd = [one.usd for one in self.estimates if one.usd is not None]
        return {**to_plain(self), "hours": self.hours, "usd": sum(usd) if usd else None}


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What a device can do at most: nothing made of these is faster."""

    device: str
    tflop_per_second: Mapping[str, float]
    """Of large matrix products, by precision."""
    memory_gb_per_second: float
    """Read and written by the copy of a large buffer."""
    one_thread_gb_per_second: float | None
    """The same on one thread of a CPU, on which frames are spoken."""

    def seconds(self, flop: float, precision: str) -> float:
        """The least that so many floating-point operations take."""
        return flop / self.tflop_per_second[precision] / 1e12

    def seconds_to_move(self, size: float, *, one_thread: bool = False) -> float:
        """The least that moving so many bytes takes."""
        rate = (one_thread and self.one_thread_gb_per_second) or self.memory_gb_per_second
        return size / rate / 1e9


@dataclass(frozen=True, slots=True)
class Measure:
    """What one piece of work takes; medians of rounds in which the ways took turns."""

    what: str
    per: str
    """What the seconds are for: a `step`, a `frame`, a `second of sound`."""
    seconds: float
    rounds: int
    details: Mapping[str, str | float]
    """Such as the batch size and the precision."""
    plain_seconds: float | None = None
    ratio_to_plain: float | None = None
    """Our time by the plain way's, the median over the rounds; below 1 is faster."""
    ceiling_seconds: float | None = None
    ceiling: str = ""
    """What the ceiling is made of."""

    @property
    def ratio_to_ceiling(self) -> float | None:
        """Our time by the ceiling's; 1 is as fast as the machine allows."""
        return self.seconds / self.ceiling_seconds if self.ceiling_seconds else None

    def as_json(self) -> dict[str, Any]:
        """The measure as plain values."""
        plain = {**to_plain(self), "ratio_to_ceiling": self.ratio_to_ceiling}
        return {**plain.pop("details"), **plain}


def measured(
    what: str,
    per: str,
    times: Mapping[str, list[float]],
    ways: tuple[str, str] = (OURS, PLAIN),
    *,
    units: float = 1,
    ceiling: tuple[float, str] | None = None,
    **details: str | float,
) -> Measure:
    """Compare the times of two ways, or tell those of one where there is no second.

    Args:
        what: was measured.
        per: what one of the `units` is.
        times: seconds of each way, round by round.
        ways: ours, and what it is compared with.
        units: how many of them a round did.
        ceiling: seconds for one unit, and what they are made of.
        **details: what else is to be known.
    """
    ours, theirs = times[ways[0]], times.get(ways[1])
    return Measure(
        what,
        per,
        median(ours) / units,
        len(ours),
        details,
        median(theirs) / units if theirs else None,
        median(a / b for a, b in zip(ours, theirs, strict=True)) if theirs else None,
        *(ceiling or (None, "")),
    )


@dataclass(frozen=True)
class BenchReport:
    """All that was found."""

    device: str
    model: str
    """The processor or GPU by its maker's name."""
    cores: int
    threads: int
    """Of the CPU, with which steps are made."""
    torch: str
    preset: str
    usd_per_hour: float | None
    quick: bool
    left_out: tuple[str, ...]
    """What was not measured, and why."""
    schedules: tuple[Schedule, ...]
    ceilings: tuple[Ceilings, ...]
    """Of the device, and of the CPU beside a GPU, which speaks."""
    measures: tuple[Measure, ...]

    def as_json(self) -> dict[str, Any]:
        """The report as plain values for JSON."""
        return {
            **to_plain(self),
            "schedules": [one.as_json() for one in self.schedules],
            "measures": [one.as_json() for one in self.measures],
        }
