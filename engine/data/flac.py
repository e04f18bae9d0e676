"""How many samples a FLAC file has whose encoder was killed, or wrote into a pipe.

Such an encoder leaves 0 in STREAMINFO, with which libsndfile reads nothing. Each frame names its
place in the stream, so the last one tells.
"""

import re
from collections import deque
from collections.abc import Iterator

STREAMINFO_END = 42
"""Bytes of a FLAC file up to the end of STREAMINFO, with which it begins."""

_SYNC = re.compile(rb"\xff[\xf8\xf9]")
# Places like the start of a frame that are looked at: by chance there is one in 32 kB.
_MAX_CANDIDATES = 1_000
# Bytes of the longest header of a frame.
_FRAME_HEADER = 16
# Bits a sample by their code in the header of a frame; code 0 is for those of STREAMINFO.
_BITS = {1: 8, 2: 12, 4: 16, 5: 20, 6: 24, 7: 32}
# Where STREAMINFO has rate, channels and bits, and the number of samples in the last 36 bits.
_FIGURES = slice(18, 26)
_TOTAL_BITS = 36


def samples_promised(head: bytes) -> int | None:
    """The samples that STREAMINFO names, 0 where the encoder did not know; None without one."""
    if len(head) < STREAMINFO_END or head[4] & 0x7F:
        return None
    return int.from_bytes(head[_FIGURES], "big") % (1 << _TOTAL_BITS)


def with_samples(head: bytes, samples: int) -> bytes:
    """The start of a FLAC file with another number of samples in it."""
    figures = int.from_bytes(head[_FIGURES], "big") >> _TOTAL_BITS << _TOTAL_BITS | samples
    return head[: _FIGURES.start] + figures.to_bytes(8, "big") + head[_FIGURES.stop :]


def samples_present(head: bytes, tail: bytes) -> int:
    """The samples up to the end of the last whole frame in `tail`, the end of the file."""
    for found in reversed(deque(_SYNC.finditer(tail), _MAX_CANDIDATES)):
        place = found.start()
        header = tail[place : place + _FRAME_HEADER]
        if (frame := _frame(head, header)) is not None:
            first, length = frame
            whole = _checksum(tail[place:], 0x8005, 16) == 0
            return min(first + length * whole, (1 << _TOTAL_BITS) - 1)
    return 0


def _frame(head: bytes, header: bytes) -> tuple[int, int] | None:
    """The first sample of a frame and how many it has; None where it is no header of a frame."""
    if len(header) < _FRAME_HEADER or not _fits(head, header):
        return None
    rest = iter(header[4:])
    number = _coded_number(rest)
    code, rate_code = header[2] >> 4, header[2] & 15
    length = 192 if code == 1 else 576 << (code - 2) if code < 6 else 256 << max(0, code - 8)
    if code in (6, 7):
        length = int.from_bytes([next(rest) for _ in range(code - 5)], "big") + 1
    for _ in range({12: 1, 13: 2, 14: 2}.get(rate_code, 0)):
        next(rest)
    used = _FRAME_HEADER - len([*rest])
    if number is None or _checksum(header[: used + 1], 0x07, 8):
        return None
    # Frames are counted by samples, or by frames of the one length that STREAMINFO names.
    return number * (1 if header[1] & 1 else int.from_bytes(head[10:12], "big")), length


def _fits(head: bytes, header: bytes) -> bool:
    """Whether what may be the header of a frame agrees with STREAMINFO."""
    figures = int.from_bytes(head[_FIGURES], "big")
    channels, bits = (figures >> 41 & 7) + 1, (figures >> _TOTAL_BITS & 31) + 1
    assigned, coded = header[3] >> 4, header[3] >> 1 & 7
    same_channels = assigned == channels - 1 or (channels == 2 and assigned in (8, 9, 10))
    return (
        same_channels
        and _BITS.get(coded, bits if coded == 0 else 0) == bits
        and header[2] >> 4 != 0
        and header[2] & 15 != 15
        and not header[3] & 1
    )


def _coded_number(rest: Iterator[int]) -> int | None:
    """The number of a frame or sample, coded as UTF-8 codes a character, up to 36 bits."""
    first = next(rest)
    if first < 0x80:
        return first
    more = 8 - (first ^ 0xFF).bit_length() - 1
    if not 1 <= more <= 6:
        return None
    number = first & (0x3F >> more)
    for _ in range(more):
        byte = next(rest)
        if byte >> 6 != 2:
            return None
        number = number << 6 | byte & 0x3F
    return number


def _checksum(content: bytes, polynomial: int, bits: int) -> int:
    """The CRC of bytes, most significant bit first; 0 where its own CRC is their end."""
    crc, top, mask = 0, 1 << (bits - 1), (1 << bits) - 1
    for byte in content:
        crc ^= byte << (bits - 8)
        for _ in range(8):
            crc = (crc << 1 ^ polynomial if crc & top else crc << 1) & mask
    return crc
