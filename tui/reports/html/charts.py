"""Charts of a report as SVG draws them: where lines, bands and ticks lie."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tui.formatting import short_steps

WIDTH, HEIGHT = 360, 200
"""Of a chart, in its own units: the width of a phone, so that its letters can be read there."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 20, 8, 22
_TICKS = 4
# From this ratio on between the largest and the least, equal ratios are equally far apart.
_LOG_RATIO = 6.0

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Curve:
    """Values over steps, and their intervals where there are any."""

    name: str
    kind: str
    """The class that colours it."""
    points: Points
    """Steps and values."""
    intervals: Sequence[tuple[float, float]] = ()
    """The least and the largest at each of the points."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A point with a name."""

    name: str
    step: float
    value: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis, in the chart's units, and what is written there."""

    place: float
    label: str


@dataclass(frozen=True, slots=True)
class Shape:
    """A curve or a mark as it is drawn."""

    name: str
    kind: str
    line: Markup
    """Points for `polyline`."""
    band: Markup
    """Points for `polygon`; empty without intervals."""
    dots: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart, ready to be drawn."""

    title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    shapes: tuple[Shape, ...]
    marks: tuple[tuple[float, float, str], ...]
    ceiling: float | None = None
    """Where a level is drawn across."""
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    bottom: int = HEIGHT - _BOTTOM


def chart_of(
    title: str,
    curves: Sequence[Curve],
    marks: Sequence[Mark] = (),
    ceiling: float | None = None,
    *,
    log: bool = False,
) -> Chart | None:
    """Lay out curves over steps; None where no curve has a finite point.

    With `log` the scale is logarithmic where values differ by large factors.
    """
    curves = [_finite(curve) for curve in curves]
    steps = [step for curve in curves for step, _ in curve.points]
    if not steps:
        return None
    values = [value for curve in curves for _, value in curve.points]
    values += [end for curve in curves for ends in curve.intervals for end in ends]
    values += [] if ceiling is None else [ceiling]
    x, x_ticks = _axis(steps, (_LEFT, WIDTH - _RIGHT), short_steps, log=False)
    logarithmic = log and min(values) > 0 and max(values) > _LOG_RATIO * min(values)
    y, y_ticks = _axis(values, (HEIGHT - _BOTTOM, _TOP), "{:.4g}".format, log=logarithmic)
    return Chart(
        title=title,
        x_ticks=x_ticks,
        y_ticks=y_ticks,
        shapes=tuple(_shape(curve, x, y) for curve in curves if curve.points),
        marks=tuple((x(one.step), y(one.value), one.name) for one in marks),
        ceiling=None if ceiling is None else y(ceiling),
    )


def _finite(curve: Curve) -> Curve:
    kept = [place for place, point in enumerate(curve.points) if all(map(math.isfinite, point))]
    points = [curve.points[place] for place in kept]
    intervals = [curve.intervals[place] for place in kept] if curve.intervals else ()
    return Curve(curve.name, curve.kind, points, intervals)


def _shape(curve: Curve, x: "_Scale", y: "_Scale") -> Shape:
    places = [(x(step), y(value)) for step, value in curve.points]
    lows = [(x(step), y(low)) for (step, _), (low, _) in _pairs(curve)]
    highs = [(x(step), y(high)) for (step, _), (_, high) in _pairs(curve)]
    few = tuple(places) if curve.intervals or len(places) == 1 else ()
    return Shape(curve.name, curve.kind, _points(places), _points(lows + highs[::-1]), few)


def _pairs(curve: Curve) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    return list(zip(curve.points, curve.intervals, strict=True)) if curve.intervals else []


def _points(places: Sequence[tuple[float, float]]) -> Markup:
    return Markup(" ").join(Markup("{:.1f},{:.1f}").format(x, y) for x, y in places)


_Scale = Callable[[float], float]


def _axis(
    values: Sequence[float], ends: tuple[int, int], label: Callable[[float], str], *, log: bool
) -> tuple[_Scale, tuple[Tick, ...]]:
    """How values lie between two ends of the picture, and the ticks there."""
    low, high = min(values), max(values)
    if low == high:
        low, high = low - (abs(low) or 1) / 10, high + (abs(high) or 1) / 10
    bend = math.log if log else float
    start, length = bend(low), bend(high) - bend(low)

    def place(value: float) -> float:
        return round(ends[0] + (bend(value) - start) / length * (ends[1] - ends[0]), 1)

    ticks = _log_ticks(low, high) if log else _ticks(low, high)
    return place, tuple(Tick(place(value), label(value)) for value in ticks)


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers between two others, some four of them."""
    rough = (high - low) / _TICKS
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [10.0**power * digit for power in powers for digit in (1, 2, 5)]
    within = [value for value in found if low <= value <= high]
    return within if len(within) <= 2 * _TICKS else [one for one in within if _is_power(one)]


def _is_power(value: float) -> bool:
    return abs(math.log10(value) - round(math.log10(value))) < 1e-9
