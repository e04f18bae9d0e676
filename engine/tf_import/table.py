"""The index of a checkpoint: a LevelDB table, which maps sorted keys to values.

The layout is documented in LevelDB's doc/table_format.md: blocks of entries, each followed by
its kind of compression and a checksum; a block that lists the blocks; a footer that says where
that one is. Everything is verified before it is used: the file may come from anywhere.
"""

from collections.abc import Iterator
from pathlib import Path

import google_crc32c

from engine.errors import InputError

_MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
_FOOTER = 48
# After a block: one byte for its compression, four for its checksum.
_TRAILER = 5
_PLAIN, _SNAPPY = 0, 1
_MAX_VARINT = 10
# A table of the BBC's largest network has 66 kB and 820 entries with keys of at most 55 bytes.
_MAX_BYTES = 2**24
_MAX_ENTRIES = 20_000
_MAX_KEY = 1_024


class FormatError(Exception):
    """Bytes that are not in the expected format; callers turn it into an `InputError`."""


def read_table(path: Path) -> dict[bytes, bytes]:
    """Read a whole table and verify all its checksums.

    Raises:
        InputError: the file cannot be read, is not a table, or is damaged.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(
                f"{path} is too large for the index of a TensorFlow checkpoint (maximum "
                f"{_MAX_BYTES:,} bytes); give the file that belongs to the checkpoint."
            )
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from error
    if len(data) < _FOOTER or not data.endswith(_MAGIC):
        raise InputError(
            f"{path} is not the index of a TensorFlow checkpoint, or was cut short: its "
            f"{len(data):,} bytes do not end like one; copy it again."
        )
    try:
        return _table(data)
    except FormatError as error:
        raise InputError(
            f"{path} cannot be read as the index of a TensorFlow checkpoint: {error}; copy it "
            f"again."
        ) from error


def masked_crc(data: bytes) -> int:
    """The CRC-32C of some bytes, masked as LevelDB and TensorFlow store it.

    The mask (rotate right by 15 bits, add a constant) keeps the checksum of data that itself
    holds checksums from being degenerate.
    """
    crc = int(google_crc32c.value(data))
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Read an unsigned number, seven bits a byte and the lowest first.

    Returns:
        The number, below 2⁶⁴, and the place after it.

    Raises:
        FormatError: it does not end before `end`, or is too large.
    """
    value = 0
    for place in range(at, min(end, at + _MAX_VARINT)):
        value |= (data[place] & 0x7F) << (7 * (place - at))
        if data[place] < 0x80:
            if value >= 2**64:
                break
            return value, place + 1
    raise FormatError("a number in it has no end")


def _table(data: bytes) -> dict[bytes, bytes]:
    end = len(data) - _FOOTER
    meta_offset, meta_size, at = _handle(data, end, len(data) - len(_MAGIC))
    offset, size, _ = _handle(data, at, len(data) - len(_MAGIC))
    _block(data, meta_offset, meta_size, end)
    table: dict[bytes, bytes] = {}
    last, read = b"", 0
    for _, handle in _entries(_block(data, offset, size, end)):
        offset, size, _ = _handle(handle, 0, len(handle))
        if offset < read:
            raise FormatError("its blocks overlap")
        read = offset + size + _TRAILER
        for key, value in _entries(_block(data, offset, size, end)):
            if table and key <= last:
                raise FormatError("its keys are not in order")
            if len(table) == _MAX_ENTRIES:
                raise FormatError(f"it has more than {_MAX_ENTRIES:,} entries")
            table[key] = value
            last = key
    return table


def _handle(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """Offset and size of a block, and the place after them."""
    offset, at = varint(data, at, end)
    size, at = varint(data, at, end)
    return offset, size, at


def _block(data: bytes, offset: int, size: int, end: int) -> bytes:
    """The content of a block whose checksum is right."""
    stop = offset + size
    if stop + _TRAILER > end:
        raise FormatError("a block extends beyond its end")
    stored = int.from_bytes(data[stop + 1 : stop + _TRAILER], "little")
    if masked_crc(data[offset : stop + 1]) != stored:
        raise FormatError(f"the checksum of the block at byte {offset:,} is wrong")
    compression = data[stop]
    if compression != _PLAIN:
        name = "snappy" if compression == _SNAPPY else f"unknown kind {compression}"
        raise FormatError(
            f"the block at byte {offset:,} is compressed ({name}), which TensorFlow's Saver never "
            f"does"
        )
    return data[offset:stop]


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The entries of a block; a key is stored as what differs from the key before it."""
    if len(block) < 4:
        raise FormatError("a block is too short")
    # The block ends with the places where a key is stored whole, and their number.
    end = len(block) - 4 * (int.from_bytes(block[-4:], "little") + 1)
    at, key = 0, b""
    if end < 0:
        raise FormatError("a block is shorter than its own list of places")
    while at < end:
        shared, at = varint(block, at, end)
        fresh, at = varint(block, at, end)
        length, at = varint(block, at, end)
        if shared > len(key) or fresh + length > end - at:
            raise FormatError("an entry extends beyond its block")
        if shared + fresh > _MAX_KEY:
            raise FormatError(f"a key has more than {_MAX_KEY:,} bytes")
        key = key[:shared] + block[at : at + fresh]
        yield key, block[at + fresh : at + fresh + length]
        at += fresh + length
