"""Which way a voice is going: by its held-out loss, and by what the judge measured of sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from engine.advice.duels import duels_between
from engine.advice.intervals import compare, values_of
from engine.advice.learning_curve import MIN_POINTS, LearningCurve
from engine.advice.measures import MEASURES
from engine.run.evaluation import Evaluation

Direction = Literal["improving", "flat", "worse", "unclear"]

# Changes of a held-out loss that nobody would pay for, as shares: of the loss, and of what the
# steps before have gained.
_SMALL_SHARE, _SMALL_GAIN = 0.002, 0.05
# Probabilities from which something is likely, sure, and out of the question.
_LIKELY, _SURE, _UNLIKELY = 0.6, 0.9, 0.4
# The least steps, and the least share of all, without improvement that are called flat or worse.
_MIN_FLAT_STEPS, _MIN_FLAT_SHARE = 1_000, 0.2
_OUTLIER, _JUMP = 8.0, 12.0
_MIN_JUMP = 0.02
_NICE = (500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)
# Earlier checkpoints that the newest is compared with.
_MAX_COMPARED = 12
_NOT_HEARD = ("held_out", "held_out_training")


@dataclass(frozen=True, slots=True)
class LossTrend:
    """Where a held-out loss stands, and where it goes."""

    direction: Direction
    level: float
    """Without its noise."""
    since: int
    """The step since which it has not improved; if it got worse, that of the least."""
    best: float
    """The level there."""
    ahead: int
    """Further steps that are looked ahead."""
    forecast: float
    """The level after them."""
    interval: tuple[float, float]
    """80 % interval of it."""
    likely: float
    """The probability that they gain something that counts."""
    counts: float
    """What counts: more than the noise, and more than nobody would pay for."""


def steps_ahead(made: int) -> int:
    """How far to look ahead after so many steps: curves are predictable in proportion to them."""
    return max((one for one in _NICE if one <= 0.4 * made), default=_NICE[0])


def loss_trend(steps: Sequence[int], losses: Sequence[float], start: int) -> LossTrend | None:
    """Say which way a held-out loss goes.

    Args:
        steps: where it was measured, ascending.
        losses: what it was.
        start: the step at which training began.

    Returns:
        None where that cannot be said yet.
    """
    places, values, start = _of_now(np.asarray(steps), np.asarray(losses, np.float64), start)
    if len(places) < MIN_POINTS:
        return None
    now = int(places[-1])
    ahead = steps_ahead(now - start)
    curve = LearningCurve(places.tolist(), values.tolist(), start, now + ahead)
    newest = len(curve.steps) - 2
    small = max(_SMALL_SHARE * abs(curve.levels[newest]), _SMALL_GAIN * _gained(curve), curve.noise)
    gain, lost = curve.change(newest, newest + 1), curve.change(curve.best, newest)
    likely = gain.below(-small)
    long_ago = max(_MIN_FLAT_STEPS, _MIN_FLAT_SHARE * (now - start))
    since = _flat_since(curve, small)
    direction: Direction = "unclear"
    if now - curve.steps[curve.best] >= long_ago and 1 - lost.below(small) >= _SURE:
        direction, since = "worse", curve.best
    elif likely >= _LIKELY:
        direction = "improving"
    elif likely <= _UNLIKELY and now - curve.steps[since] >= long_ago:
        direction = "flat"
    level = curve.levels[newest]
    low, high = (level + one for one in gain.interval(0.8))
    return LossTrend(
        direction, level, curve.steps[since], curve.levels[since],
        ahead, curve.levels[-1], (low, high), likely, small,
    )  # fmt: skip


def _gained(curve: LearningCurve) -> float:
    return float(np.ptp(curve.levels[:-1]))


def _flat_since(curve: LearningCurve, small: float) -> int:
    """The number of the first step that was as good as the newest."""
    newest = curve.levels[-2]
    return next(number for number, level in enumerate(curve.levels) if level <= newest + small)


def _of_now(
    steps: NDArray[np.int64], losses: NDArray[np.float64], start: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], int]:
    """Leave out what was measured before the last break of the curve, and single outliers.

    Other recordings, or another learning rate, begin another curve.
    """
    known = np.isfinite(losses) & (steps > start)
    steps, losses = steps[known], losses[known]
    if len(steps) < MIN_POINTS:
        return steps, losses, start
    start = max(start, int(steps[0] - np.median(np.diff(steps))))
    middle = median_filter(losses, 5, mode="nearest")
    off = np.abs(losses - middle)
    losses = np.where(off > _OUTLIER * (np.median(off) + 1e-4 * np.abs(middle)), middle, losses)
    moves = np.abs(np.diff(losses))
    usual = median_filter(moves, 41, mode="nearest")
    breaks = (moves > _JUMP * usual) & (moves > _MIN_JUMP * np.abs(losses[1:]))
    breaks[:5] = False  # a loss falls fastest at the start
    if breaks.any():
        last = int(np.flatnonzero(breaks)[-1])
        return steps[last + 1 :], losses[last + 1 :], int(steps[last])
    return steps, losses, start


@dataclass(frozen=True, slots=True)
class JudgeTrend:
    """What the judge says of the newest checkpoint, compared with an earlier one."""

    direction: Direction
    earlier: int
    """The step that it is compared with: where it is no better, the earliest as good."""
    newest: int
    better: tuple[str, ...] = ()
    """Measures in which the newest is clearly better, the clearest first."""
    worse: tuple[str, ...] = ()
    """Those in which it is clearly worse."""

    @property
    def changed(self) -> tuple[str, ...]:
        """Measures that speak for the direction."""
        return {"improving": self.better, "worse": self.worse}.get(self.direction, ())


def judge_trend(evaluations: Sequence[Evaluation], back: int) -> JudgeTrend | None:
    """Compare the newest checkpoint with those that are so many steps or more behind it.

    Returns:
        None where there is none, or too little was measured of both.
    """
    if not evaluations:
        return None
    *others, newest = sorted(evaluations, key=lambda one: one.step)
    earlier = [one for one in others if one.step <= newest.step - back][-_MAX_COMPARED:]
    found = [(one, _direction(one, newest)) for one in earlier]
    known = [(one, direction) for one, direction in found if direction != "unclear"]
    if not known:
        return None
    last, direction = known[-1]
    if direction != "improving":
        # The earliest from which on the newest was not better any more.
        for one, other in reversed(known):
            if other == "improving":
                break
            if direction == other or other == "worse":
                last, direction = one, other
    better, worse = (_changed(last, newest, better=up) for up in (True, False))
    return JudgeTrend(direction, last.step, newest.step, better, worse)


def _direction(earlier: Evaluation, newest: Evaluation) -> Direction:
    # Held-out loss has a trend of its own, which the judge is to confirm.
    duels = duels_between([earlier, newest], without=("held_out",))
    if duels is None:
        return "unclear"
    if duels.clearly_worse_than(newest.step):
        return "improving"
    return "worse" if duels.clearly_worse_than(earlier.step) else "flat"


def _changed(earlier: Evaluation, newest: Evaluation, *, better: bool) -> tuple[str, ...]:
    clear = {}
    for name, measure in MEASURES.items():
        if name in _NOT_HEARD or not measure.shown:
            continue
        score = compare(newest, earlier, name)
        if score is not None:
            up = (measure.better == "higher") == better
            distance = score.low if up else -score.high
            if distance > 0:
                clear[name] = distance / (score.high - score.low or distance)
    return tuple(sorted(clear, key=lambda name: -clear[name]))


@dataclass(frozen=True, slots=True)
class MeasureForecast:
    """Where a measure of sentences stands, and where it is likely to be after further steps."""

    name: str
    level: float
    forecast: float


def measure_forecast(
    evaluations: Sequence[Evaluation], name: str, start: int, ahead: int
) -> MeasureForecast | None:
    """Forecast the mean of a measure over sentences.

    Returns:
        None where too few checkpoints were measured, or a gain is not likely.
    """
    means = {
        one.step: values for one in evaluations if (values := [*values_of(one, name).values()])
    }
    steps = sorted(step for step in means if step > start)
    if len(steps) < MIN_POINTS:
        return None
    curve = LearningCurve(
        steps, [float(np.mean(means[step])) for step in steps], start, steps[-1] + ahead
    )
    newest = len(curve.steps) - 2
    gain = curve.change(newest, newest + 1)
    sure = gain.below(0.0) if MEASURES[name].better == "lower" else 1 - gain.below(0.0)
    limit = 100.0 if MEASURES[name].unit == "%" else np.inf
    level, forecast = np.clip(curve.levels[newest:], 0.0, limit).tolist()
    if sure < _SURE or abs(forecast - level) < max(_SMALL_SHARE * abs(level), curve.noise / 2):
        return None
    return MeasureForecast(name, level, forecast)
