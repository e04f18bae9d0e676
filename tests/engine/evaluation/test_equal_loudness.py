"""Two sounds that differ in nothing but what is heard."""

import io

import numpy as np
import pytest
import soundfile

from engine.errors import InputError
from engine.evaluation.equal_loudness import equally_loud, level_together, loudness_power
from engine.speech.growing import write_wav

RATE = 22_050


def tone(hertz, seconds, level, rate=RATE):
    return (level * np.sin(2 * np.pi * hertz * np.arange(seconds * rate) / rate)).astype(np.float32)


def lufs(sound, rate=RATE):
    return 10 * np.log10(loudness_power(sound, rate)) - 0.691


@pytest.mark.parametrize("rate", [16_000, 22_050, 48_000])
def test_the_standard_tone_has_the_standard_loudness(rate):
    # ITU-R BS.1770: 997 Hz at full scale in one channel.
    assert lufs(tone(997, 3, 1.0, rate), rate) == pytest.approx(-3.01, abs=0.05)


def test_a_pause_makes_a_sound_no_quieter():
    sound = tone(500, 2, 0.3)
    paused = np.concatenate([sound, np.zeros(4 * RATE, np.float32), sound])
    assert lufs(paused) == pytest.approx(lufs(sound), abs=0.4)


def test_a_dull_and_a_bright_sound_become_equally_loud():
    dull, bright = level_together([tone(200, 2, 0.5), tone(4_000, 2, 0.01)], RATE)
    assert lufs(dull) == pytest.approx(lufs(bright), abs=0.01)
    # Where one would be clipped, the other is turned down as far.
    clicks = tone(300, 2, 0.02)
    clicks[::RATE] = 1.0
    soft, loud = level_together([clicks, tone(300, 2, 0.5)], RATE)
    assert max(abs(soft).max(), abs(loud).max()) <= 0.951
    assert lufs(soft) == pytest.approx(lufs(loud), abs=0.01)


def test_nothing_tells_two_sounds_apart_but_how_they_sound(tmp_path):
    silence = np.zeros(RATE, np.float32)
    write_wav(tmp_path / "a.wav", np.concatenate([tone(300, 1, 0.1), silence, silence]), RATE)
    write_wav(tmp_path / "b.wav", np.concatenate([silence, tone(700, 2, 0.7)]), RATE)
    files = equally_loud(tmp_path / "a.wav", tmp_path / "b.wav")
    assert len(files[0]) == len(files[1])
    sounds = [soundfile.read(io.BytesIO(file), dtype="float32") for file in files]
    assert [rate for _, rate in sounds] == [RATE, RATE]
    # Zeros behind the shorter one; blocks that end in them count for less.
    assert lufs(sounds[0][0]) == pytest.approx(lufs(sounds[1][0]), abs=0.8)
    for sound, _ in sounds:
        assert np.flatnonzero(abs(sound) > 0.01)[0] < 0.1 * RATE
        assert len(sound) < 2.5 * RATE


def test_silence_and_what_is_no_sound(tmp_path):
    write_wav(tmp_path / "a.wav", np.zeros(100, np.float32), RATE)
    write_wav(tmp_path / "b.wav", tone(300, 1, 0.1), RATE)
    first, second = equally_loud(tmp_path / "a.wav", tmp_path / "b.wav")
    assert len(first) == len(second)
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    with pytest.raises(InputError, match=r"a\.wav"):
        equally_loud(tmp_path / "a.wav", tmp_path / "b.wav")
