"""Which clips of a corpus are held out: never trained on, to evaluate with and to listen to."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

_MAX_CLIPS = 8
_ONE_IN = 10
# Lengths in whole seconds from which clips are taken, the middle ones first.
_SECONDS = (3, 4, 2, 5)
_MIN_CHARACTERS = 20


class ClipLength(NamedTuple):
    """How long a clip is, to the ear and to the eye."""

    seconds: float
    """Of the trimmed recording."""
    characters: int
    """Of the cleaned transcript."""


def choose_held_out(clips: Mapping[str, ClipLength]) -> frozenset[str]:
    """Choose the ids of clips to hold out: one in ten, at least one, at most eight.

    A word of half a second says little about a voice. So they are clips of 2 to 6 s with at least
    20 characters, as many of each length; where there are too few, those that come nearest.

    Among equals a hash of the id decides. The order of the clips changes nothing, and a clip that
    is added or removed changes at most two of the others.
    """
    found: Counter[int] = Counter()
    preference: dict[str, tuple[int, int, int]] = {}
    for clip_id in _by_hash(clips):
        whole, shortfall = int(clips[clip_id].seconds), _shortfall(clips[clip_id])
        if shortfall:
            preference[clip_id] = (shortfall, 0, 0)
        else:
            preference[clip_id] = (0, found[whole], _SECONDS.index(whole))
            found[whole] += 1
    # Sorting keeps the order of the hashes between equals.
    return frozenset(sorted(preference, key=preference.__getitem__)[: _count(clips)])


def chosen_by_hash_alone(clips: Iterable[str]) -> frozenset[str]:
    """The ids that earlier versions held out of a corpus, whatever the length of their clips."""
    ids = _by_hash(clips)
    return frozenset(ids[: _count(ids)])


def _count(clips: Iterable[str]) -> int:
    number = len(list(clips))
    return min(number, max(1, min(_MAX_CLIPS, number // _ONE_IN)))


def _by_hash(clips: Iterable[str]) -> list[str]:
    return sorted(clips, key=lambda clip_id: hashlib.sha256(clip_id.encode()).digest())


def _shortfall(length: ClipLength) -> int:
    """How far a clip is from one that is suitable, which has 0: a short one further."""
    whole, missing = int(length.seconds), max(0, _MIN_CHARACTERS - length.characters)
    too_short, too_long = max(0, min(_SECONDS) - whole), max(0, whole - max(_SECONDS))
    return 2 * too_short + too_long + -(-missing // 5)
