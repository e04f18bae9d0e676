"""Mels of another speaker, changed to resemble those that a voice was trained on.

A voice trained on one speaker predicts another's recordings badly with any text. Two methods of
speech recognition bring them closer: mean and variance normalisation of the features (Viikki and
Laurila 1998), and vocal tract length normalisation, a stretch of the frequency axis (Lee and
Rose 1998).
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from engine.data.audio import AudioSpec

Mel = NDArray[np.float32]
MelChange = Callable[[Mel], Mel]
"""Changes a coarse mel `(T, n_mels)` before a network sees it."""

# Stretches of the frequency axis: none, then to a shorter and to a longer vocal tract.
_WARPS = (1.0, 0.85, 0.72, 1.18, 1.39)
# A band with less variation is not amplified to the voice's.
_MIN_SPREAD = 1e-3


def speaker_changes(
    mels: Sequence[Mel], spoken: Sequence[Mel], audio: AudioSpec
) -> list[MelChange]:
    """Changes worth trying to bring a corpus's coarse mels `(T, n_mels)` to those a voice spoke."""
    # Imported where it is used: only another speaker's corpus needs it.
    from librosa import mel_frequencies

    centres = mel_frequencies(audio.n_mels + 2, fmin=0, fmax=audio.sample_rate / 2)[1:-1]
    bands = np.arange(audio.n_mels)
    target, frames = np.concatenate(spoken), np.concatenate(mels)
    changes: list[MelChange] = []
    for warp in _WARPS:
        places = np.interp(centres * warp, centres, bands)
        rows = [np.interp(places, bands, band) for band in np.eye(audio.n_mels)]
        stretch = np.stack(rows).astype(np.float32)
        stretched = frames @ stretch
        scale = target.std(axis=0) / np.maximum(stretched.std(axis=0), _MIN_SPREAD)
        offset = target.mean(axis=0) - stretched.mean(axis=0) * scale
        changes.append(partial(_changed, stretch=stretch, scale=scale, offset=offset))
    return changes


def _changed(mel: Mel, stretch: Mel, scale: Mel, offset: Mel) -> Mel:
    changed: Mel = np.clip(mel @ stretch * scale + offset, 1e-8, 1)
    return changed
