"""A fingerprint of recordings that copies in another format or loudness share."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.check.levels import HOP_SECONDS, Levels

Fingerprint = NDArray[np.float64]
"""Level over time `(100,)`, with mean 0 and length 1."""

# Seconds from which on a recording can be told from others by its level.
_MIN_SECONDS = 1.0
_POINTS = 100
# Decibels below the speech that count: below that there may be another room's noise.
_RANGE = 40.0
# Seconds by which copies may differ in length, and the correlation of their fingerprints: that of
# other clips of LJ Speech is 0.7 at most, of copies in other formats 0.98 and more.
_SAME_LENGTH = 0.03
_SAME = 0.96


def fingerprint(levels: Levels, start: float, end: float) -> Fingerprint | None:
    """The fingerprint of a recording trimmed to these seconds; None for one too short."""
    if end - start < _MIN_SECONDS:
        return None
    frames = levels.frames[int(start / HOP_SECONDS) : int(end / HOP_SECONDS)]
    audible = np.maximum(frames, levels.speech - _RANGE)
    places = np.linspace(0, len(audible) - 1, _POINTS)
    found: Fingerprint = np.interp(places, np.arange(len(audible)), audible)
    found -= found.mean()
    length = float(np.linalg.norm(found))
    return found / length if length > 0 else None


def find_copies(
    fingerprints: Sequence[Fingerprint | None], seconds: Sequence[float]
) -> list[list[int]]:
    """Recordings that sound the same, by their places, in groups of two and more.

    Only those of one length are compared, so that the time grows with the corpus and hardly
    with its square.
    """
    known = [(seconds[i], i, found) for i, found in enumerate(fingerprints) if found is not None]
    if not known:
        return []
    known.sort(key=lambda entry: entry[:2])
    lengths = np.array([entry[0] for entry in known])
    rows = np.stack([entry[2] for entry in known])
    ends = np.searchsorted(lengths, lengths + _SAME_LENGTH, "right")
    grouped = np.zeros(len(known), bool)
    groups = []
    for row, end in enumerate(ends):
        if grouped[row]:
            continue
        alike = np.flatnonzero(rows[row:end] @ rows[row] > _SAME) + row
        if len(alike) > 1:
            grouped[alike] = True
            groups.append(sorted(known[place][1] for place in alike))
    return groups
