"""Attention in words: which words of a sentence were skipped, repeated or got stuck, and when."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.run.evaluation import Misreading

# A word is skipped where a letter of it gets less than this share of what letters of the sentence
# get, by the word's length and by whether any frame has its peak in it. In voices that are
# understood, short words get 0.29 and more, those of four letters 0.5, long ones 0.7; but "a" may
# get 0.2 and no peak.
_LONG = 5
_SEEN = {1: 0.0, 2: 0.2, 3: 0.2, 4: 0.3, _LONG: 0.45}
_UNSEEN = {1: 0.1, _LONG: 0.5}
# Speech is hardly faster, in seconds a letter; a sentence that stops after a word has no pace.
_FASTEST = 0.035
# How long attention may stay with two neighbouring characters: so many times what a letter of the
# sentence takes, in bounds of seconds. Voices that are understood stay for 0.3 s.
_STUCK_LETTERS, _STUCK_LEAST, _STUCK_MOST = 10.0, 0.7, 1.2
# What a pause adds to that, in seconds: at a comma or at the end, and between any two words.
_PAUSE, _GAP = 0.8, 0.3
# A single frame that is further than this from both its neighbours has strayed.
_STRAY = 2
# Characters that attention may go back by without reading anything again, and the share of a word
# that has to be read again.
_BACK, _AGAIN = 1, 0.5
# Characters of a script without spaces that are told as a word.
_WITHOUT_SPACES = 3


def misreadings(
    text: str, attention: NDArray[np.float32], seconds_per_frame: float
) -> tuple[Misreading, ...]:
    """Tell where attention passed over a word, went back to it, or got stuck at it.

    Words after the place where a sentence was cut short count as skipped, at its end.

    Args:
        text: the symbols of the rows; an E, at the end or between sentences, is no letter.
        attention: weights `(N, T)` over N symbols in T coarse frames; rows after the text's are
            padding.
        seconds_per_frame: the length of a coarse frame.

    Returns:
        One for each kind and word, in the order of the sound: from the first time to the last.
    """
    reading = Reading(text, attention, seconds_per_frame)
    found: dict[tuple[str, int], Misreading] = {}
    for one in (*reading.skipped(), *reading.repeated(), *reading.stuck()):
        first = found.get((one.kind, one.start), one)
        found[one.kind, one.start] = Misreading(
            one.kind, one.word, one.start, one.end, first.seconds, one.until
        )
    return tuple(sorted(found.values(), key=lambda one: (one.seconds, one.start)))


@dataclass(frozen=True)
class Reading:
    """How a sentence was read; see `misreadings` for the fields."""

    text: str
    attention: NDArray[np.float32]
    seconds_per_frame: float

    @cached_property
    def words(self) -> tuple[tuple[int, int], ...]:
        """Where the words of the text begin and end, without marks."""
        spaced = self.text.replace("E", " ")
        runs = (match.span() for match in re.finditer(r"\S+", spaced))
        return tuple(word for start, end in runs for word in _split(spaced, start, end))

    @cached_property
    def path(self) -> NDArray[np.int64]:
        """The character that each frame attends to most, `(T,)`, but where a single one strays."""
        if not self._weights.size:
            return np.empty(0, np.int64)
        peaks = self._weights.argmax(axis=0)
        before, here, after = peaks[:-2], peaks[1:-1], peaks[2:]
        stray = (abs(here - before) > _STRAY) & (abs(here - after) > _STRAY)
        stray &= abs(before - after) <= _STRAY
        return np.concatenate(
            (peaks[:1], np.where(stray, before, here), peaks[max(1, len(here) + 1) :])
        )

    @cached_property
    def per_letter(self) -> float:
        """Seconds that a letter of a word usually took: the median over words."""
        if not self.words:
            return _FASTEST
        return max(_FASTEST, float(np.median([self._per_letter(*word) for word in self.words])))

    def skipped(self) -> Iterator[Misreading]:
        """Words that attention passed over, or never came to."""
        if not len(self.path):
            return
        first, last = int(self.path.min()), int(self.path.max())
        for start, end in self.words:
            share = self._per_letter(start, end) / self.per_letter
            unseen = not ((self.path >= start) & (self.path < end)).any()
            enough = _UNSEEN if unseen else _SEEN
            outside = end + 1 < first or start > last
            if outside or share < enough.get(end - start, enough[_LONG]):
                beyond = np.flatnonzero(self.path >= end)
                frame = int(beyond[0]) if len(beyond) else len(self.path)
                yield self._misreading("skipped", (start, end), frame, frame)

    def repeated(self) -> Iterator[Misreading]:
        """Words that attention went back to, after it had read at least half of them."""
        for first, after, limit in self._returns():
            frames = self.path[first:after]
            for start, end in self.words:
                inside = np.flatnonzero((frames >= start) & (frames < end))
                least = _AGAIN * (end - start)
                if (
                    int(frames.min()) <= start + 1
                    and min(end, limit + 1) - start >= least
                    and len(inside) * self.seconds_per_frame >= least * self.per_letter
                ):
                    bounds = first + int(inside[0]), first + int(inside[-1]) + 1
                    yield self._misreading("repeated", (start, end), *bounds)

    def _returns(self) -> Iterator[tuple[int, int, int]]:
        """Where attention went back: the first frame, the one after the last, and the character
        that it had come to."""
        furthest = np.maximum.accumulate(self.path)
        first = 0
        for limit, group in groupby(furthest.tolist()):
            after = first + len(list(group))
            back = np.flatnonzero(self.path[first:after] < limit - _BACK)
            if len(back):
                yield first + int(back[0]), after, limit
            first = after

    def stuck(self) -> Iterator[Misreading]:
        """Words in which attention did not move on."""
        first = 0
        while first < len(self.path) and self.words:
            after = self._end_of_stay(first)
            places = sorted({*self.path[first:after].tolist()})
            if (after - first) * self.seconds_per_frame <= self._longest_stay(places):
                first += 1
                continue
            place = int(np.bincount(self.path[first:after]).argmax())
            there = first + np.flatnonzero(self.path[first:after] == place)
            word = max((one for one in self.words if one[0] <= place), default=self.words[0])
            yield self._misreading("stuck", word, int(there[0]), int(there[-1]) + 1)
            first = after

    def _end_of_stay(self, first: int) -> int:
        """The frame after the last that attends to the same two neighbours as one and those
        between."""
        low = high = int(self.path[first])
        for frame in range(first + 1, len(self.path)):
            low, high = min(low, int(self.path[frame])), max(high, int(self.path[frame]))
            if high - low > 1:
                return frame
        return len(self.path)

    def _longest_stay(self, places: list[int]) -> float:
        """Seconds that attention may stay at some places."""
        seconds = min(max(_STUCK_LETTERS * self.per_letter, _STUCK_LEAST), _STUCK_MOST)
        characters = {self.text[place] for place in places}
        if "E" in characters or any(not one.isalnum() and one != " " for one in characters):
            return seconds + _PAUSE
        return seconds + _GAP * (" " in characters)

    @cached_property
    def _weights(self) -> NDArray[np.float32]:
        return np.nan_to_num(self.attention[: len(self.text)])

    def _per_letter(self, start: int, end: int) -> float:
        weight = float(self._weights[start:end].sum())
        return weight * self.seconds_per_frame / (end - start)

    def _misreading(
        self,
        kind: Literal["skipped", "repeated", "stuck"],
        word: tuple[int, int],
        first: int,
        after: int,
    ) -> Misreading:
        seconds = (round(frame * self.seconds_per_frame, 3) for frame in (first, after))
        return Misreading(kind, self.text[slice(*word)], *word, *seconds)


def _split(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The words of a run of symbols without spaces: one, unless its script has no spaces."""
    letters = [place for place in range(start, end) if text[place].isalnum()]
    if not letters:
        return
    start, end = letters[0], letters[-1] + 1
    if not any(unicodedata.east_asian_width(text[place]) == "W" for place in letters):
        yield start, end
        return
    for first in range(start, end, _WITHOUT_SPACES):
        yield first, min(first + _WITHOUT_SPACES, end)
