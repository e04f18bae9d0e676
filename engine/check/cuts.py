"""Which pauses of a long clip to cut: sure ones only, and no more than needed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from engine.check.alignment import STATES, Heard, Integers, PlaceKind, Task, score_places
from engine.check.cleaning import CAPPED_PAUSE, KEPT_AFTER, KEPT_BEFORE
from engine.check.levels import HOP_SECONDS
from engine.check.text_places import Place

# So many letters before and after a cut must take a time between these shares of the clip's pace:
# words on the wrong side of a pause are squeezed or stretched.
_BESIDE, _SQUEEZED, _STRETCHED = 4, 0.35, 2.2
# Seconds of the shortest pause that is cut.
_MIN_SECONDS = {PlaceKind.SENTENCE: 0.15, PlaceKind.CLAUSE: 0.2, PlaceKind.WORD: 0.3}
# What a cut costs: for itself, where there is no full stop, and for each second by which its pause
# is shorter than a good one.
_EACH, _SHORTER, _GOOD_SECONDS = 0.1, 6.0, 0.8
_NO_STOP = {PlaceKind.SENTENCE: 0.0, PlaceKind.CLAUSE: 0.3, PlaceKind.WORD: 0.6}
# What a part costs that is hardly a sentence; one that does not fit, and each second of it.
_SHORT, _SHORT_SECONDS = 1.0, 1.0
_LOST, _LOST_SECOND = 20.0, 2.0


@dataclass(frozen=True)
class Cut:
    """A pause whose place in the text is certain; or what is before or behind all sound."""

    pause: tuple[int, int]
    """Frames of 10 ms."""
    place: Place
    cost: float = 0.0

    @property
    def seconds(self) -> float:
        """Where it is cut: in its middle."""
        return sum(self.pause) / 2 * HOP_SECONDS


def outer_cuts(heard: Heard, letters: int, columns: Sequence[str]) -> tuple[Cut, Cut]:
    """The start and the end of a whole clip."""
    start, end = heard.sound
    lengths = tuple(map(len, columns))
    return (
        Cut((-start, start), Place((0,) * len(columns), 0, PlaceKind.SENTENCE)),
        Cut((end, 2 * heard.frames - end), Place(lengths, letters, PlaceKind.SENTENCE)),
    )


def sure_cuts(task: Task, path: Integers, places: Sequence[Place], margin: float) -> list[Cut]:
    """The pauses that certainly lie where the text can be cut.

    `path` is that of `align`; by `margin` the place of a pause must be better than any other.
    """
    by_letters = {place.letters: place for place in places}
    cuts: list[Cut] = []
    for pause, scores in zip(task.heard.pauses, score_places(task), strict=True):
        *_, second, best = np.sort(scores)
        place = by_letters.get(int(scores.argmax()))
        seconds = (pause[1] - pause[0]) * HOP_SECONDS
        sure = place and best - second >= margin and _at_pace(path, place.letters)
        if place and sure and seconds >= _MIN_SECONDS[place.kind]:
            cost = _EACH + _NO_STOP[place.kind] + _SHORTER * max(0.0, _GOOD_SECONDS - seconds)
            cuts.append(Cut(pause, place, cost))
    return cuts


def _at_pace(path: Integers, letters: int) -> bool:
    spoken = path[path >= 0] // STATES
    pace = len(spoken) / (int(spoken.max()) + 1)
    beside = (
        range(max(0, letters - _BESIDE), letters),
        range(letters, min(letters + _BESIDE, int(spoken.max()) + 1)),
    )
    paces = [np.isin(spoken, each).sum() / len(each) / pace for each in beside]
    return bool(min(paces) >= _SQUEEZED and max(paces) <= _STRETCHED)


def choose_cuts(
    cuts: Sequence[Cut], heard: Heard, fits: Callable[[float, int, int], bool]
) -> list[Cut]:
    """The cheapest cuts between the first and the last, which are the ends of the clip.

    Long pauses and full stops are preferred. `fits` tells whether a part of so many seconds is
    within the limits that has the letters from one number to another.
    """
    ways: list[tuple[float, list[Cut]]] = [(0.0, [cuts[0]])]
    for cut in cuts[1:]:
        options = []
        for cost, way in ways:
            seconds = seconds_after_repair(heard, way[-1].pause[1], cut.pause[0])
            if not fits(seconds, way[-1].place.letters, cut.place.letters):
                cost += _LOST + _LOST_SECOND * seconds
            elif seconds < _SHORT_SECONDS:
                cost += _SHORT
            options.append((cost, way))
        cost, way = min(options, key=lambda option: option[0])
        ways.append((cost + cut.cost, [*way, cut]))
    return ways[-1][1]


def seconds_after_repair(heard: Heard, start: int, end: int) -> float:
    """How long the frames from start to end will be, with their pauses capped and ends trimmed."""
    pauses = [b - a for a, b in heard.pauses if start <= a and b <= end]
    shortened = sum(max(0.0, pause * HOP_SECONDS - CAPPED_PAUSE) for pause in pauses)
    return (end - start) * HOP_SECONDS - shortened + KEPT_BEFORE + KEPT_AFTER
