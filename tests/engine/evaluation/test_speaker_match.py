"""Mels changed to resemble another speaker's."""

import numpy as np

from engine.data.audio import AudioSpec
from engine.evaluation.speaker_match import speaker_changes

AUDIO = AudioSpec()


def mels(seed: int, middle: float, spread: float) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    frames = middle + spread * rng.uniform(-1, 1, (200, AUDIO.n_mels))
    return np.array_split(frames.astype(np.float32), 3)


def test_each_band_gets_the_mean_and_spread_of_the_voice():
    corpus, spoken = mels(1, 0.6, 0.1), mels(2, 0.4, 0.2)
    target = np.concatenate(spoken)
    changes = speaker_changes(corpus, spoken, AUDIO)
    assert len(changes) > 1
    for change in changes:
        changed = np.concatenate([change(mel) for mel in corpus])
        np.testing.assert_allclose(changed.mean(axis=0), target.mean(axis=0), atol=1e-3)
        np.testing.assert_allclose(changed.std(axis=0), target.std(axis=0), atol=1e-3)


def test_first_change_keeps_the_bands_in_place():
    corpus = mels(1, 0.5, 0.2)
    first = speaker_changes(corpus, corpus, AUDIO)[0]
    for mel in corpus:
        np.testing.assert_allclose(first(mel), mel, atol=1e-5)


def test_other_changes_move_a_peak_up_and_down():
    peak = np.full((50, AUDIO.n_mels), 0.2, np.float32)
    peak[25:, 40] = 0.9
    places = []
    for change in speaker_changes([peak], mels(3, 0.5, 0.3), AUDIO):
        changed = change(peak)
        places.append(np.flatnonzero(np.abs(changed[-1] - changed[0]) > 0.1).mean())
    assert min(places) < 40 < max(places)


def test_constant_bands_are_not_amplified():
    still = [np.full((30, AUDIO.n_mels), 0.3, np.float32)]
    for change in speaker_changes(still, mels(2, 0.9, 0.3), AUDIO):
        changed = change(np.ones((4, AUDIO.n_mels), np.float32))
        assert np.isfinite(changed).all()
        assert changed.min() > 0
        assert changed.max() <= 1
