import numpy as np
import pytest

from engine.speech.loudness import join, level

RATE = 22_050


def tone(seconds: float, loudness: float) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    return (loudness * np.sin(2 * np.pi * 220 * time)).astype(np.float32)


def rms(waveform) -> float:
    return float(np.sqrt(np.square(waveform).mean()))


def test_parts_are_joined_by_seven_tenths_of_a_second_of_silence():
    joined = join([tone(1, 0.5), tone(1, 0.5), tone(0.5, 0.5)], RATE)
    pause = round(0.7 * RATE)
    assert len(joined) == round(2.5 * RATE) + 2 * pause
    assert not joined[RATE : RATE + pause].any()
    assert joined[RATE - 10 : RATE].any()
    assert joined[RATE + pause : RATE + pause + 10].any()


def test_soft_and_loud_parts_come_out_equally_loud():
    joined = join([tone(1, 0.01), tone(1, 0.9)], RATE)
    assert rms(joined[:RATE]) == pytest.approx(rms(joined[-RATE:]), rel=0.01)


def test_pauses_inside_a_part_do_not_make_it_louder():
    broken = np.concatenate([tone(1, 0.3), np.zeros(3 * RATE, np.float32), tone(1, 0.3)])
    joined = join([broken, tone(1, 0.3)], RATE)
    assert rms(joined[:RATE]) == pytest.approx(rms(joined[-RATE:]), rel=0.05)


def test_peaks_are_limited_without_changing_the_balance():
    clicks = np.zeros(RATE, np.float32)
    clicks[::500] = 1.0
    joined = join([clicks, tone(1, 0.5)], RATE)
    assert np.abs(joined).max() == pytest.approx(0.95, abs=1e-3)
    assert rms(joined[:RATE]) == pytest.approx(rms(joined[-RATE:]), rel=0.05)


def test_silence_stays_silence():
    joined = join([np.zeros(1000, np.float32), tone(1, 0.5), np.zeros(0, np.float32)], RATE)
    assert np.isfinite(joined).all()
    assert not joined[:1000].any()


def test_one_sound_gets_the_level_of_all_others():
    assert rms(level(tone(1, 0.02))) == pytest.approx(rms(level(tone(2, 0.7))), rel=0.01)
