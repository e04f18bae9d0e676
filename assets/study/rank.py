"""Find out which measures put checkpoints in order whose order is known.

Reads `evaluation.jsonl` of voices that plant.py made, or of a run whose order is given, into one
small table, and prints for every measure how well it orders them. With pairs of checkpoints as
the unit: +1 is every pair in the right order, 0 is chance, -1 every pair in the wrong order.
"""

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from plant import ANSWERS

from engine.advice.duels import duels_between
from engine.advice.measures import MEASURES
from engine.choices import NetworkName
from engine.errors import InputError, VoicecoachError
from engine.run.evaluation import Evaluation, SentenceMeasures
from engine.voice.evaluations import read_evaluations
from engine.voice.folder import Voice

Values = NDArray[np.float64]
KEYS = ("series", "place", "sentence")
_DRAWS = 1000
_OF_CHECKPOINT = ("held_out", "held_out_training")


@dataclass(frozen=True)
class Series:
    """Checkpoints of one origin, the best first."""

    name: str
    values: Mapping[str, Values]
    """`(places, sentences)` of each measure, NaN where it was not taken."""


def gather(argument: str) -> list[dict[str, str]]:
    """Return rows of the table for a voice: `FOLDER`, or `FOLDER:NETWORK:BEST,NEXT,…,WORST`.

    Raises:
        InputError: an order is missing, or a checkpoint of it was not evaluated.
    """
    folder, _, order = argument.partition(":")
    network: NetworkName
    if order:
        network, steps = order.partition(":")[0], list(map(int, order.partition(":")[2].split(",")))
    else:
        answers = json.loads((Path(folder) / ANSWERS).read_text("utf-8"))
        network, steps = answers["network"], answers["best_to_worst"]
    voice = Voice.open(Path(folder))
    found = {one.step: one for one in read_evaluations(voice, network)}
    if missing := [step for step in steps if step not in found]:
        raise InputError(f"{folder} has no evaluation of {missing}; run `voicecoach evaluate`.")
    name = f"{voice.name} {network}"
    return [row for place, step in enumerate(steps) for row in _rows(name, place, found[step])]


def _rows(name: str, place: int, evaluation: Evaluation) -> list[dict[str, str]]:
    whole = {key: getattr(evaluation, key) for key in _OF_CHECKPOINT}
    return [
        {
            **dict(zip(KEYS, (name, str(place), str(number)), strict=True)),
            **{key: f"{x:.5g}" for key, x in {**whole, **one.measures}.items() if x is not None},
        }
        for number, one in enumerate(evaluation.sentences)
    ]


def read_table(rows: Iterable[Mapping[str, str]]) -> list[Series]:
    """Sort the rows of the table into series."""
    by_name: dict[str, list[Mapping[str, str]]] = {}
    for row in rows:
        by_name.setdefault(row["series"], []).append(row)
    return [_series(name, found) for name, found in by_name.items()]


def _series(name: str, rows: Sequence[Mapping[str, str]]) -> Series:
    places = 1 + max(int(row["place"]) for row in rows)
    values = {}
    for measure in MEASURES:
        flat = [float(row.get(measure) or "nan") for row in rows]
        values[measure] = np.array(flat).reshape(places, -1)
    return Series(name, values)


def complete(values: Values) -> Values:
    """Return the sentences of which every checkpoint has the measure, `(places, sentences)`."""
    return values[:, np.isfinite(values).all(axis=0)]


def better_by(measure: str, values: Values) -> Values:
    """Return how much better the first of each pair is than the second, `(pairs, sentences)`."""
    sign = 1.0 if MEASURES[measure].better == "higher" else -1.0
    return np.array(
        [sign * (values[i] - values[j]) for i, j in combinations(range(len(values)), 2)]
    )


@dataclass(frozen=True)
class Order:
    """How well a measure orders one series."""

    tau: float
    """Kendall's tau between the known order and the means over sentences."""
    low: float
    high: float
    """Its 95 % interval, over draws of sentences."""
    surely_right: float
    """Share of the pairs whose paired difference has the right sign in 95 % of the draws."""
    surely_wrong: float
    wins: float
    """Share of pairs and sentences in which the better one is better, a tie half."""


