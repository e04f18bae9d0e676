"""Another speaker's mels made to resemble those that a voice was trained on.

A voice that learned one speaker hears little in another's recordings. Two old means of speech
recognition bring them nearer: mean and variance normalisation of the features (Viikki and
Laurila 1998), and vocal tract length normalisation, a stretch of the frequency axis (Lee and
Rose 1998).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.data.audio import AudioSpec

# Stretches of the frequency axis that are tried: from a short vocal tract to a long one.
_WARPS = (1.0, 0.85, 0.72, 1.18, 1.39)
# Spread below which a band says nothing and is not blown up.
_FLAT = 1e-3


@dataclass(frozen=True)
class SpeakerMatch:
    """A change of coarse mels, band by band."""

    lower: NDArray[np.int64]
    """Band that each band is read from, `(n_mels,)`."""
    upper: NDArray[np.int64]
    """The band above that."""
    share: NDArray[np.float32]
    """How much of the upper one is taken."""
    scale: NDArray[np.float32]
    offset: NDArray[np.float32]

    def __call__(self, mel: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a mel `(T, n_mels)` as the voice's speaker might have had it."""
        changed: NDArray[np.float32] = self._warped(mel) * self.scale + self.offset
        return np.clip(changed, 1e-8, 1)

    def _warped(self, mel: NDArray[np.float32]) -> NDArray[np.float32]:
        return mel[:, self.lower] * (1 - self.share) + mel[:, self.upper] * self.share


def matches(
    mels: Sequence[NDArray[np.float32]], spoken: Sequence[NDArray[np.float32]], audio: AudioSpec
) -> list[SpeakerMatch]:
    """Return the changes that are worth a try.

    Args:
        mels: some of the corpus's coarse mels, `(T, n_mels)` each.
        spoken: coarse mels that the voice spoke, whose mean and spread are aimed at.
        audio: where the bands lie.
    """
    aim = np.concatenate(spoken)
    frames = np.concatenate(mels)
    found = []
    for warp in _WARPS:
        lower, share = _places(warp, audio)
        upper = np.minimum(lower + 1, audio.n_mels - 1)
        warped = frames[:, lower] * (1 - share) + frames[:, upper] * share
        scale = aim.std(axis=0) / np.maximum(warped.std(axis=0), _FLAT)
        offset = aim.mean(axis=0) - warped.mean(axis=0) * scale
        found.append(SpeakerMatch(lower, upper, share, scale, offset))
    return found


def _places(warp: float, audio: AudioSpec) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Where in the bands each band's centre lies after a stretch: whole part and fraction."""
    # Imported where it is used: only another speaker's corpus needs it.
    from librosa import mel_frequencies

    centres = mel_frequencies(audio.n_mels + 2, fmin=0, fmax=audio.sample_rate / 2)[1:-1]
    place = np.interp(centres * warp, centres, np.arange(audio.n_mels))
    lower = np.floor(place).astype(np.int64)
    return lower, (place - lower).astype(np.float32)
