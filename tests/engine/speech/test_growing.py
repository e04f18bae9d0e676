"""WAV files that are played while they grow."""

import numpy as np
import pytest
import soundfile

from engine.data.audio import HEADER_BYTES
from engine.errors import EngineError
from engine.speech.growing import GrowingWav, growing_path, sweep_growing, write_wav


def noise(count: int) -> np.ndarray:
    return np.random.default_rng(count).uniform(-0.9, 0.9, count).astype(np.float32)


def test_what_was_read_while_it_grew_is_the_finished_sound(tmp_path):
    path, whole = tmp_path / "birch.wav", tmp_path / "whole.wav"
    pieces = [noise(300), noise(0), noise(5_000)]
    with GrowingWav(path, 22_050) as file:
        for piece in pieces:
            file.write(piece)
            seen = growing_path(path).read_bytes()[HEADER_BYTES:]
            assert len(seen) == 2 * file.samples
        assert not path.exists()
        assert sweep_growing(tmp_path) == {}  # somebody is at it
        file.finish()
    write_wav(whole, np.concatenate(pieces), 22_050)
    assert path.read_bytes() == whole.read_bytes()
    assert path.read_bytes()[HEADER_BYTES:] == seen
    assert soundfile.info(path).frames == 5_300
    assert path.stat().st_mode & 0o777 == 0o600
    assert {one.name for one in tmp_path.iterdir()} == {"birch.wav", "whole.wav"}


def test_a_sound_that_was_given_up_leaves_nothing(tmp_path):
    with GrowingWav(tmp_path / "birch.wav", 22_050) as file:
        file.write(noise(10))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(EngineError, match=r"nowhere/birch\.wav cannot be written"):
        GrowingWav(tmp_path / "nowhere" / "birch.wav", 22_050)
    # What a killed process left is removed, unless it is somebody's link.
    growing_path(tmp_path / "birch.wav").write_bytes(b"RIFF")
    (tmp_path / "kept.wav").write_bytes(b"")
    growing_path(tmp_path / "link.wav").symlink_to(tmp_path / "kept.wav")
    sweep_growing(tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["kept.wav"]


def test_a_wav_holds_the_samples_in_sixteen_bits(tmp_path):
    waveform, path = noise(5_000), tmp_path / "birch.wav"
    write_wav(path, waveform, 22_050)
    info = soundfile.info(path)
    assert (info.samplerate, info.channels, info.subtype) == (22_050, 1, "PCM_16")
    np.testing.assert_allclose(soundfile.read(path)[0], waveform, atol=1e-4)
    assert [entry.name for entry in path.parent.iterdir()] == ["birch.wav"]


def test_a_wav_that_cannot_be_written_leaves_nothing(tmp_path):
    folder = tmp_path / "there.wav"
    folder.mkdir()
    (folder / "kept").write_text("")
    with pytest.raises(EngineError, match=r"there\.wav cannot be written"):
        write_wav(folder, noise(10), 22_050)
    assert [entry.name for entry in tmp_path.iterdir()] == ["there.wav"]
    assert (folder / "kept").exists()
