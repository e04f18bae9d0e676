"""Recordings that are copies of each other, also in another format or loudness."""

from collections.abc import Sequence

import numpy as np

from engine.check.recordings import Recording

# Seconds by which copies may differ in length, and the correlation of their fingerprints: that of
# other clips of LJ Speech is 0.7 at most, of copies in other formats 0.98 and more.
_SAME_LENGTH = 0.03
_SAME = 0.96


def find_copies(recordings: Sequence[Recording]) -> list[list[int]]:
    """Places of the recordings that have the same samples, then of those that sound the same.

    In groups of two and more; recordings of the same samples may be in two of them.
    """
    by_digest: dict[bytes, list[int]] = {}
    for place, recording in enumerate(recordings):
        if recording.digest:
            by_digest.setdefault(recording.digest, []).append(place)
    return [group for group in by_digest.values() if len(group) > 1] + _find_alike(recordings)


def _find_alike(recordings: Sequence[Recording]) -> list[list[int]]:
    """Only those of one length are compared: the time hardly grows with the corpus squared."""
    known = sorted(
        (recording.seconds or 0.0, place)
        for place, recording in enumerate(recordings)
        if recording.fingerprint is not None
    )
    lengths = np.array([seconds for seconds, _ in known])
    rows = np.array([recordings[place].fingerprint for _, place in known])
    grouped = np.zeros(len(known), bool)
    groups = []
    for row, end in enumerate(np.searchsorted(lengths, lengths + _SAME_LENGTH, "right")):
        if grouped[row]:
            continue
        alike = np.flatnonzero(rows[row:end] @ rows[row] > _SAME) + row
        if len(alike) > 1:
            grouped[alike] = True
            groups.append(sorted(known[place][1] for place in alike))
    return groups
