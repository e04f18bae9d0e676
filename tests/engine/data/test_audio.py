"""Reading recordings of every kind that a person may have."""

import hashlib
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from paths import SPEECH

from engine.data.audio import RecordingFile, load_recording, recording_length
from engine.errors import InputError

FIXTURE = SPEECH / "wavs" / "LJ001-0008.flac"


def tone(hertz: float, seconds: float, rate: int) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)


@pytest.mark.parametrize(
    ("rate", "suffix"), [(8_000, "wav"), (22_050, "flac"), (48_000, "flac"), (11_111, "wav")]
)
def test_any_sample_rate_becomes_the_asked_one(tmp_path: Path, rate: int, suffix: str) -> None:
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, 0.5 * tone(440, 1.0, rate), rate)
    samples = load_recording(path, 22_050)
    assert samples.dtype == np.float32
    assert len(samples) == pytest.approx(22_050, abs=2)
    strongest = np.abs(np.fft.rfft(samples, 22_050)).argmax()
    assert strongest == pytest.approx(440, abs=1)
    assert np.abs(samples[2_000:-2_000]).max() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("channels", [1, 2, 3, 6])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_channels_of_any_format_are_mixed_down_by_their_mean(
    tmp_path: Path, channels: int, subtype: str
) -> None:
    rng = np.random.default_rng(1)
    samples = rng.uniform(-0.9, 0.9, (500, channels)).astype(np.float32)
    path = tmp_path / "many.wav"
    soundfile.write(path, samples, 22_050, subtype=subtype)
    mixed = load_recording(path, 22_050)
    assert mixed.shape == (500,)
    np.testing.assert_allclose(mixed, samples.mean(axis=1), atol=0.01)


@pytest.mark.slow
def test_equals_librosas_reading_of_real_speech_at_another_rate() -> None:
    expected, _ = librosa.load(FIXTURE, sr=16_000)
    samples = load_recording(FIXTURE, 16_000)
    # librosa fills the last, incomplete sample with a zero.
    assert len(expected) - len(samples) in (0, 1)
    np.testing.assert_allclose(samples, expected[: len(samples)], atol=1e-6)


def test_more_samples_than_one_block_are_all_read(tmp_path: Path) -> None:
    ramp = np.arange(600_000, dtype=np.int16)
    path = tmp_path / "long.wav"
    soundfile.write(path, np.stack([ramp, ramp], axis=1), 22_050, subtype="PCM_16")
    np.testing.assert_array_equal(load_recording(path, 22_050) * 32_768, ramp)


def test_file_is_hashed_and_decoded_by_one_opening() -> None:
    expected = load_recording(FIXTURE, 22_050)
    with RecordingFile(FIXTURE) as recording:
        assert recording.length() == (len(expected), 22_050)
        assert recording.content_hash() == hashlib.sha256(FIXTURE.read_bytes()).hexdigest()
    with RecordingFile(FIXTURE) as recording:
        recording.content_hash()
        np.testing.assert_array_equal(recording.mono(22_050), expected)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"ID3\x04 an MP3 file in truth", "neither WAV nor FLAC"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "cannot be read"),
        (b"fLaC and then nothing", "cannot be read"),
        (None, "does not exist"),
    ],
)
def test_an_unreadable_file_is_named(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "broken.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=said) as raised:
        load_recording(path, 22_050)
    assert str(path) in str(raised.value)


def test_folder_and_recording_without_a_sample_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 22_050)
    with pytest.raises(InputError, match=r"empty\.wav is empty"):
        load_recording(tmp_path / "empty.wav", 22_050)
    with pytest.raises(InputError, match="not a file"):
        load_recording(tmp_path, 22_050)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_samples_that_are_no_level_are_refused(tmp_path: Path, value: float) -> None:
    path = tmp_path / "odd.wav"
    soundfile.write(path, np.array([0.1, value, 0.1]), 22_050, subtype="DOUBLE")
    with pytest.raises(InputError, match="not audio; export it again"):
        load_recording(path, 22_050)


_FLAC = FIXTURE.read_bytes()[:20_000]


@given(st.dictionaries(st.integers(0, 120), st.integers(0, 255), min_size=1, max_size=5))
@settings(max_examples=50, deadline=None)
def test_a_damaged_header_never_ends_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, damage: dict[int, int]
) -> None:
    content = bytearray(_FLAC)
    for place, value in damage.items():
        content[place] = value
    path = tmp_path_factory.mktemp("damaged") / "clip.flac"
    path.write_bytes(content)
    try:
        samples = load_recording(path, 22_050)
    except InputError as error:
        assert "clip.flac" in str(error)  # noqa: PT017 (whether it raises depends on the damage)
    else:
        assert len(samples)
        assert np.isfinite(samples).all()


def test_a_header_that_claims_hours_does_not_take_the_memory(tmp_path: Path) -> None:
    content = bytearray(FIXTURE.read_bytes())
    # STREAMINFO: 36 bits of sample count end 26 bytes into the file's first block.
    content[21] |= 0x0F
    content[22:26] = b"\xff\xff\xff\xff"
    path = tmp_path / "liar.flac"
    path.write_bytes(content)
    assert recording_length(path)[0] == 2**36 - 1
    with pytest.raises(InputError, match=r"liar\.flac"):
        load_recording(path, 22_050)


def test_truncated_wav_is_refused_a_wrong_size_is_not(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    soundfile.write(path, np.full(22_050, 0.1), 22_050)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 3])
    for read in (recording_length, lambda path: load_recording(path, 22_050)):
        with pytest.raises(InputError, match=r"clip\.wav is cut short"):
            read(path)
    # Programs that write to a pipe do not know the size; others are wrong by a few bytes.
    for size in (0, len(whole) + 8, 0x7FFF_FFFF, 0xFFFF_FFFF):
        path.write_bytes(whole[:4] + size.to_bytes(4, "little") + whole[8:])
        assert len(load_recording(path, 22_050)) == 22_050
