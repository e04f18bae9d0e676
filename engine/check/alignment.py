"""Where in its text each pause of a recording is: forced alignment of letters with sound.

A text is its letters in a row, each of which has a beginning and an end of one frame at least.
Before and after each there may be a pause, which is likelier at a full stop than between two words,
and next to impossible inside a word. The Viterbi algorithm finds the best path through letters and
pauses; how much worse the best one is that has a pause elsewhere says how sure its place is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.check.levels import HOP_SECONDS, Levels, runs

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]

# Seconds of silence that are a pause and not the closure of a consonant.
_SHORTEST_PAUSE = 0.15
_IMPOSSIBLE = -1e30
NO_LETTER = -0.5
"""What each frame of sound costs that is no letter: a breath, a click."""


class PlaceKind(IntEnum):
    """What stands between two letters of a text."""

    INSIDE = 0
    """Nothing: they are of one word."""
    WORD = 1
    CLAUSE = 2
    """A comma or another mark inside a sentence."""
    SENTENCE = 3


# For each kind: the share of its places that have a pause, the usual length of these pauses in
# seconds, and the spread of the logarithm of that.
_USUAL = np.array([(0.001, 0.2, 0.5), (0.03, 0.25, 0.7), (0.5, 0.35, 0.6), (0.9, 0.5, 0.5)])
STATES = 2
"""Of a letter: its beginning and its end."""

# No length of a pause speaks more against a kind of place than this density.
_LEAST_DENSITY = 0.1


@dataclass(frozen=True)
class Heard:
    """In which of T frames of 10 ms a recording has sound, and where it pauses."""

    pauses: tuple[tuple[int, int], ...]
    """First frame of each pause between two sounds, and the one after its last."""
    sound: tuple[int, int]
    """First frame with sound, and the one after the last."""
    frames: int
    """T."""

    @cached_property
    def quiet(self) -> Integers:
        """For each frame: 0 in sound, −1 before and after all sound, n in the nth pause."""
        quiet = np.full(self.frames, -1)
        quiet[slice(*self.sound)] = 0
        for number, pause in enumerate(self.pauses, start=1):
            quiet[slice(*pause)] = number
        return quiet

    @cached_property
    def sounding(self) -> NDArray[np.bool_]:
        """In which frames there is sound."""
        sounding: NDArray[np.bool_] = self.quiet == 0
        return sounding

    def reversed(self) -> "Heard":
        """The same from its end to its start."""
        pauses = tuple((self.frames - end, self.frames - start) for start, end in self.pauses[::-1])
        start, end = self.sound
        return Heard(pauses, (self.frames - end, self.frames - start), self.frames)


def listen(levels: Levels) -> Heard | None:
    """Find the pauses of a recording; None without any sound."""
    speaks = levels.speaks()
    starts, ends = runs(speaks)
    if not len(starts):
        return None
    pauses = tuple(
        (end, start)
        for end, start in zip(ends[:-1].tolist(), starts[1:].tolist(), strict=True)
        if (start - end) * HOP_SECONDS >= _SHORTEST_PAUSE
    )
    return Heard(pauses, (int(starts[0]), int(ends[-1])), len(speaks))


@dataclass(frozen=True)
class Task:
    """N letters, of two states each, to be aligned with T frames."""

    heard: Heard
    scores: Floats
    """How well each state fits each frame, `(T, 2 N)`, as a logarithm."""
    kinds: Integers
    """`PlaceKind` before each letter and after the last, `(N + 1,)`."""

    @cached_property
    def passing(self) -> Floats:
        """What it costs to go on without a pause before each state and after all, `(2 N + 1,)`."""
        return _spread_out(np.log1p(-_USUAL[:, 0])[self.kinds], 0.0)

    @cached_property
    def pausing(self) -> Floats:
        """What it costs to make each pause at each of these places, `(pauses, 2 N + 1)`."""
        share, usual, spread = _USUAL.T
        seconds = [(end - start) * HOP_SECONDS for start, end in self.heard.pauses]
        away = (np.log(np.array(seconds))[:, None] - np.log(usual)) / spread
        density = np.maximum(np.exp(-(away**2) / 2) / spread, _LEAST_DENSITY)
        return _spread_out(np.log(share * density)[:, self.kinds], _IMPOSSIBLE)

    def reversed(self) -> "Task":
        """The same task from the last letter to the first."""
        return Task(self.heard.reversed(), self.scores[::-1, ::-1], self.kinds[::-1])


def _spread_out(costs: Floats, within: float) -> Floats:
    """Costs `(…, N + 1)` of places between letters, with those of places within them."""
    shape = (*costs.shape[:-1], STATES * costs.shape[-1] - 1)
    spread = np.full(shape, within)
    spread[..., ::STATES] = costs
    return spread


def _sweep(task: Task) -> Iterator[tuple[Floats, Floats]]:
    """For each frame, the best paths that end in each state `(2 N,)` and before it or after all."""
    quiet, inner = task.heard.quiet, task.passing[1:-1]
    nowhere = np.full(task.scores.shape[1], _IMPOSSIBLE)
    states, places = nowhere, np.append(0.0, nowhere)
    before = 0
    for frame, now in enumerate(quiet.tolist()):
        if now != before or not now:
            ended = places.copy()
            np.maximum(ended[1:], states, out=ended[1:])
        if not now:
            going_on = np.maximum(states, places[:-1])
            np.maximum(going_on[1:], states[:-1] + inner, out=going_on[1:])
            states, places = going_on + task.scores[frame], ended + NO_LETTER
        elif now != before:
            states = nowhere
            places = ended + task.pausing[now - 1] if now > 0 else ended
        before = now
        yield states, places


def align(task: Task) -> Integers:
    """The state in each frame of the best path, `(T,)`; −1 where no state sounds."""
    steps = list(_sweep(task))
    path = np.full(len(steps), -1)
    state = task.scores.shape[1]
    in_state = steps[-1][0][-1] >= steps[-1][1][-1]
    state -= int(in_state)
    for frame in range(len(steps) - 1, 0, -1):
        states, places = steps[frame - 1]
        if in_state:
            path[frame] = state
            before = states[state - 1] + task.passing[state] if state else _IMPOSSIBLE
            if max(before, places[state]) > states[state]:
                in_state = before > places[state]
                state -= int(in_state)
        elif state and states[state - 1] > places[state]:
            in_state = True
            state -= 1
    return path


def score_places(task: Task) -> Floats:
    """The best path with each pause at each place of the text, `(pauses, N + 1)`."""
    pauses, backward = task.heard.pauses, task.reversed()
    before = _at_starts(task, [start for start, _ in pauses])
    after = _at_starts(backward, [start for start, _ in backward.heard.pauses])
    # Both have counted the pause itself.
    found: Floats = (before + after[::-1, ::-1] - task.pausing)[:, ::STATES]
    return found


def _at_starts(task: Task, starts: Sequence[int]) -> Floats:
    found = {frame: places for frame, (_, places) in enumerate(_sweep(task)) if frame in starts}
    return np.array([found[start] for start in starts]).reshape(len(starts), len(task.passing))
