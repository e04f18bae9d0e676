"""Long clips split at pauses: where the text of each part is certain, and nowhere else."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

import numpy as np

from engine.check.alignment import NO_LETTER, STATES, Floats, Integers, Task, align
from engine.check.cleaning import high_pass
from engine.check.cuts import Cut, choose_cuts, outer_cuts, sure_cuts
from engine.check.letter_sounds import SAMPLE_RATE, LetterSounds, Script, Sound, measure_sound
from engine.check.levels import HOP_SECONDS
from engine.check.text_places import find_places, is_letter, script
from engine.data.audio import AudioSpec, load_recording
from engine.data.clips import Clip, Limits, max_seconds
from engine.errors import InputError
from engine.text.vocabulary import Vocabulary

Attend = Callable[[Clip, int], Floats | None]
"""How well each letter of a clip's text fits each of so many frames of 10 ms, `(T, letters)`, by
the attention of a trained voice; None where that is not to be trusted."""

LONGEST = 120.0
"""Seconds of the longest recording that is split."""
# Seconds of speech from which the sounds of the letters are learned. Where there are fewer of short
# clips than the second, long ones are added.
_LESSONS, _ENOUGH = 600.0, 300.0
# How much better than any other the place of a pause must be, as a logarithm; more with fewer
# lessons than these seconds.
_SURE, _FEW = 4.0, 60.0
# A part whose letters fit its sound less than this share of the usual says something else.
_FITS = 0.75
# Attention goes through the text in its order if in this share of the frames it is within so many
# letters of the one that sounds there; otherwise it is not heeded.
_AGREES, _NEAR = 0.5, 5
# Seconds by which a part may turn out longer than expected.
_SLACK = 0.1


@dataclass(frozen=True, slots=True)
class LongClip:
    """A clip above the limits."""

    clip: Clip
    columns: tuple[str, ...]
    """The fields of its line after the id."""
    reason: str
    """Why it cannot stay whole."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a long clip."""

    start: float
    """In seconds of the recording."""
    end: float
    columns: tuple[str, ...]
    fits: bool
    """Whether its sound is that of its text."""


class Splitter:
    """Splits long clips with what it has learned from their corpus."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        limits: Limits,
        audio: AudioSpec,
        attend: Attend | None,
    ) -> None:
        """Split for a voice's vocabulary, limits and sound; it must learn first."""
        self._vocabulary = vocabulary
        self._max_symbols = limits.max_characters
        self._max_seconds = max_seconds(limits, audio) - _SLACK
        self._attend = attend
        self._sounds: LetterSounds | None = None
        self._usual_fit = 0.0
        self._sure = _SURE

    def learn(
        self, short: Sequence[Clip], long: Sequence[Clip], cancelled: Callable[[], bool]
    ) -> None:
        """Learn what the letters sound like, from short clips and, if these are few, long ones.

        Ends without having learned when `cancelled()` becomes true.
        """
        lessons = self._lessons(short)
        if _seconds(lessons) < _ENOUGH:
            lessons += self._lessons(long)
        if lessons and not cancelled():
            self._sounds = LetterSounds(lessons, cancelled)
            tasks = [self._sounds.task(*lesson) for lesson in lessons]
            self._sure = _SURE * max(1.0, _FEW / _seconds(lessons)) ** 0.5
            self._usual_fit = median(_fit(task, align(task)) for task in tasks)

    def _lessons(self, clips: Sequence[Clip]) -> list[tuple[Sound, Script]]:
        """Clips in an order that is the same each time, until there are enough."""
        found: list[tuple[Sound, Script]] = []
        for clip in sorted(clips, key=_hash):
            if _seconds(found) >= _LESSONS:
                break
            text = script(clip.text, find_places([clip.text], self._vocabulary))
            sound = _measure(clip)
            if sound and _has_room(sound, text):
                found.append((sound, text))
        return found

    def split(self, long: LongClip) -> list[Part]:
        """The parts of a clip, at least one of which fits; none where no cut is sure."""
        places = find_places(long.columns, self._vocabulary)
        text, sound = script(long.clip.text, places), _measure(long.clip)
        if not self._sounds or not sound or not _has_room(sound, text):
            return []
        heard = self._sounds.task(sound, text)
        task = self._attended(heard, long.clip)
        path = align(task)
        first, last = outer_cuts(sound.heard, len(text.letters), long.columns)
        cuts = [first, *sure_cuts(task, path, places, self._sure), last]
        chosen = choose_cuts(cuts, sound.heard, self._limit(long.clip.text))
        parts = [self._part(long, heard, path, (a, b)) for a, b in pairwise(chosen)]
        return parts if len(parts) > 1 and any(part.fits for part in parts) else []

    def _attended(self, task: Task, clip: Clip) -> Task:
        """The task with attention as further evidence, where it mostly agrees with the sounds."""
        attention = self._attend(clip, task.heard.frames) if self._attend else None
        if attention is None:
            return task
        path = align(task)
        spoken = np.flatnonzero(path >= 0)
        away = np.abs(attention[spoken].argmax(axis=1) - path[spoken] // STATES)
        if np.mean(away <= _NEAR) < _AGREES:
            return task
        return replace(task, scores=task.scores + attention.repeat(STATES, axis=1))

    def _limit(self, text: str) -> Callable[[float, int, int], bool]:
        """Whether a part fits: see `choose_cuts`."""
        letters = [place for place, character in enumerate(text) if is_letter(character)]
        starts = [0, *(place + 1 for place in letters)]

        def fits(seconds: float, first: int, end: int) -> bool:
            # A mark may follow the last letter, and E does.
            symbols = starts[end] - starts[first] + 2
            return seconds <= self._max_seconds and symbols <= self._max_symbols

        return fits

    def _part(self, long: LongClip, task: Task, path: Integers, cuts: tuple[Cut, Cut]) -> Part:
        start, end = cuts
        columns = tuple(
            column[a:b].strip()
            for column, a, b in zip(long.columns, start.place.ends, end.place.ends, strict=True)
        )
        fit = _fit(task, path, start.pause[1], end.pause[0])
        return Part(start.seconds, end.seconds, columns, fit >= _FITS * self._usual_fit)


def _hash(clip: Clip) -> bytes:
    return hashlib.sha256(clip.clip_id.encode()).digest()


def _measure(clip: Clip) -> Sound | None:
    try:
        waveform = load_recording(clip.path, SAMPLE_RATE)
    except InputError:
        return None  # said where its recording is repaired
    if len(waveform) > LONGEST * SAMPLE_RATE:
        return None
    return measure_sound(high_pass(waveform, SAMPLE_RATE))


def _has_room(sound: Sound, text: Script) -> bool:
    """Whether there are letters, and frames for all of them."""
    return 0 < STATES * len(text.letters) <= int(sound.heard.sounding.sum())


def _seconds(lessons: Sequence[tuple[Sound, Script]]) -> float:
    return float(sum(sound.heard.sounding.sum() for sound, _ in lessons)) * HOP_SECONDS


def _fit(task: Task, path: Integers, start: int = 0, end: int | None = None) -> float:
    """How well the states of a path fit the sound of its frames from start to end, on average."""
    sounding = start + task.heard.sounding[start:end].nonzero()[0]
    spoken = sounding[path[sounding] >= 0]
    silent = len(sounding) - len(spoken)
    total = task.scores[spoken, path[spoken]].sum() + NO_LETTER * silent
    return float(total) / max(1, len(sounding))
