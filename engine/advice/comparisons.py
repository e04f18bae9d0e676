"""What the answers to blind comparisons say about the checkpoints that were compared, in words."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.advice.preference import MAX_MORE, SURE, Duel, Ranking
from engine.choices import NETWORKS
from engine.formatting import plural
from engine.voice.comparisons import Comparison

# Checkpoints that are ranked together, and pairs that are described; a voice has fewer.
_MAX_STEPS, _MAX_PAIRS = 24, 50


@dataclass(frozen=True, slots=True)
class Standing:
    """What the answers say about some checkpoints."""

    answers: int = 0
    best: int | None = None
    """The step to take; None until that is decided."""
    words: str = "no answers yet"
    """What they say, in a sentence without its full stop.

    It names steps only once that is decided: earlier it would spoil the next blind answer.
    """
    progress: str = "no answers yet"
    """How far it is, naming no step: for somebody who goes on listening."""

    @property
    def decided(self) -> bool:
        """Whether the answers support a choice."""
        return self.best is not None


def standing_of(comparisons: Iterable[Comparison], steps: Sequence[int]) -> Standing:
    """Say what the answers about steps of one network mean, two or more."""
    among = [one for one in comparisons if one.a in steps and one.b in steps]
    if not among:
        return Standing()
    standing = (_of_pair if len(steps) == 2 else _of_many)(among, sorted(steps))
    if not standing.decided or len({one.sentence for one in among}) > 1:
        return standing
    return replace(standing, words=f"{standing.words}; heard with one sentence only")


def describe_comparisons(comparisons: Sequence[Comparison]) -> dict[str, list[dict[str, Any]]]:
    """The standing of every network's pairs of checkpoints, and of all of them together.

    Without a network that nothing was answered about.
    """
    described: dict[str, list[dict[str, Any]]] = {}
    for network in NETWORKS:
        of_network = [one for one in comparisons if one.network == network]
        pairs = sorted({tuple(sorted((one.a, one.b))) for one in of_network})
        steps = tuple(sorted({step for pair in pairs for step in pair}))
        together = [steps] if 2 < len(steps) <= _MAX_STEPS else []
        groups = [*together, *pairs[-_MAX_PAIRS:]]
        if groups:
            described[network] = [_described(of_network, group) for group in groups]
    return described


def _described(comparisons: Sequence[Comparison], steps: Sequence[int]) -> dict[str, Any]:
    standing = standing_of(comparisons, steps)
    return {
        "steps": list(steps),
        "answers": standing.answers,
        "best": standing.best,
        "standing": standing.words,
    }


def _of_pair(among: Sequence[Comparison], steps: Sequence[int]) -> Standing:
    cheaper, other = steps
    duel, ahead, behind = _duel(among, other), other, cheaper
    if duel.losses > duel.wins:
        duel, ahead, behind = _duel(among, cheaper), cheaper, other
    answers, low = plural(duel.answers, "answer"), duel.interval[0]
    best = ahead if low > 0.5 else cheaper if duel.alike else None
    if best is None:
        return _undecided(duel.answers, duel.fewest_more)
    ties = f", no difference in {duel.ties:,}" if duel.ties else ""
    if low > 0.5:
        words = f"{ahead:,} wins: better than {behind:,} in {duel.wins:,} of {answers}{ties}"
    else:
        words = f"{_alike(duel, cheaper, other)} in {answers}: take {cheaper:,}, the cheaper"
    words = f"{words} ({_interval(duel.interval)})"
    return Standing(duel.answers, best, words, f"{answers}, decided")


def _undecided(answers: int, more: int) -> Standing:
    about = "at least" if more == MAX_MORE else "about"
    words = f"{plural(answers, 'answer')}, not decided yet; {about} {more:,} more decide it"
    return Standing(answers, None, words, words)


def _duel(among: Iterable[Comparison], step: int) -> Duel:
    scores = Counter(one.score(step) for one in among)
    return Duel(scores[1.0], scores[0.0], scores[0.5])


def _alike(duel: Duel, cheaper: int, other: int) -> str:
    if 2 * duel.ties >= duel.answers:
        return f"you cannot tell {cheaper:,} and {other:,} apart"
    return f"you prefer neither {cheaper:,} nor {other:,}"


def _interval(ends: tuple[float, float]) -> str:
    low, high = ends
    return f"95 % interval {100 * low:.0f}–{100 * high:.0f} %"


def _of_many(among: Sequence[Comparison], steps: Sequence[int]) -> Standing:
    ranking = ranking_of(among, steps)
    first, second = ranking.order[:2]
    good = [step for step, sure in zip(steps, ranking.good_enough, strict=True) if sure >= SURE]
    answers = plural(len(among), "answer")
    if ranking.chances[first] >= SURE:
        best = steps[first]
        low, high = ranking.preference(first, second)
        words = f"{best:,} is the best of {len(steps)} checkpoints: "
        words += f"{100 * ranking.chances[first]:.0f} % sure after {answers}; better than "
        words += f"{steps[second]:,} {100 * low:.0f}–{100 * high:.0f} % of the time"
    elif good:
        best = good[0]
        words = f"after {answers} none of {len(steps)} checkpoints is clearly better than "
        words += f"{_listed(good)}: take {best:,}" + (", the cheapest" if len(good) > 1 else "")
    else:
        return _undecided(len(among), ranking.fewest_more)
    return Standing(len(among), best, words, f"{answers}, decided")


def _listed(steps: Sequence[int]) -> str:
    *others, last = (f"{step:,}" for step in steps)
    return f"{', '.join(others)} or {last}" if others else last


def ranking_of(among: Iterable[Comparison], steps: Sequence[int]) -> Ranking:
    """Rank steps by the answers about them; competitors are numbered as the steps stand."""
    place = {step: number for number, step in enumerate(steps)}
    results = [(place[one.a], place[one.b], one.score(one.a)) for one in among]
    return Ranking(len(steps), results)
