"""What the advice would have said at every point of recorded and of simulated histories.

    python assets/study/backtest.py [--add VOICE/text2mel/history.jsonl NAME] [--simulated 60]

Prints, for each: what was advised, what came after, what following it would have saved or lost,
and how often what was called likely came true. Recorded histories are in `histories/`, one CSV of
`step,held_out` a run; `--add` writes another.
"""

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.advice.trends import LossTrend, loss_trend
from engine.voice.history import EVALUATE_EVERY, read_curve

HISTORIES = Path(__file__).parent / "histories"
FAMILIES = (
    "power law",
    "saturates",
    "overfits",
    "overfits slowly",
    "second drop",
    "jump",
    "wanders",
)
CHANCES = (0.0, 0.1, 0.3, 0.6, 0.9, 1.01)
"""Ends of the ranges of stated probabilities that are looked at together."""
# Histories of a family that are followed until the advice is to stop.
_STOPPED = 30


@dataclass(frozen=True)
class History:
    """A held-out loss over steps, the base step at 0."""

    name: str
    steps: NDArray[np.int64]
    losses: NDArray[np.float64]
    truth: NDArray[np.float64]
    """The same without its noise; of a recorded run, smoothed by what came before and after."""
    noise: float


@dataclass(frozen=True)
class Look:
    """What was advised at a step, and what came after."""

    trend: LossTrend
    step: int
    gained: bool
    """Whether the steps ahead gained what counts."""
    worse: bool
    """Whether the loss stood as much above the least before it."""
    inside: bool
    """Whether it came to lie in the 80 % interval."""
    gained_later: float
    """By what share the loss was lower at its least, at any later step."""


def recorded() -> list[History]:
    """The histories in `histories/`."""
    return [_recorded(path) for path in sorted(HISTORIES.glob("*.csv"))]


def _recorded(path: Path) -> History:
    with path.open(newline="") as file:
        rows = [(int(row["step"]), float(row["held_out"])) for row in csv.DictReader(file)]
    steps, losses = (np.array(one) for one in zip(*rows, strict=True))
    window = np.ones(5) / 5
    truth = np.convolve(np.pad(losses, 2, mode="edge"), window, mode="valid")
    return History(path.stem, steps, losses, truth, float(np.std(losses - truth)))


def simulated(count: int) -> Iterator[History]:
    """So many histories of each family: floors, powers, noise and lengths at random."""
    for family in FAMILIES:
        for seed in range(count):
            yield _simulated(family, np.random.default_rng([seed, FAMILIES.index(family)]))


def _simulated(family: str, random: np.random.Generator) -> History:
    last = int(10 ** random.uniform(3.6, 5.3))
    steps = np.arange(EVALUATE_EVERY, last + 1, EVALUATE_EVERY)
    floor, height = random.uniform(0.1, 0.7), random.uniform(0.02, 0.3)
    truth = floor + height * _shape(family, steps / last, last, random)
    noise = float(2 * floor * 10 ** random.uniform(-4.3, -2.3))
    # The EMA remembers about ten evaluations; without one they are independent.
    kept = random.choice([0.0, 0.9])
    rough = random.normal(0, noise, len(steps))
    for place in range(1, len(rough)):
        rough[place] = kept * rough[place - 1] + np.sqrt(1 - kept**2) * rough[place]
    return History(family, steps, truth + rough, truth, noise)


def _shape(
    family: str, done: NDArray[np.float64], last: int, random: np.random.Generator
) -> NDArray[np.float64]:
    """A curve from about 1 down, over the share of the run that is done."""
    begins = 10 ** random.uniform(2, 3.5) / last
    law = (1 + done / begins) ** -random.uniform(0.15, 0.8)
    turn = random.uniform(0.1, 0.7)
    beyond = np.maximum(0, done - turn)
    if family == "saturates":
        return np.exp(-done / 10 ** random.uniform(-2, -0.5))
    if family == "overfits":
        return law + random.uniform(0.1, 1) * np.log1p(beyond / (0.5 * turn))
    if family == "overfits slowly":
        return law + random.uniform(0.05, 0.6) * beyond
    if family == "second drop":
        drop = 1 / (1 + np.exp(-(done - turn) / (turn * random.uniform(0.03, 0.15))))
        return np.exp(-10 * done / turn) - random.uniform(0.2, 0.8) * drop + 1
    if family == "jump":
        return law + (beyond > 0) * (random.uniform(-0.1, 0.3) + 0.1 * np.exp(-beyond * 20))
    if family == "wanders":
        moves = np.sqrt(np.gradient(np.log(done + begins)))
        slope = np.cumsum(0.3 * moves * random.normal(size=len(done)))
        return law + np.cumsum(slope * moves**2)
    return law


