"""Attention as a picture, saved with each sample."""

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.files import write_whole

# Pixels of the longer side of a picture beside a sample, by a whole factor.
_LONG_SIDE = 640
# Colours from no attention to all of it, (red, green, blue) at equal distances; brightness
# rises evenly, so the picture also reads in grey.
_RAMP = ((8, 8, 32), (58, 32, 112), (142, 46, 118), (222, 92, 76), (250, 170, 62), (255, 250, 200))


def write_attention(path: Path, attention: NDArray[np.float32]) -> None:
    """Write the picture of an attention matrix `(N, T)`; its folder has to be there.

    Raises:
        EngineError: the file cannot be written.
    """
    write_whole(path, attention_picture(attention, _LONG_SIDE), make_folders=False)


def attention_picture(attention: NDArray[np.float32], long_side: int = 1) -> bytes:
    """An attention matrix `(N, T)` as a PNG, its longer side of so many pixels at least.

    The first character is the top row and the first frame the left column, every weight a square
    of one pixel or more. Brightness follows the square root of the weight, so that faint attention
    shows too.
    """
    shades = np.round(255 * np.sqrt(np.clip(np.nan_to_num(attention), 0, 1))).astype(np.uint8)
    factor = max(1, long_side // max(1, *attention.shape))
    places = np.linspace(0, len(_RAMP) - 1, 256)
    channels = [np.interp(places, range(len(_RAMP)), one) for one in zip(*_RAMP, strict=True)]
    palette = np.round(np.stack(channels, axis=1)).astype(np.uint8)
    return _png(shades.repeat(factor, axis=0).repeat(factor, axis=1), palette)


def _png(pixels: NDArray[np.uint8], palette: NDArray[np.uint8]) -> bytes:
    """Encode indices `(height, width)` into `(256, 3)` colours as PNG (RFC 2083), unfiltered."""
    height, width = pixels.shape
    bits, indexed = 8, 3
    header = struct.pack(">IIBBBBB", width, height, bits, indexed, 0, 0, 0)
    rows = np.pad(pixels, ((0, 0), (1, 0))).tobytes()  # a filter byte of 0 before every row
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"PLTE", palette.tobytes())
        + _chunk(b"IDAT", zlib.compress(rows, 9))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
