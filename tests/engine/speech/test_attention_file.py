import struct
import zlib

import numpy as np
import pytest

from engine.errors import EngineError
from engine.speech.attention_file import write_attention


def read_png(content: bytes) -> np.ndarray:
    """Decode an indexed PNG of unfiltered rows to `(height, width, 3)`, checking every chunk."""
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, place = {}, 8
    while place < len(content):
        length, kind = struct.unpack_from(">I4s", content, place)
        body = content[place + 8 : place + 8 + length]
        (checksum,) = struct.unpack_from(">I", content, place + 8 + length)
        assert checksum == zlib.crc32(kind + body)
        chunks[kind] = body
        place += 12 + length
    assert list(chunks) == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
    width, height, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert rest == [8, 3, 0, 0, 0]
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, width + 1)
    assert not rows[:, 0].any()
    return np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(256, 3)[rows[:, 1:]]


def test_characters_are_rows_and_frames_columns(tmp_path):
    attention = np.zeros((8, 20), np.float32)
    attention[2, 5] = 1
    path = tmp_path / "birch.png"
    write_attention(path, attention)
    picture = read_png(path.read_bytes()).sum(axis=2)
    factor = picture.shape[0] // 8
    assert picture.shape == (8 * factor, 20 * factor)
    assert factor == 32
    bright = np.argwhere(picture == picture.max())
    assert bright.min(axis=0).tolist() == [2 * factor, 5 * factor]
    assert bright.max(axis=0).tolist() == [3 * factor - 1, 6 * factor - 1]


def test_more_attention_is_brighter(tmp_path):
    path = tmp_path / "ramp.png"
    write_attention(path, np.linspace(0, 1, 640, dtype=np.float32)[None])
    picture = read_png(path.read_bytes()).astype(int)[0] @ np.array([30, 59, 11])
    assert (np.diff(picture) >= 0).all()
    assert picture[-1] > 5 * picture[0]


def test_large_matrices_and_weights_out_of_range_are_drawn(tmp_path):
    attention = np.full((180, 900), np.nan, np.float32)
    attention[0] = 7
    path = tmp_path / "odd.png"
    write_attention(path, attention)
    assert read_png(path.read_bytes()).shape == (180, 900, 3)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match=r"file/a\.png cannot be written"):
        write_attention(tmp_path / "file" / "a.png", np.eye(3, dtype=np.float32))
