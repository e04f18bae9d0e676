"""What is wrong with a sound: planted faults are measured, speech is not."""

from dataclasses import replace

import numpy as np
import pytest

from engine.data.audio import AudioSpec, load_recording
from engine.evaluation.sound_measures import looping_share, mel_distortion
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


def test_speech_does_not_loop(speech):
    assert not any(looping_share(sound, AUDIO) for sound in speech)


@pytest.mark.parametrize("seconds", [0.5, 0.9])
def test_what_is_said_again_and_again_loops(speech, seconds):
    for sound in speech:
        start, length = len(sound) // 2, round(seconds * RATE)
        looping = with_inserted(sound, np.tile(sound[start : start + length], 3))
        share = looping_share(looping, AUDIO)
        assert share > 60 * 3 * length / len(looping)


def test_a_drone_loops(speech):
    for sound in speech:
        place = int(np.convolve(np.square(sound), np.ones(1000), "same").argmax())
        drone = np.tile(sound[place : place + round(0.06 * RATE)], 25)
        assert looping_share(with_inserted(sound, drone), AUDIO) > 10


def test_sounds_without_speech_have_figures():
    for sound in (np.zeros(0, np.float32), np.zeros(RATE, np.float32)):
        assert looping_share(sound, AUDIO) == 0.0
    click = np.zeros(RATE, np.float32)
    click[9000] = 1.0
    noise = np.random.default_rng(1).normal(0, 0.1, RATE).astype(np.float32)
    small = replace(AUDIO, hop_length=128, n_fft=256, win_length=256)
    for sound in (click, noise, noise[:600]):
        assert np.isfinite(looping_share(sound, small))


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
