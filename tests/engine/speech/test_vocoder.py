import dataclasses

import librosa
import numpy as np
import pytest
import torch

from engine.data.spectrograms import analyse, mel_filter_bank
from engine.speech.bbc_synthesis import ORIGINAL_VOCODER
from engine.speech.vocoder import VocoderSettings, magnitude_from_mel, vocode

FAITHFUL = VocoderSettings(sharpening=1.0)


def amplitude(normalised):
    return 10 ** (np.clip(normalised, 0, 1) * 5 - 4)


def convergence(magnitude, waveform, audio) -> float:
    """Spectral convergence of a waveform's magnitude towards the one it was made of."""
    # Trimming would move the frames.
    again = analyse(waveform, dataclasses.replace(audio, trim_db=200.0))[1]
    frames = min(len(again), len(magnitude))
    wanted = amplitude(magnitude[:frames])
    return float(np.linalg.norm(amplitude(again[:frames]) - wanted) / np.linalg.norm(wanted))


def test_a_recording_survives_its_magnitude(recording, features, audio):
    _, magnitude = features
    waveform = vocode(magnitude, audio, FAITHFUL)
    assert waveform.dtype == np.float32
    assert len(waveform) == pytest.approx(len(magnitude) * audio.hop_length, abs=4_000)
    assert convergence(magnitude, waveform, audio) < 0.12
    # The level comes back too, so normalisation and emphasis are undone rightly.
    power = np.square(waveform).sum() / np.square(recording).sum()
    assert power == pytest.approx(1, abs=0.25)


def test_momentum_comes_nearer_in_as_many_rounds(features, audio):
    _, magnitude = features
    fast, plain = (
        vocode(magnitude, audio, VocoderSettings(1.0, rounds=16, momentum=momentum))
        for momentum in (0.99, 0.0)
    )
    assert convergence(magnitude, fast, audio) < 0.9 * convergence(magnitude, plain, audio)


def test_sound_is_reproducible_without_global_random_state(features, audio):
    magnitude = features[1][:80]
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = vocode(magnitude, audio, VocoderSettings(rounds=2))
    torch.testing.assert_close(torch.rand(3), expected, atol=0, rtol=0)
    np.testing.assert_array_equal(first, vocode(magnitude, audio, VocoderSettings(rounds=2)))


def test_sharpening_widens_the_distance_between_loud_and_soft(features, audio):
    _, magnitude = features

    def spread(sharpening):
        waveform = vocode(magnitude, audio, VocoderSettings(sharpening, rounds=8))
        again = analyse(waveform / np.abs(waveform).max(), audio)[1]
        return np.percentile(again, 95) - np.percentile(again, 40)

    assert spread(1.5) > 1.2 * spread(1.0)


@pytest.mark.slow
def test_silence_at_the_end_is_cut_and_that_within_is_kept(features, audio):
    _, magnitude = features
    silence = np.zeros((60, audio.n_bins), np.float32)
    gap = vocode(np.concatenate([magnitude, silence, magnitude, silence]), audio, FAITHFUL)
    once = vocode(magnitude, audio, FAITHFUL)
    expected = len(once) + (len(magnitude) + len(silence)) * audio.hop_length
    assert len(gap) == pytest.approx(expected, abs=1_500)
    assert abs(gap[-1]) < 1e-4


def test_levels_stay_in_range_whatever_the_magnitude(audio):
    silent, loud = (np.full((40, audio.n_bins), one, np.float32) for one in (0.0, 3.0))
    assert np.abs(vocode(silent, audio, VocoderSettings())).max(initial=0) < 1e-2
    assert np.abs(vocode(loud, audio, VocoderSettings())).max() == pytest.approx(0.95, abs=1e-3)


def test_a_coarse_mel_alone_keeps_its_bands(features, audio):
    mel, magnitude = features
    spread = magnitude_from_mel(mel[::4], audio)
    assert spread.shape == magnitude.shape
    assert spread.dtype == np.float32
    bands = 20 * np.log10(np.maximum(1e-5, amplitude(spread[::4]) @ mel_filter_bank(audio).T))
    loud = mel[::4] > 0.4
    error = np.abs((bands - 20 + 100) / 100 - mel[::4])[loud]
    assert error.mean() < 0.01


def test_frames_between_coarse_ones_lie_between_them(features, audio):
    mel, magnitude = features
    spread = magnitude_from_mel(mel[::4], audio)
    assert np.abs(spread - magnitude).mean() < 0.1
    held = magnitude_from_mel(mel[::4], audio)[::4].repeat(4, axis=0)
    assert np.abs(spread - magnitude).mean() < np.abs(held - magnitude).mean()


@pytest.mark.slow
def test_zero_phases_match_a_plain_implementation(features, audio):
    """Griffin-Lim as in the BBC's code, on librosa, away from the ends, where it pads."""
    from scipy.signal import lfilter  # it takes a while

    magnitude = features[1][:120]
    wanted = amplitude(magnitude).T ** 1.5
    sizes = {"hop_length": audio.hop_length, "win_length": audio.win_length}
    spectrum = wanted.astype(np.complex64)
    for _ in range(3):
        estimate = librosa.stft(librosa.istft(spectrum, **sizes), n_fft=audio.n_fft, **sizes)
        spectrum = wanted * estimate / np.maximum(1e-8, np.abs(estimate))
    emphasised = librosa.istft(spectrum, **sizes)
    plain = lfilter([1], [1, -audio.preemphasis], emphasised)
    settings = dataclasses.replace(ORIGINAL_VOCODER, rounds=3)
    ours = vocode(magnitude, audio, settings)
    middle = slice(len(plain) // 2, len(plain) // 2 + 4_000)
    ours, plain = (x[middle] - x[middle].mean() for x in (ours, plain))
    assert np.corrcoef(ours, plain)[0, 1] > 0.9999
