"""A learning curve with what is uncertain about it: where a loss stands, and where it goes.

A power law with a floor, from which the curve may wander: a Gaussian process over the logarithm of
the steps, averaged over how it might wander and how noisy it is, each weighted by how well it
explains what was measured.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

_Floats = NDArray[np.float64]

MIN_POINTS = 8
"""Fewer measurements say nothing about a trend."""
_MAX_POINTS = 32
# What lies further back, as a share of the steps, was another phase of learning.
_WINDOW = 0.85
# The EMA of the weights remembers about as many steps, and so does its loss.
_MEMORY = 1_000.0
# Powers of the law; how fast slopes are forgotten; how much they vary against noise; its memory.
_GRID = np.array(
    [
        (power, forgets, wander, memory)
        for power in (0.3, 1.0, 3.0)
        for forgets in (0.7, 3.0)
        for wander in (0.1, 1.0, 8.0, 64.0)
        for memory in (0.0, _MEMORY)
    ]
)
# What no model of the grid is: by simulation, forecasts are off by such a share of the change and
# of the noise, and so many times as far as the models say.
_MISFIT, _OVERCONFIDENCE = 0.2, 1.3
# Rounding of a loss that does not move at all, as a share of it.
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Change:
    """A difference that is known roughly: Student's t distribution."""

    mean: float
    scale: float
    freedom: float

    def below(self, limit: float) -> float:
        """The probability that it is less than a limit."""
        return float(stdtr(self.freedom, (limit - self.mean) / self.scale))

    def interval(self, probability: float) -> tuple[float, float]:
        """The central interval that holds it with a probability."""
        half = self.scale * float(stdtrit(self.freedom, (1 + probability) / 2))
        return self.mean - half, self.mean + half


class LearningCurve:
    """A smooth curve through the measurements of a loss, and beyond them."""

    def __init__(
        self, steps: Sequence[int], losses: Sequence[float], start: int, ahead: int
    ) -> None:
        """Fit the curve; some milliseconds.

        Args:
            steps: where the loss was measured, ascending; `MIN_POINTS` or more after `start`.
            losses: what it was.
            start: the step at which this learning began.
            ahead: a later step, up to which the curve is wanted.
        """
        times, values = _thinned(np.asarray(steps, np.float64) - start, np.asarray(losses))
        wanted = (*times, steps[-1] - start, ahead - start)
        self.steps = tuple(round(one) + start for one in wanted)
        """Where the curve is known: at some steps among those measured, at the newest, and at last
        at the one ahead."""
        unit = max(float(np.ptp(values)), _ROUNDING * float(np.abs(values).max()), 1e-12)
        origin = float(values[-1])
        mean, covariance, noise, self._freedom = _fit(
            times, (values - origin) / unit, np.asarray(wanted, np.float64)
        )
        self.levels = tuple((origin + unit * mean).tolist())
        """The curve at `steps`."""
        self.noise = unit * math.sqrt(noise)
        """Standard deviation of what was measured around the curve."""
        self._covariance = covariance * unit**2

    @property
    def best(self) -> int:
        """The number in `steps` of the least level that was measured."""
        return int(np.argmin(self.levels[:-1]))

    def change(self, first: int, last: int) -> Change:
        """How the curve changes between two of `steps`, given by their numbers."""
        covariance = self._covariance
        variance = covariance[first, first] + covariance[last, last] - 2 * covariance[first, last]
        mean = self.levels[last] - self.levels[first]
        variance = float(variance) + (_MISFIT * mean) ** 2 + (_MISFIT * self.noise) ** 2
        return Change(mean, _OVERCONFIDENCE * math.sqrt(variance) + 1e-12, self._freedom)


def _thinned(times: _Floats, values: _Floats) -> tuple[_Floats, _Floats]:
    """The recent part, as means over equal pieces of logarithmic time."""
    recent = times >= (1 - _WINDOW) * times[-1]
    if recent.sum() >= MIN_POINTS:
        times, values = times[recent], values[recent]
    places = _log(times)
    edges = np.linspace(places[0], places[-1], _MAX_POINTS + 1)[1:-1]
    numbers = np.searchsorted(edges, places, side="right")
    _, groups, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    return np.bincount(groups, times) / counts, np.bincount(groups, values) / counts


def _log(times: _Floats) -> _Floats:
    return np.asarray(np.log(np.maximum(times, 0) + _MEMORY), np.float64)


def _fit(times: _Floats, values: _Floats, every: _Floats) -> tuple[_Floats, _Floats, float, float]:
    """Mean and covariance at `every` time, of which those measured come first, the variance of the
    noise, and the degrees of freedom."""
    count = len(times)
    places = _log(every)
    places -= places[0]
    basis, signal, noise = _model(every, places)
    seen = signal[:, :count, :count] + noise[:, :count, :count]
    # Generalised least squares, for all models of the grid at once.
    given = np.concatenate([basis[:, :count], np.tile(values[:, None], (len(seen), 1, 1))], axis=2)
    across = np.swapaxes(signal[:, :, :count], 1, 2)
    solved = np.linalg.solve(seen, np.concatenate([given, across], axis=2))
    powers = basis.shape[2]
    design, target, gain = np.split(solved, [powers, powers + 1], axis=2)
    inner = np.swapaxes(basis[:, :count], 1, 2) @ design
    inverse = np.linalg.inv(inner)
    weights = inverse @ np.swapaxes(design, 1, 2) @ values
    misfit = values @ target[:, :, 0].T - np.einsum("gi,gij,gj->g", weights, inner, weights)
    freedom = count - powers
    scale = (np.maximum(misfit, 0) + _ROUNDING) / freedom
    likelihood = -0.5 * (
        np.linalg.slogdet(seen)[1] + np.linalg.slogdet(inner)[1] + freedom * np.log(scale)
    )
    belief = np.exp(likelihood - likelihood.max())
    belief /= belief.sum()
    transposed = np.swapaxes(gain, 1, 2)
    residual = values - np.einsum("gip,gp->gi", basis[:, :count], weights)
    means = np.einsum("gip,gp->gi", basis, weights) + np.einsum("gij,gj->gi", transposed, residual)
    open_basis = basis - transposed @ basis[:, :count]
    covariances = signal - transposed @ across
    covariances += open_basis @ inverse @ np.swapaxes(open_basis, 1, 2)
    mean = belief @ means
    off = means - mean
    covariance = np.einsum("g,gij->ij", belief * scale, covariances)
    covariance += np.einsum("g,gi,gj->ij", belief, off, off)
    return mean, covariance, float(belief @ scale), float(freedom)


def _model(every: _Floats, places: _Floats) -> tuple[_Floats, _Floats, _Floats]:
    """Of each model of the grid: the basis of its power law, and two covariances, in units of the
    noise: of how the curve wanders, and of the noise."""
    power, forgets, wander, memory = (one[:, None, None] for one in _GRID.T)
    law = np.exp(-power[:, :, 0] * places)
    basis = np.stack([np.ones_like(law), law], axis=2)
    one, other = places[:, None], places[None]
    # Its slope is forgotten (Ornstein and Uhlenbeck's process), and the curve is its integral.
    signal = 2 * forgets * np.minimum(one, other) - 1 - np.exp(-forgets * abs(one - other))
    signal = signal + np.exp(-forgets * one) + np.exp(-forgets * other)
    signal = (wander / forgets) ** 2 * signal
    apart = np.abs(every[:, None] - every[None])
    white = np.eye(len(every))
    lasting = np.exp(-apart / np.maximum(memory, 1.0))
    noise = np.where(memory > 0, 0.97 * lasting + 0.03 * white, white)
    return basis, signal, noise
