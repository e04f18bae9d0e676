"""Numbers as the screen shows them, with units."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from engine.formatting import dollars as dollars
from engine.formatting import duration, printable
from engine.run.evaluation import Misreading, Score


def short_steps(count: float) -> str:
    """Write a step count for an axis or a title: `871k`, `1.5k`, but `4,050`."""
    if abs(count) < 1000 or round(count) % 100:
        return f"{count:,.0f}"
    return f"{count / 1000:.1f}".removesuffix(".0") + "k"


def countdown(seconds: float) -> str:
    """Write the time left until something happens, in a constant width: ` 7s`, `1m07s`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole:>2}s"
    return f"{whole // 60}m{whole % 60:02d}s" if whole < 3600 else duration(whole)


def clock(moment: datetime | float) -> str:
    """Write the time of day: `14:02`."""
    return f"{moment if isinstance(moment, datetime) else datetime.fromtimestamp(moment):%H:%M}"


def arrival(now: datetime, seconds: float) -> str:
    """Write when something will be there: `14:04`, `Sat 03:10`, `28 Nov`, `years from now`."""
    try:
        return moment(now, now + timedelta(seconds=seconds))
    except OverflowError:
        return "years from now"


def moment(now: datetime, then: datetime) -> str:
    """Write a time of the last or next days: `14:04`, `Sat 03:10`, `28 Nov`, `28 Nov 2026`."""
    if then.date() == now.date():
        return clock(then)
    if abs(then - now) < timedelta(days=6):
        return f"{then:%a %H:%M}"
    return f"{then.day} {then:%b}" if then.year == now.year else f"{then.day} {then:%b %Y}"


def clock_stop(at: float, now: datetime) -> str:
    """Write at what time of day a run stops, with the day where it is not today."""
    return moment(now, datetime.fromtimestamp(at))


def price(per_hour: float, source: str = "") -> str:
    """Write what the machine costs, and who says so: `$0.99/h`, `no price given`."""
    says = f", {printable(source)}" if source else ""
    return f"{dollars(per_hour)}/h{says}" if per_hour > 0 else "no price given"


def speed(steps_per_second: float) -> str:
    """Write a speed: `212 steps/s`, `2.54 steps/s`, or `8.0 s/step` where that reads better."""
    if steps_per_second >= 100:
        return f"{steps_per_second:.0f} steps/s"
    if steps_per_second >= 10:
        return f"{steps_per_second:.1f} steps/s"
    if steps_per_second >= 0.5:
        return f"{steps_per_second:.2f} steps/s"
    return f"{1 / steps_per_second:.1f} s/step"


def loss(value: float) -> str:
    """Write a loss to four places, `nan` and `inf` as they are."""
    return f"{value:.4f}" if abs(value) < 100 or not math.isfinite(value) else f"{value:.3g}"


def learning_rate(value: float) -> str:
    """Write a learning rate with one decimal: `6.8e-5`."""
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def rate_factor(factor: float) -> str:
    """Write by what the recipe's learning rate is multiplied: `(×0.5)`; nothing for 1."""
    return "" if factor == 1 else f"(×{factor:g})"


def gigabytes(used: int, total: int) -> str:
    """Write memory in use out of what there is: `3.1/80 GB`."""
    return f"{used / 1e9:.1f}/{total / 1e9:.0f} GB"


def figure(value: float, unit: str) -> str:
    """Write a value with its unit: `4.1 %`, `7.32 dB`, `0.5771`."""
    places = 1 if unit == "%" else 2 if unit else 4 if abs(value) < 1 else 2
    return f"{value:.{places}f} {unit}".rstrip()


def interval(score: Score, unit: str = "") -> str:
    """Write the mean of a score and its 95 % interval: `4.1 % (2.0 to 6.3)`, or the mean alone."""
    mean, low, high = (figure(one, unit) for one in (score.mean, score.low, score.high))
    if low == high:
        return mean
    return f"{mean} ({low.removesuffix(unit).rstrip()} to {high.removesuffix(unit).rstrip()})"


def misreading_words(misreadings: Sequence[Misreading], width: int) -> str:
    """Say which words were misread, as many as `width` cells hold: `skips “birch” at 0.8 s, +2`."""
    told = ""
    for count, one in enumerate(misreadings, start=1):
        longer = f"{told}, {one.words}" if told else one.words
        left = len(misreadings) - count
        if told and len(longer) + (len(f", +{left}") if left else 0) > width:
            return f"{told}, +{left + 1}"
        told = longer
    return told if len(told) <= width else f"{told[: max(0, width - 1)]}…"
