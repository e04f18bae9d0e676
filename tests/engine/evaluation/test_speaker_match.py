"""Mels brought nearer to those of another speaker."""

import numpy as np

from engine.data.audio import AudioSpec
from engine.evaluation.speaker_match import matches

AUDIO = AudioSpec()


def mels(seed: int, middle: float, spread: float) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    frames = middle + spread * rng.uniform(-1, 1, (200, AUDIO.n_mels))
    return np.array_split(frames.astype(np.float32), 3)


def test_every_match_gives_each_band_the_mean_and_the_spread_that_are_aimed_at():
    heard, spoken = mels(1, 0.6, 0.1), mels(2, 0.4, 0.2)
    aim = np.concatenate(spoken)
    found = matches(heard, spoken, AUDIO)
    assert len(found) > 1
    for match in found:
        changed = np.concatenate([match(mel) for mel in heard])
        np.testing.assert_allclose(changed.mean(axis=0), aim.mean(axis=0), atol=1e-3)
        np.testing.assert_allclose(changed.std(axis=0), aim.std(axis=0), atol=1e-3)


def test_one_of_them_leaves_the_bands_where_they_are():
    heard = mels(1, 0.5, 0.2)
    plain = matches(heard, heard, AUDIO)[0]
    for mel in heard:
        np.testing.assert_allclose(plain(mel), mel, atol=1e-5)


def test_the_others_move_a_peak_up_and_down():
    peak = np.full((50, AUDIO.n_mels), 0.2, np.float32)
    peak[25:, 40] = 0.9
    places = []
    for match in matches([peak], mels(3, 0.5, 0.3), AUDIO):
        changed = match(peak)
        places.append(np.flatnonzero(np.abs(changed[-1] - changed[0]) > 0.1).mean())
    assert min(places) < 40 < max(places)


def test_what_comes_out_stays_a_mel_even_of_bands_that_never_change():
    still = [np.full((30, AUDIO.n_mels), 0.3, np.float32)]
    for match in matches(still, mels(2, 0.9, 0.3), AUDIO):
        changed = match(np.ones((4, AUDIO.n_mels), np.float32))
        assert np.isfinite(changed).all()
        assert changed.min() > 0
        assert changed.max() <= 1
