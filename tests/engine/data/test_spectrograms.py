"""Spectrograms: equal to librosa's, and to what can be worked out by hand."""

import warnings
from pathlib import Path

import librosa
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from paths import SPEECH

from engine.data.audio import AudioSpec, load_recording
from engine.data.spectrograms import analyse, coarse_frames, is_silent, mel_filter_bank, trim

AUDIO = AudioSpec()
CLIPS = sorted((SPEECH / "wavs").glob("*.flac"))


def tone(hertz: float, samples: int, level: float = 0.5) -> np.ndarray:
    phase = 2 * np.pi * hertz * np.arange(samples) / AUDIO.sample_rate
    return (level * np.sin(phase)).astype(np.float32)


def librosas(waveform: np.ndarray, audio: AudioSpec) -> tuple[np.ndarray, np.ndarray]:
    """The recipe of DESIGN.md in librosa's own functions, in double precision."""
    trimmed, _ = librosa.effects.trim(waveform.astype(float), top_db=audio.trim_db)
    emphasised = np.append(trimmed[0], trimmed[1:] - audio.preemphasis * trimmed[:-1])
    magnitude = np.abs(
        librosa.stft(
            emphasised,
            n_fft=audio.n_fft,
            hop_length=audio.hop_length,
            win_length=audio.win_length,
        )
    )
    bank = librosa.filters.mel(sr=audio.sample_rate, n_fft=audio.n_fft, n_mels=audio.n_mels)

    def normalised(amplitude: np.ndarray) -> np.ndarray:
        level = librosa.amplitude_to_db(amplitude, amin=1e-5, top_db=None)
        return np.clip((level - audio.ref_db + audio.max_db) / audio.max_db, 1e-8, 1).T

    return normalised(bank @ magnitude), normalised(magnitude)


@pytest.mark.slow
@pytest.mark.parametrize("path", CLIPS, ids=lambda path: path.stem)
@pytest.mark.parametrize(
    "audio",
    [
        AUDIO,
        AudioSpec(sample_rate=16_000, n_fft=1_024, hop_length=200, win_length=801, n_mels=40),
        AudioSpec(trim_db=25, preemphasis=0.5, ref_db=10, max_db=80, reduction=5),
    ],
    ids=["defaults", "16 kHz", "others"],
)
def test_real_speech_equals_librosas_features(path: Path, audio: AudioSpec) -> None:
    waveform = load_recording(path, audio.sample_rate)
    mel, magnitude = analyse(waveform, audio)
    expected_mel, expected_magnitude = librosas(waveform, audio)
    frames = len(expected_mel)
    assert mel.dtype == magnitude.dtype == np.float32
    assert len(mel) == len(magnitude) == -(-frames // audio.reduction) * audio.reduction
    np.testing.assert_allclose(mel[:frames], expected_mel, atol=1e-5)
    # In single precision near-empty bins would be all rounding.
    np.testing.assert_allclose(magnitude[:frames], expected_magnitude, atol=1e-5)
    assert min(mel[:frames].min(), magnitude[:frames].min()) >= np.float32(1e-8)
    assert max(mel.max(), magnitude.max()) <= 1
    assert not mel[frames:].any()
    assert not magnitude[frames:].any()


def test_bands_narrower_than_bins_are_no_warning_on_the_terminal() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bank = mel_filter_bank(AudioSpec(n_fft=256, n_mels=80))
    assert not bank.any(axis=1).all()
    assert not bank.flags.writeable


@pytest.mark.slow
@given(
    parts=st.lists(
        st.tuples(st.integers(0, 4_000), st.sampled_from([0.0, 1e-6, 1e-4, 3e-3, 0.03, 0.5])),
        min_size=1,
        max_size=8,
    ).filter(lambda parts: sum(length for length, _ in parts)),
    trim_db=st.sampled_from([20.0, 40.0, 60.0]),
    seed=st.integers(0, 9),
)
# The hiss of a quiet recording is not trimmed.
@example(parts=[(22_050, 1e-6), (22_050, 0.005), (22_050, 1e-6)], trim_db=60.0, seed=1)
@settings(deadline=None, max_examples=50)
def test_trimming_is_librosas(parts: list[tuple[int, float]], trim_db: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pieces = [level * rng.uniform(-1, 1, length) for length, level in parts]
    waveform = np.concatenate(pieces).astype(np.float32)
    expected, _ = librosa.effects.trim(waveform, top_db=trim_db)
    np.testing.assert_array_equal(trim(waveform, trim_db), expected)


@pytest.mark.parametrize("samples", [1, 274, 275, 1_100, 22_050, 66_150])
def test_frames_are_one_a_hop_and_one_more_in_fours(samples: int) -> None:
    mel, magnitude = analyse(tone(440, samples), AUDIO)
    frames = 1 + samples // 275
    padded = frames + (-frames) % 4
    assert mel.shape == (padded, 80)
    assert magnitude.shape == (padded, 1_025)
    assert coarse_frames(samples, AUDIO) == padded // 4


def test_a_tone_has_the_level_worked_out_by_hand() -> None:
    place = 100  # bin: 1076.7 Hz
    hertz = place * 22_050 / 2_048
    _, magnitude = analyse(tone(hertz, 22_050, level=0.1), AUDIO)
    # A sine's peak is its level times half the sum of the window (for a periodic Hann
    # window, half its length) times what pre-emphasis leaves of it.
    omega = 2 * np.pi * hertz / 22_050
    peak = 0.1 * (1_102 / 4) * abs(1 - 0.97 * np.exp(-1j * omega))
    expected = (20 * np.log10(peak) - 20 + 100) / 100
    middle = magnitude[40]
    assert middle.argmax() == place
    assert middle[place] == pytest.approx(expected, abs=1e-3)


def test_silence_is_told_from_the_quietest_speech() -> None:
    assert is_silent(np.zeros(0, np.float32))
    assert is_silent(np.full(1_000, 3e-5, np.float32))
    assert not is_silent(tone(200, 1_000, 0.001))
