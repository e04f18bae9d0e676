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


def test_more_attention_is_brighter_whatever_its_range(tmp_path):
    path = tmp_path / "ramp.png"
    attention = np.full((180, 640), np.nan, np.float32)
    attention[0], attention[1] = np.linspace(0, 1, 640), 7
    write_attention(path, attention)
    picture = read_png(path.read_bytes()).astype(int) @ np.array([30, 59, 11])
    assert picture.shape == (180, 640)
    assert (np.diff(picture[0]) >= 0).all()
    assert picture[0, -1] == picture[1, 0] > 5 * picture[0, 0]
    with pytest.raises(EngineError, match=r"ramp\.png/a\.png cannot be written"):
        write_attention(path / "a.png", np.eye(3, dtype=np.float32))
