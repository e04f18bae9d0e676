"""What is wrong with a sound: planted faults are measured, speech is not."""

from dataclasses import replace

import numpy as np
import pytest

from engine.data.audio import AudioSpec, load_recording
from engine.evaluation.sound_measures import measure_sound, mel_distortion
from engine.speech.loudness import level
from tests.paths import SLT, SPEECH

AUDIO = AudioSpec()
RATE = AUDIO.sample_rate


@pytest.fixture(scope="module")
def speech():
    """Recordings of two speakers, levelled."""
    paths = [*sorted((SLT / "wavs").iterdir())[:4], *sorted((SPEECH / "wavs").iterdir())[:2]]
    return [level(load_recording(path, RATE)) for path in paths]


def with_inserted(sound, inserted):
    middle = len(sound) // 2
    return np.concatenate([sound[:middle], inserted, sound[middle:]])


def test_speech_has_no_faults(speech):
    for sound in speech:
        found = measure_sound(sound, AUDIO)
        assert found["silence"] < 0.7
        assert found["clipping"] < 0.01
        assert found["looping"] == 0.0


def test_silence_inside_is_its_longest_pause(speech):
    for sound in speech:
        gap = np.zeros(round(1.1 * RATE), np.float32)
        assert 1.08 < measure_sound(with_inserted(sound, gap), AUDIO)["silence"] < 1.6
        ends = np.concatenate([gap, sound, gap])
        expected = pytest.approx(measure_sound(sound, AUDIO)["silence"], abs=0.02)
        assert measure_sound(ends, AUDIO)["silence"] == expected
    pause = np.zeros(round(0.7 * RATE), np.float32)
    two = np.concatenate([speech[0], pause, speech[1]])
    assert measure_sound(two, AUDIO)["silence"] > 0.69
    assert measure_sound(two, AUDIO, pauses=1, pause_seconds=0.7)["silence"] < 0.5


def test_clipping_grows_with_the_gain(speech):
    for sound in speech:
        shares = [
            measure_sound(np.clip(gain * sound, -0.9, 0.9), AUDIO)["clipping"] for gain in (1, 3, 8)
        ]
        assert shares[0] < 0.1 < shares[1] < shares[2]


@pytest.mark.parametrize("seconds", [0.5, 0.9])
def test_what_is_said_again_and_again_loops(speech, seconds):
    for sound in speech:
        start, length = len(sound) // 2, round(seconds * RATE)
        looping = with_inserted(sound, np.tile(sound[start : start + length], 3))
        share = measure_sound(looping, AUDIO)["looping"]
        assert share > 60 * 3 * length / len(looping)


def test_a_drone_loops(speech):
    for sound in speech:
        place = int(np.convolve(np.square(sound), np.ones(1000), "same").argmax())
        drone = np.tile(sound[place : place + round(0.06 * RATE)], 25)
        assert measure_sound(with_inserted(sound, drone), AUDIO)["looping"] > 10


def test_sounds_without_speech_have_figures():
    for sound in (np.zeros(0, np.float32), np.zeros(RATE, np.float32)):
        found = measure_sound(sound, AUDIO)
        assert found == {"silence": len(sound) / RATE, "clipping": 0.0, "looping": 0.0}
    click = np.zeros(RATE, np.float32)
    click[9000] = 1.0
    noise = np.random.default_rng(1).normal(0, 0.1, RATE).astype(np.float32)
    small = replace(AUDIO, hop_length=128, n_fft=256, win_length=256)
    for sound in (click, noise, noise[:600]):
        assert all(np.isfinite(one) for one in measure_sound(sound, small).values())


def test_mel_distortion_orders_what_is_worse(speech):
    recording, other = speech[:2]
    noise = np.random.default_rng(1).normal(0, 1, len(recording)).astype(np.float32)
    slower = np.interp(np.arange(0, len(recording), 0.9), np.arange(len(recording)), recording)
    worse = (0.5 * recording, recording + 3e-4 * noise, recording + 3e-3 * noise)
    found = [mel_distortion(sound, recording, AUDIO) for sound in worse]
    silence = [mel_distortion(np.zeros(n, np.float32), recording, AUDIO) for n in (0, RATE)]
    assert found[0] < 0.1
    assert [*found, *silence] == sorted([*found, *silence])
    assert mel_distortion(slower.astype(np.float32), recording, AUDIO) < 0.8 * mel_distortion(
        other, recording, AUDIO
    )
