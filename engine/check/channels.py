"""Recordings of more than one channel, which training mixes into one by their mean."""

import numpy as np
from numpy.typing import NDArray

from engine.check.faults import Fault

# Level of a channel below that of the loudest, in amplitude, under which it holds nothing.
_DEAD = 0.003
# Correlation with the loudest channel: below the first a channel is another recording or another
# place of the room; below the second the mean takes away from both.
_ALIKE = 0.9
_DIFFERENT = 0.5
_OPPOSED = -0.2


def channel_faults(samples: NDArray[np.float32]) -> list[Fault]:
    """What mixing channels `(N, channels)` down would do to the speech."""
    count = samples.shape[1]
    if count < 2 or not len(samples):
        return []
    faults = [
        Fault(
            "stereo" if count == 2 else "many-channels",
            "note",
            f"{count} channels, which are mixed into one",
            "nothing has to be done",
            float(count),
        )
    ]
    still = samples - samples.mean(axis=0)
    powers = np.einsum("nc,nc->c", still, still, dtype=np.float64)
    loudest = int(powers.argmax())
    if powers[loudest] <= 0:
        return faults
    alive = powers > powers[loudest] * _DEAD**2
    if not alive.all():
        faults.append(_dead(int((~alive).sum()), count))
    likeness = [
        float(np.dot(still[:, loudest], still[:, channel]))
        / float(np.sqrt(powers[loudest] * powers[channel]))
        for channel in np.flatnonzero(alive)
        if channel != loudest
    ]
    if likeness and min(likeness) < _ALIKE:
        faults.append(_unlike(min(likeness)))
    return faults


def _dead(silent: int, count: int) -> Fault:
    return Fault(
        "dead-channel",
        "warning",
        f"{silent} of its {count} channels is silent, which makes the mix quieter",
        "export the channel that speaks, alone",
        float(silent),
    )


def _unlike(likeness: float) -> Fault:
    figure = f"the correlation of its channels is {likeness:.2f}"
    advice = "export the better channel alone"
    if likeness < _OPPOSED:
        figure += ": they cancel each other in the mix"
        return Fault("opposed-channels", "error", figure, advice, likeness)
    if likeness < _DIFFERENT:
        figure += ": they hold two different sounds"
        return Fault("different-channels", "error", figure, advice, likeness)
    return Fault("different-channels", "warning", figure, advice, likeness)
