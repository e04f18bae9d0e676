"""The curve of a run in a few hundred points, whatever its length."""

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from engine.run.curves import RECENT_STEPS, LossCurve

# Points of the curve that the screen draws; a terminal has fewer columns.
_MAX_POINTS = 400


class _Thinned:
    """Values over steps as at most `_MAX_POINTS` means, each of as many values up to its step.

    What a value more takes, in time and memory, does not depend on how many there are.
    """

    def __init__(self, steps: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        self._per_point = 1
        while len(steps) >= self._per_point * _MAX_POINTS:
            self._per_point *= 2
        end = len(steps) // self._per_point * self._per_point
        means = values[:end].reshape(-1, self._per_point).mean(axis=1)
        self._points = [
            *zip(
                steps[self._per_point - 1 : end : self._per_point].tolist(),
                means.tolist(),
                strict=True,
            )
        ]
        self._rest = values[end:].tolist()

    def add(self, step: int, value: float) -> None:
        """Take a value more."""
        self._rest.append(value)
        if len(self._rest) < self._per_point:
            return
        self._points.append((step, math.fsum(self._rest) / self._per_point))
        self._rest = []
        if len(self._points) == _MAX_POINTS:
            self._per_point *= 2
            pairs = zip(self._points[::2], self._points[1::2], strict=True)
            self._points = [(end, (one + other) / 2) for (_, one), (end, other) in pairs]

    def points(self) -> tuple[tuple[int, ...], tuple[float, ...]]:
        """Steps, and the means up to each since the one before."""
        return tuple(step for step, _ in self._points), tuple(mean for _, mean in self._points)


class CurveBuilder:
    """The curve of a history, which grows by one logged step after the other."""

    def __init__(
        self,
        steps: NDArray[np.int64],
        losses: NDArray[np.float64],
        held_out: NDArray[np.float64],
    ) -> None:
        """Begin with logged steps in order; where none was evaluated, `held_out` is NaN."""
        evaluated = ~np.isnan(held_out)
        self._losses = _Thinned(steps, losses)
        self._held_out = _Thinned(steps[evaluated], held_out[evaluated])
        recent = steps >= steps.max(initial=0) - RECENT_STEPS
        self._recent = deque(zip(steps[recent].tolist(), losses[recent].tolist(), strict=True))
        self.last_held_out: float | None = None
        """The newest loss on the held-out set; None before the first."""
        self._best: tuple[float, int] | None = None
        if evaluated.any():
            self.last_held_out = float(held_out[evaluated][-1])
            best = int(np.nanargmin(held_out))
            self._best = float(held_out[best]), int(steps[best])

    def add(self, step: int, loss: float, held_out: float | None) -> None:
        """Take a logged step more."""
        self._losses.add(step, loss)
        self._recent.append((step, loss))
        while self._recent[0][0] < step - RECENT_STEPS:
            self._recent.popleft()
        if held_out is not None:
            self._held_out.add(step, held_out)
            self.last_held_out = held_out
            if self._best is None or held_out < self._best[0]:
                self._best = held_out, step

    def curve(self) -> LossCurve:
        """What there is so far in a few hundred points."""
        best, best_step = self._best or (None, 0)
        steps, losses = np.array(self._recent).reshape(-1, 2).T
        recent = _Thinned(steps.astype(np.int64), losses).points()
        return LossCurve(*self._losses.points(), *self._held_out.points(), best, best_step, *recent)
