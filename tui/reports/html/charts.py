"""Charts of a report as SVG draws them: where lines, bands and ticks lie."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tui.widgets.axes import Scale, step_labels, value_labels

WIDTH, HEIGHT = 360, 200
"""Of a chart, in its own units: the width of a phone, so that its letters can be read there."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 20, 8, 22
_TICKS = 4
_MAX_DOTS = 60

Point = tuple[float, float]
Place = Callable[[float], float]
Labels = Callable[[list[float]], list[str]]


@dataclass(frozen=True, slots=True)
class Curve:
    """Values over steps, and their intervals where there are any."""

    kind: str
    """The class that colours it."""
    points: Sequence[Point]
    """Steps and values."""
    intervals: Sequence[Point] = ()
    """The least and the largest at each of the points."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis, in the chart's units, and what is written there."""

    place: float
    label: str


@dataclass(frozen=True, slots=True)
class Shape:
    """A curve as it is drawn."""

    kind: str
    line: Markup
    """Points for `polyline`."""
    band: Markup
    """Points for `polygon`; empty without intervals."""
    dots: tuple[Point, ...] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart, ready to be drawn."""

    title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    shapes: tuple[Shape, ...]
    best: Point | None = None
    """Where a circle is drawn."""
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
    best: Point | None = None,
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
    kind = Scale if log else _LinearScale
    x, x_ticks = _axis(_LinearScale(min(steps), max(steps)), (_LEFT, WIDTH - _RIGHT), step_labels)
    y, y_ticks = _axis(kind(min(values), max(values)), (HEIGHT - _BOTTOM, _TOP), _short_labels)
    return Chart(
        title=title,
        x_ticks=x_ticks,
        y_ticks=y_ticks,
        shapes=tuple(_shape(curve, x, y) for curve in curves if curve.points),
        best=None if best is None else (x(best[0]), y(best[1])),
        ceiling=None if ceiling is None else y(ceiling),
    )


def _finite(curve: Curve) -> Curve:
    kept = [place for place, point in enumerate(curve.points) if all(map(math.isfinite, point))]
    points = [curve.points[place] for place in kept]
    intervals = [curve.intervals[place] for place in kept] if curve.intervals else ()
    return Curve(curve.kind, points, intervals)


def _shape(curve: Curve, x: Place, y: Place) -> Shape:
    places = [(x(step), y(value)) for step, value in curve.points]
    lows = [(x(step), y(low)) for (step, _), (low, _) in _pairs(curve)]
    highs = [(x(step), y(high)) for (step, _), (_, high) in _pairs(curve)]
    dots = curve.intervals and len(places) <= _MAX_DOTS
    few = tuple(places) if dots or len(places) == 1 else ()
    return Shape(curve.kind, _points(places), _points(lows + highs[::-1]), few)


def _pairs(curve: Curve) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    return list(zip(curve.points, curve.intervals, strict=True)) if curve.intervals else []


def _points(places: Sequence[Point]) -> Markup:
    return Markup(" ").join(Markup("{:.1f},{:.1f}").format(x, y) for x, y in places)


def _short_labels(ticks: list[float]) -> list[str]:
    """Values with as many decimals as tell them apart, without noughts that all of them end in."""
    labels = value_labels(ticks)
    while all("." in label and label[-1] in "0." for label in labels):
        labels = [label[:-1] for label in labels]
    return labels


class _LinearScale(Scale):
    """Equal differences are equally far apart, however large."""

    @property
    def logarithmic(self) -> bool:
        return False


def _axis(scale: Scale, ends: tuple[int, int], labels: Labels) -> tuple[Place, tuple[Tick, ...]]:
    """How values lie between two ends of the picture, and the ticks there."""

    def place(value: float) -> float:
        return round(ends[0] + scale.place(value) * (ends[1] - ends[0]), 1)

    ticks = scale.ticks(_TICKS)
    return place, tuple(
        Tick(place(value), label) for value, label in zip(ticks, labels(ticks), strict=True)
    )