def order_of(differences: Values) -> Order:
    """Measure an order by the paired differences of `better_by`."""
    random = np.random.default_rng(0)
    drawn = random.integers(differences.shape[1], size=(_DRAWS, differences.shape[1]))
    means = differences[:, drawn].mean(axis=2)  # (pairs, draws)
    taus = np.sign(means).mean(axis=0)
    low, high = np.quantile(means, [0.025, 0.975], axis=1)
    return Order(
        float(np.sign(differences.mean(axis=1)).mean()),
        *map(float, np.quantile(taus, [0.025, 0.975])),
        surely_right=float((low > 0).mean()),
        surely_wrong=float((high < 0).mean()),
        wins=float((1 + np.sign(differences)).mean() / 2),
    )


def rank_by(series: Series, measures: Iterable[str]) -> float:
    """Kendall's tau of the judge's rank over some measures, as the product computes it."""
    places, sentences = next(iter(series.values.values())).shape
    evaluations = [
        Evaluation(
            "text2mel", place, 0.0,
            tuple(
                SentenceMeasures(str(n), "", {m: float(x) for m in measures
                                              if np.isfinite(x := series.values[m][place, n])})
                for n in range(sentences)
            ),
        )
        for place in range(places)
    ]  # fmt: skip
    duels = duels_between(evaluations)
    if duels is None:
        return float("nan")
    won = [duels.won(place) for place in range(places)]
    return float(np.mean([np.sign(won[i] - won[j]) for i, j in combinations(range(places), 2)]))


def mean_and_interval(values: Sequence[float]) -> str:
    """Return a mean over series with its 95 % bootstrap interval."""
    array = np.array(values)
    drawn = np.random.default_rng(0).integers(len(array), size=(_DRAWS, len(array)))
    low, high = np.quantile(array[drawn].mean(axis=1), [0.025, 0.975])
    return f"{array.mean():+.2f} ({low:+.2f} to {high:+.2f})"


def print_measures(all_series: Sequence[Series]) -> None:
    """Print a row for each measure over all series, then its tau in each of them."""
    print(
        "| measure | tau | surely right | surely wrong | wins | series |\n|---|---|---|---|---|---|"
    )
    table = {
        name: {
            one.name: order_of(better_by(name, complete(one.values[name])))
            for one in all_series
            if complete(one.values[name]).size
        }
        for name in MEASURES
    }
    for name, orders in table.items():
        if orders:
            found = list(orders.values())
            shares = [
                f"{100 * np.mean([getattr(one, key) for one in found]):.0f} %"
                for key in ("surely_right", "surely_wrong", "wins")
            ]
            tau = mean_and_interval([one.tau for one in found])
            print(f"| {name} | {tau} | {' | '.join(shares)} | {len(found)} |")
    print()
    print("| series | " + " | ".join(table) + " |\n" + "|---" * (1 + len(table)) + "|")
    for one in all_series:
        cells = [
            f"{found.tau:+.2f} ({found.low:+.2f} to {found.high:+.2f})"
            if (found := table[name].get(one.name))
            else "–"
            for name in table
        ]
        print(f"| {one.name} | {' | '.join(cells)} |")


def print_rank(all_series: Sequence[Series], measures: Sequence[str]) -> None:
    """Print how the judge's rank orders the series, and how it would without each measure."""
    sets = {"the judge's rank": measures}
    sets |= {f"without {name}": [one for one in measures if one != name] for name in measures}
    print("\n| set | tau |\n|---|---|")
    for title, names in sets.items():
        found = [tau for one in all_series if not np.isnan(tau := rank_by(one, names))]
        if found:
            print(f"| {title} | {mean_and_interval(found)} |")


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", type=Path, help="a CSV file; made where there is none")
    parser.add_argument("--add", nargs="*", default=[], help="voices to read into it first")
    parser.add_argument("--rank", nargs="*", default=[], help="ranked measures to rank by")
    options = parser.parse_args()
    try:
        new = [row for argument in options.add for row in gather(argument)]
    except (VoicecoachError, OSError) as error:
        print(f"rank: {error}", file=sys.stderr)
        return 2
    old = list(csv.DictReader(options.table.open())) if options.table.exists() else []
    again = {row["series"] for row in new}
    rows = [row for row in old if row["series"] not in again] + new
    with options.table.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*KEYS, *MEASURES], restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    found = read_table(rows)
    print_measures(found)
    if options.rank:
        print_rank(found, options.rank)
    return 0


if __name__ == "__main__":
    sys.exit(main())
