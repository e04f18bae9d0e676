"""Scales and ticks for the axes of a plot."""

import math
from dataclasses import dataclass
from itertools import pairwise

from tui.formatting import short_steps

_LOG_FROM = 8.0
"""Losses whose ends differ by more than this factor stand on a logarithmic axis: the start of a
run from scratch would otherwise press everything after it flat."""

_SMALLEST_ON_LOG = 1e-9
_MAX_OFF = 0.02
"""By what share of the distance of two ticks a label may be beside its value."""
_ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)


def linear_ticks(low: float, high: float, max_count: int) -> list[float]:
    """Return up to `max_count` round values between `low` and `high`, or `low` if none fits."""
    if high <= low:
        return [low]
    rough = (high - low) / max(1, max_count)
    magnitude = 10.0 ** math.floor(math.log10(rough))
    stride = next(r * magnitude for r in _ROUND if r * magnitude >= rough * (1 - 1e-9))
    first = math.ceil(low / stride - 1e-9)
    last = math.floor(high / stride + 1e-9)
    return [index * stride for index in range(first, last + 1)] or [low]


def log_ticks(low: float, high: float, max_count: int) -> list[float]:
    """Return up to `max_count` of 1, 2, 5, 10, 20, … between two positive values."""
    ticks = [
        digit * 10.0**exponent
        for exponent in range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1)
        for digit in (1, 2, 5)
        if low <= digit * 10.0**exponent <= high
    ]
    every = max(1, math.ceil(len(ticks) / max(1, max_count)))
    return ticks[::every] or [low]


def value_labels(ticks: list[float]) -> list[str]:
    """Write values with as many decimals as tell them apart, and no value far from its own."""
    apart = min((abs(b - a) for a, b in pairwise(ticks)), default=abs(ticks[0]) if ticks else 0.0)
    for places in range(2, 7):
        written = [f"{tick:.{places}f}" for tick in ticks]
        off = (abs(float(text) - tick) for text, tick in zip(written, ticks, strict=True))
        if all(far <= apart * _MAX_OFF for far in off):
            return written
    return [f"{tick:.3g}" for tick in ticks]


def step_labels(ticks: list[float]) -> list[str]:
    """Write steps short, or all in full where a short form would round."""
    short = [short_steps(tick) for tick in ticks]
    return short if not any("," in label for label in short) else [f"{tick:,.0f}" for tick in ticks]


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps the values between two ends to an axis from 0 to 1."""

    low: float
    high: float

    @property
    def logarithmic(self) -> bool:
        """Whether equal factors, not equal differences, are equally far apart."""
        return self.low > _SMALLEST_ON_LOG and self.high / self.low > _LOG_FROM

    @property
    def flat(self) -> bool:
        """Whether the ends are too close to be told apart."""
        size = max(abs(self.low), abs(self.high))
        return self.high - self.low <= max(size * 1e-9, 1e-12)

    def place(self, value: float) -> float:
        """Return the place of a value; the middle where all values are equal."""
        if self.flat:
            return 0.5
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self, max_count: int) -> list[float]:
        """Return up to about `max_count` round values to name on the axis."""
        if self.flat:
            return [self.low]
        return (log_ticks if self.logarithmic else linear_ticks)(self.low, self.high, max_count)
