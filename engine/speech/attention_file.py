"""Attention as a picture, saved with each sample."""

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.files import write_whole

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Pixels that the longer side of a picture should have at least, by a whole factor.
_LONG_SIDE = 640
# Colours from no attention to all of it, (red, green, blue) at equal distances; brightness
# rises evenly, so the picture also reads in grey.
_RAMP = ((8, 8, 32), (58, 32, 112), (142, 46, 118), (222, 92, 76), (250, 170, 62), (255, 250, 200))


def write_attention(path: Path, attention: NDArray[np.float32]) -> None:
    """Write an attention matrix `(N, T)` as a PNG; its folder has to be there.

    The first character is the top row and the first frame the left column, and brightness follows
    the square root of the weight, so that faint attention shows too.

    Raises:
        EngineError: the file cannot be written.
    """
    write_whole(path, _png(_shades(attention), _palette()), make_folders=False)


def _shades(attention: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Indices into the palette, every weight a square of several pixels."""
    shades = np.round(255 * np.sqrt(np.clip(np.nan_to_num(attention), 0, 1))).astype(np.uint8)
    factor = max(1, _LONG_SIDE // max(1, *attention.shape))
    return shades.repeat(factor, axis=0).repeat(factor, axis=1)


def _palette() -> NDArray[np.uint8]:
    """The ramp in 256 colours, `(256, 3)`."""
    places = np.linspace(0, len(_RAMP) - 1, 256)
    channels = [
        np.interp(places, range(len(_RAMP)), channel) for channel in zip(*_RAMP, strict=True)
    ]
    return np.round(np.stack(channels, axis=1)).astype(np.uint8)


def _png(pixels: NDArray[np.uint8], palette: NDArray[np.uint8]) -> bytes:
    """Encode palette indices `(height, width)` as PNG (RFC 2083), every row unfiltered."""
    height, width = pixels.shape
    bits, indexed = 8, 3
    header = struct.pack(">IIBBBBB", width, height, bits, indexed, 0, 0, 0)
    rows = np.pad(pixels, ((0, 0), (1, 0))).tobytes()  # a filter byte of 0 before every row
    return (
        _SIGNATURE
        + _chunk(b"IHDR", header)
        + _chunk(b"PLTE", palette.tobytes())
        + _chunk(b"IDAT", zlib.compress(rows, 9))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
