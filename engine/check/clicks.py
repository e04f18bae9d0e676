"""Clicks: a few samples that leap far out of the sound around them."""

import numpy as np
from numpy.typing import NDArray

from engine.check.faults import Fault

# Leaps by less are drowned in speech, and make no candidates; in shares of full scale.
_MIN_LEAP = 0.15
# How many times a click leaps beyond all that is around it. In LJ Speech, whose consonants are
# hard, a burst of breath comes to 4 at most.
_BEYOND = 8.0
# Seconds before and after: of a click itself, ringing included, and of what it stands out from.
_CLICK, _AROUND = 0.0004, 0.015
# A leap beside which all is this still is judged as if it were not: one step of 12 bits.
_STILL = 2**-11
# The highest leaps that are looked at.
_MAX_CANDIDATES = 400
_ADVICE = "cut it out or record it again, or leave the clip out"


def click_faults(channel: NDArray[np.float32], rate: int) -> list[Fault]:
    """The clicks in samples `(N,)` of a rate in Hz, as one fault.

    A sample's leap is its distance from the middle of its neighbours. Speech leaps too, most of
    all in an s, but for hundredths of a second, and not between samples that lie still.
    """
    if len(channel) < 3:
        return []
    leaps = np.abs(channel[1:-1] - (channel[:-2] + channel[2:]) / 2)
    clicks = _clicks(leaps, max(2, round(_CLICK * rate)), round(_AROUND * rate))
    if not clicks:
        return []
    highest = max(clicks, key=lambda place: float(leaps[place]))
    leap = min(100.0, 100 * float(leaps[highest]))
    several = "" if len(clicks) == 1 else "s, the highest"
    figure = (
        f"{len(clicks)} click{several} of {leap:.0f} % of full scale, "
        f"{(highest + 1) / rate:.2f} s from the start"
    )
    return [Fault("click", "warning", figure, _ADVICE, leap)]


def _clicks(leaps: NDArray[np.float32], inside: int, around: int) -> list[int]:
    """Where leaps are that stand out, the highest first."""
    candidates = np.flatnonzero(leaps >= _MIN_LEAP)
    candidates = candidates[np.argsort(-leaps[candidates], kind="stable")][:_MAX_CANDIDATES]
    found: list[int] = []
    for place in map(int, candidates):
        if any(abs(place - other) <= inside for other in found):
            continue
        before = leaps[max(0, place - around) : max(0, place - inside)]
        after = leaps[place + inside + 1 : place + around + 1]
        beside = max(_STILL, float(before.max(initial=0)), float(after.max(initial=0)))
        if leaps[place] >= _BEYOND * beside:
            found.append(place)
    return found
