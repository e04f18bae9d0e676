"""Every sample at the same level, made at once or piece by piece."""

import numpy as np
import pytest

from engine.speech.loudness import Loudness, join, level

RATE = 22_050
PAUSE = np.zeros(1_000, np.float32)


def tone(seconds: float, loudness: float) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    return (loudness * np.sin(2 * np.pi * 220 * time)).astype(np.float32)


def rms(waveform) -> float:
    return float(np.sqrt(np.square(waveform).mean()))


def test_parts_are_joined_by_a_pause():
    joined = join([tone(1, 0.5), tone(1, 0.5), tone(0.5, 0.5)], PAUSE)
    assert len(joined) == round(2.5 * RATE) + 2 * len(PAUSE)
    assert not joined[RATE : RATE + len(PAUSE)].any()
    assert joined[RATE - 10 : RATE].any()
    assert joined[RATE + len(PAUSE) :][:10].any()


def test_parts_come_out_equally_loud_whatever_their_pauses():
    broken = np.concatenate([tone(1, 0.01), np.zeros(3 * RATE, np.float32), tone(1, 0.01)])
    joined = join([broken, tone(1, 0.9)], PAUSE)
    assert rms(joined[:RATE]) == pytest.approx(rms(joined[-RATE:]), rel=0.05)
    # One sound alone gets the same level.
    assert rms(level(tone(1, 0.02))) == pytest.approx(rms(level(tone(2, 0.7))), rel=0.01)


def test_peaks_are_limited_without_changing_the_balance():
    clicks = np.zeros(RATE, np.float32)
    clicks[::500] = 1.0
    joined = join([clicks, tone(1, 0.5)], PAUSE)
    assert np.abs(joined).max() == pytest.approx(0.95, abs=1e-3)
    assert rms(joined[:RATE]) == pytest.approx(rms(joined[-RATE:]), rel=0.05)


def test_silence_stays_silence():
    joined = join([np.zeros(1000, np.float32), tone(1, 0.5), np.zeros(0, np.float32)], PAUSE)
    assert np.isfinite(joined).all()
    assert not joined[:1000].any()


def by_pieces(*pieces: np.ndarray) -> np.ndarray:
    loudness, levelled = Loudness(100), []
    for piece in pieces:
        # Half of what it is: a spectrogram promises more, or less, than comes of it.
        power = np.full(len(piece) // 100, np.square(piece).mean() / 2, np.float32)
        levelled.append(loudness.level(piece, power, power[:0]))
    return np.concatenate(levelled)


@pytest.mark.parametrize("loudness", [0.01, 0.1, 0.9])
def test_pieces_of_one_loudness_come_out_at_the_level_of_the_whole(loudness):
    whole = tone(3, loudness)
    levelled = by_pieces(*np.array_split(whole, 4))
    np.testing.assert_allclose(levelled, level(whole), atol=2e-3)


def test_a_gain_glides_and_no_peak_passes_the_limit():
    # A soft beginning, then what nobody could foresee, and silence.
    levelled = by_pieces(tone(0.5, 0.02), tone(0.5, 0.1), tone(0.5, 0.0), tone(1, 0.1))
    assert np.abs(levelled).max() <= 0.95
    # No step is larger than those of the tone itself: nothing clicks.
    assert np.abs(np.diff(levelled)).max() < 2 * np.pi * 220 / RATE
    assert rms(levelled[-RATE // 4 :]) == pytest.approx(0.1, rel=0.25)
    assert np.isfinite(by_pieces(tone(0.1, 0.0), tone(0.1, 1e-5))).all()
