"""Sound that is made piece by piece is as good as sound made at once."""

import numpy as np
import pytest

from engine.data.spectrograms import analyse
from engine.speech import sound_stream
from engine.speech.loudness import level
from engine.speech.sound_stream import SoundStream, magnitude_of, threads_for_sound
from engine.speech.vocoder import Vocoder, VocoderSettings, power_of, vocode

QUICK = VocoderSettings(sharpening=1.0, rounds=12)


def spoken(mel, audio, ssrn=None, settings=QUICK):
    """The stream of a mel whose frames come one by one, and the pieces that it handed on."""
    pieces = []
    stream = SoundStream(ssrn, audio, settings, pieces.append)
    for frame in range(len(mel)):
        stream.add(mel[frame : frame + 1], last=frame == len(mel) - 1)
    return stream, pieces


@pytest.mark.parametrize("frames", [1, 15, 16, 17, 45])
@pytest.mark.parametrize("with_ssrn", [True, False])
def test_magnitudes_in_pieces_are_those_of_the_whole(frames, with_ssrn, features, ssrn, audio):
    mel = np.resize(features[0][::4], (frames, audio.n_mels))
    network = ssrn if with_ssrn else None
    stream, pieces = spoken(mel, audio, network, VocoderSettings(rounds=1))
    np.testing.assert_allclose(stream.magnitude, magnitude_of(mel, network, audio), atol=1e-5)
    np.testing.assert_array_equal(np.concatenate(pieces), stream.waveform)


def convergence(waveform, magnitude, audio) -> float:
    """How far the magnitude of a sound is from the one that it was made of; 0 for not at all."""
    again = analyse(waveform, audio)[1][: len(magnitude)]
    wanted = 10 ** (5 * magnitude[: len(again)])
    return float(np.linalg.norm(10 ** (5 * again) - wanted) / np.linalg.norm(wanted))


def test_a_recording_in_pieces_sounds_as_good_as_at_once(features, recording, audio):
    magnitude = features[1]
    vocoder = Vocoder(audio, QUICK)
    pieces = [
        vocoder.push(magnitude[i : i + 30], last=i + 30 >= len(magnitude))
        for i in range(0, len(magnitude), 30)
    ]
    whole, joined = vocode(magnitude, audio, QUICK), np.concatenate(pieces)
    assert abs(len(joined) - len(whole)) <= 512
    assert convergence(joined, magnitude, audio) < 1.05 * convergence(whole, magnitude, audio)
    # The level is known before the sound is.
    power = power_of(magnitude, audio, QUICK).mean()
    assert power == pytest.approx(np.square(recording).mean(), rel=0.2)


def test_the_level_of_pieces_is_that_of_the_whole(features, audio):
    stream, pieces = spoken(features[0][::4], audio)
    whole = level(vocode(stream.magnitude, audio, QUICK))
    assert len(pieces) > 2
    assert len(stream.waveform) == pytest.approx(len(whole), abs=512)
    loudness = np.square(stream.waveform).mean() / np.square(whole).mean()
    # The first second is the loudest: within 2 dB.
    assert loudness == pytest.approx(1, abs=0.35)
    first = len(pieces[0])
    assert np.square(pieces[0]).mean() == pytest.approx(np.square(whole[:first]).mean(), rel=0.6)


def test_sound_is_the_same_on_any_number_of_threads(ssrn, audio):
    """Whether it is spoken in a pause, beside training, or by another program."""
    mel = np.random.default_rng(3).random((45, audio.n_mels), np.float32)
    heard = []
    for threads in (1, 3):
        stream = SoundStream(ssrn, audio, QUICK, heard.append, threads)
        stream.add(mel, last=True)
    np.testing.assert_array_equal(*heard)


def test_threads_are_tried_once_and_only_where_it_pays(ssrn, audio, monkeypatch):
    tried = []

    def worth(work, most):
        tried.append(most)
        work()
        return 2

    monkeypatch.setattr(sound_stream, "threads_worth", worth)
    monkeypatch.setattr(sound_stream, "_threads_tried", {})
    few = sound_stream._WORTH_A_TRIAL - 1
    chosen = [threads_for_sound(ssrn, audio, sentences) for sentences in (few, few + 1, few)]
    assert chosen == [1, 2, 2]
    assert len(tried) == 1


def test_silence_at_the_end_is_cut_and_silence_inside_is_not(features, audio):
    mel = features[0][::4]
    silence = np.zeros((30, audio.n_mels), np.float32)
    once, _ = spoken(mel, audio)
    twice, _ = spoken(np.concatenate([mel, silence, mel, silence]), audio)
    pause = 30 * audio.reduction * audio.hop_length
    assert len(twice.waveform) == pytest.approx(2 * len(once.waveform) + pause, abs=6_000)
