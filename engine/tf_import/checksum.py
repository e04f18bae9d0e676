"""The checksum that TensorFlow and LevelDB store beside their data."""

import google_crc32c

_ROTATION = 15
_OFFSET = 0xA282EAD8
_ALL = 0xFFFFFFFF


def masked_crc(data: bytes) -> int:
    """The CRC-32C of some bytes, masked as LevelDB stores it.

    The mask (rotate right by 15 bits, add a constant) keeps the checksum of data that itself
    holds checksums from being degenerate.
    """
    crc = int(google_crc32c.value(data))
    return ((crc >> _ROTATION | crc << (32 - _ROTATION)) + _OFFSET) & _ALL