def looks(history: History, places: NDArray[np.int64]) -> Iterator[Look]:
    """What would have been advised at some evaluations, by number."""
    truth = history.truth
    for place in places:
        trend = loss_trend(history.steps[: place + 1], history.losses[: place + 1], 0)
        if trend is None:
            continue
        after = place + trend.ahead // EVALUATE_EVERY
        if after >= len(truth):
            continue
        now, best, then = truth[place], truth[: place + 1].min(), truth[after]
        low, high = trend.interval
        yield Look(
            trend,
            int(history.steps[place]),
            bool(now - then > trend.counts),
            bool(now - best > trend.counts),
            bool(low <= then <= high),
            float((best - truth[place:].min()) / abs(best)),
        )


def report(name: str, found: list[Look]) -> None:
    """Print what became of the advice."""
    if not found:
        print(f"{name}: too short")
        return
    print(f"{name}: {len(found)} looks, {_share(one.inside for one in found)} in the 80 % interval")
    for direction in ("improving", "flat", "worse", "unclear"):
        mine = [one for one in found if one.trend.direction == direction]
        if mine:
            gained, worse = (
                _share(getattr(one, what) for one in mine) for what in ("gained", "worse")
            )
            later = np.median([one.gained_later for one in mine])
            print(
                f"  {direction:9} {len(mine):4}: improved after it {gained}, stood above its least "
                f"{worse}; least later {100 * later:.2f} % lower (median)"
            )


def calibration(found: list[Look]) -> None:
    """Print how often what had a stated probability came true."""
    for low, high in pairwise(CHANCES):
        mine = [one for one in found if low <= one.trend.likely < high]
        if mine:
            stated = np.mean([one.trend.likely for one in mine])
            came = _share(one.gained for one in mine)
            print(f"  stated {100 * stated:.0f} %, came true {came} ({len(mine)} looks)")


def savings(histories: list[History]) -> None:
    """Print what stopping when first flat or worse, and taking the best, saves and loses."""
    saved, lost = [], []
    for history in histories:
        count = len(history.steps)
        places = np.unique(np.geomspace(8, count - 1, min(count - 8, 40)).astype(np.int64))
        found = looks(history, places)
        stop = next((one for one in found if one.trend.direction in ("flat", "worse")), None)
        saved.append(0.0 if stop is None else 1 - stop.step / int(history.steps[-1]))
        lost.append(0.0 if stop is None else max(0.0, stop.gained_later))
    print(
        f"  stopping when first flat or worse saves {100 * np.mean(saved):.0f} % of the steps and "
        f"loses {100 * np.median(lost):.2f} % of the loss (median); over 2 % in "
        f"{_share(one > 0.02 for one in lost)} of {len(lost)}"
    )


def _share(values: Iterator[bool]) -> str:
    return f"{100 * np.mean(list(values)):.0f} %"


def add(source: Path, name: str) -> None:
    """Reduce a history to a CSV; steps count from the first one logged."""
    curve = read_curve(source)
    steps, losses = curve.held_out_steps, curve.held_out
    HISTORIES.mkdir(exist_ok=True)
    start = steps[0] - EVALUATE_EVERY
    rows = [f"{step - start},{loss:.6g}" for step, loss in zip(steps, losses, strict=True)]
    (HISTORIES / f"{name}.csv").write_text("\n".join(["step,held_out", *rows, ""]))


def main() -> None:
    """Add a history, or print what became of the advice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--add", nargs=2, metavar=("HISTORY", "NAME"))
    parser.add_argument("--simulated", type=int, default=60, help="histories of each family")
    given = parser.parse_args()
    if given.add:
        add(Path(given.add[0]), given.add[1])
        return
    for history in recorded():
        found = list(looks(history, np.arange(len(history.steps))))
        report(history.name, found)
        savings([history])
    every: dict[str, list[Look]] = {}
    histories = list(simulated(given.simulated))
    for number, history in enumerate(histories):
        random = np.random.default_rng(number)
        places = (random.uniform(0.03, 0.8, 4) * len(history.steps)).astype(np.int64)
        every.setdefault(history.name, []).extend(looks(history, places))
    for family, found in every.items():
        report(f"simulated, {family}", found)
        savings([one for one in histories if one.name == family][:_STOPPED])
    together = [one for found in every.values() for one in found]
    report("simulated, all", together)
    calibration(together)


if __name__ == "__main__":
    main()
