"""Recordings of killed recorders, of pipes and of taggers: all sound is read, and nothing else."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.check.sound_file import read_sound
from engine.data.audio import load_recording, recording_length
from engine.errors import InputError

RATE = 22_050
NOISE = (np.random.default_rng(5).standard_normal(9_000) * 3_000).astype(np.int16)


def written(tmp_path: Path, name: str) -> bytes:
    soundfile.write(tmp_path / name, NOISE, RATE, subtype="PCM_16")
    return (tmp_path / name).read_bytes()


def sized(riff: int, data: int) -> Callable[[bytes], bytes]:
    """The sizes of the whole and of the samples in the header; -1 as they are."""

    def change(wav: bytes) -> bytes:
        riff_bytes, data_bytes = (n.to_bytes(4, "little") if n >= 0 else b"" for n in (riff, data))
        return (
            wav[:4] + (riff_bytes or wav[4:8]) + wav[8:40] + (data_bytes or wav[40:44]) + wav[44:]
        )

    return change


def chunk(name: bytes, content: bytes, *, padded: bool = True) -> bytes:
    padding = bytes(len(content) % 2 if padded else 0)
    return name + len(content).to_bytes(4, "little") + content + padding


def tag(length: int, *, footer: bool = False) -> bytes:
    size = bytes(length >> shift & 0x7F for shift in (21, 14, 7, 0))
    end = b"3DI\x04\0\x10" + size if footer else b""
    return b"ID3\x04\0" + bytes([0x10 * footer]) + size + b"\xff" * length + end


def before_samples(inserted: bytes) -> Callable[[bytes], bytes]:
    return lambda wav: wav[:36] + inserted + wav[36:]


def before_format(inserted: bytes, wav: bytes) -> bytes:
    return wav[:12] + inserted + wav[12:]


OLD_TAG = b"TAG" + b"a song".ljust(125)
LIST = chunk(b"LIST", b"INFOISFT\x05\0\0\0abcde\0")
MAX = 2**32 - 1

READ: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "as it should be": (lambda wav: wav, ""),
    "no size of the samples": (sized(-1, 0), "unfinished-header"),
    "no size of the whole": (sized(0, -1), "unfinished-header"),
    "no size": (sized(0, 0), "unfinished-header"),
    "a pipe's sizes": (sized(MAX, MAX), "unfinished-header"),
    "arecord's sizes": (sized(0x7FFF_FF24, 0x7FFF_FF00), "unfinished-header"),
    "an hour promised": (sized(158_760_036, 158_760_000), "unfinished-header"),
    "more samples promised": (sized(-1, 10**6), "unfinished-header"),
    "more of the whole promised": (sized(10**6, -1), "unfinished-header"),
    "fewer samples promised": (sized(-1, 6_000), "unfinished-header"),
    "an update before the last": (sized(6_036, 6_000), "unfinished-header"),
    "a list behind": (lambda wav: sized(-1, 0)(wav) + LIST, "unfinished-header"),
    "a hundred lists behind": (lambda wav: sized(-1, 0)(wav) + 100 * LIST, "unfinished-header"),
    "an old tag behind": (lambda wav: sized(0, 0)(wav) + OLD_TAG, "unfinished-header"),
    "both behind": (lambda wav: sized(MAX, MAX)(wav) + LIST + OLD_TAG, "unfinished-header"),
    "a large chunk behind": (lambda wav: wav + chunk(b"bext", b"\x55" * 5_001), ""),
    "tags in front": (lambda wav: tag(300, footer=True) + tag(20) + wav, "id3-tag"),
    "a tag and no size": (lambda wav: tag(9) + sized(0, 0)(wav), "id3-tag"),
    "64 bits, no size": (
        lambda wav: b"RF64" + before_format(chunk(b"ds64", bytes(28)), sized(MAX, MAX)(wav))[4:],
        "unfinished-header",
    ),
    "chunks in front": (before_samples(LIST + chunk(b"JUNK", b"1234567")), ""),
    "no padding": (before_samples(chunk(b"JUNK", b"1234567", padded=False)), ""),
}


@pytest.mark.parametrize("name", READ)
def test_check_and_training_read_all_samples(name: str, tmp_path: Path) -> None:
    change, kind = READ[name]
    path = tmp_path / "clip.wav"
    path.write_bytes(change(written(tmp_path, "clip.wav")))
    np.testing.assert_array_equal(load_recording(path, RATE) * 32_768, NOISE)
    assert recording_length(path) == (len(NOISE), RATE)
    sound = read_sound(path)
    np.testing.assert_array_equal(sound.samples[:, 0] * 32_768, NOISE)
    assert sound.readable
    assert [one.kind for one in sound.findings][: 1 if kind else None] == [kind] * bool(kind)


REFUSED: dict[str, tuple[Callable[[bytes], bytes], str, str]] = {
    "half": (lambda wav: wav[:9_000], "cut short", "truncated"),
    "a pipe without a sample": (lambda wav: sized(MAX, MAX)(wav)[:44], "no samples", "empty"),
    "a list alone": (lambda wav: sized(-1, 0)(wav)[:44] + LIST, "no samples", "empty"),
    "a tag that lies": (
        lambda wav: tag(300)[:8] + b"\x7f\x7f" + wav,
        "neither WAV nor FLAC",
        "not-wav-or-flac",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_check_and_training_refuse_the_same(name: str, tmp_path: Path) -> None:
    change, said, kind = REFUSED[name]
    path = tmp_path / "clip.wav"
    path.write_bytes(change(written(tmp_path, "clip.wav")))
    with pytest.raises(InputError, match=said):
        load_recording(path, RATE)
    sound = read_sound(path)
    assert not sound.readable
    assert kind in [one.kind for one in sound.findings]


def without_total(flac: bytes) -> bytes:
    """As an encoder leaves it that is killed, or that writes into a pipe."""
    return flac[:21] + bytes([flac[21] & 0xF0]) + bytes(4) + flac[26:]


@pytest.mark.parametrize("missing", [0, 1_000])
def test_flac_of_a_killed_encoder_is_read_to_its_last_frame(missing: int, tmp_path: Path) -> None:
    flac = without_total(written(tmp_path, "clip.flac"))
    path = tmp_path / "clip.flac"
    path.write_bytes(tag(40) + flac[: len(flac) - missing])
    samples = load_recording(path, RATE) * 32_768
    expected = NOISE if not missing else NOISE[: 9_000 // 4_096 * 4_096]
    np.testing.assert_array_equal(samples, expected)
    kinds = {one.kind for one in read_sound(path).findings}
    assert {"unfinished-header", "id3-tag"} <= kinds
    path.write_bytes(flac[:60])
    with pytest.raises(InputError, match=r"clip\.flac is empty"):
        load_recording(path, RATE)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["wav", "flac"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_size_takes_memory_or_the_program(
    suffix: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("hostile")
    whole = written(folder, f"clip.{suffix}")
    content = bytearray(whole if suffix == "wav" else without_total(whole))
    place = st.integers(0, 60) if suffix == "wav" else st.integers(0, len(content) - 1)
    for at, value in data.draw(st.lists(st.tuples(place, st.integers(0, 255)), max_size=6)):
        content[at] = value
    path = folder / f"clip.{suffix}"
    path.write_bytes(bytes(content) + data.draw(st.sampled_from([b"", OLD_TAG, LIST])))
    readable = read_sound(path).readable
    try:
        samples = load_recording(path, RATE)
    except InputError as error:
        assert str(path) in str(error)  # noqa: PT017 (whether it raises depends on the damage)
        assert not readable
    else:
        assert 0 < len(samples) < 10**7
