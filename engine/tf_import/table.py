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
# A table of the BBC's largest network has 66 kB and 820 entries with keys of at most 55 bytes.
_MAX_BYTES = 2**24
_MAX_ENTRIES = 20_000
_MAX_KEY = 1_024


class FormatError(Exception):
    """Bytes that are not in the expected format; callers turn it into an `InputError`."""


class Bytes:
    """Bytes that are read from front to end, and never beyond; true while there are more.

    Raises `FormatError` where they do not hold what is read.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, count: int) -> bytes:
        """Read so many bytes."""
        if count > len(self._data) - self._at:
            raise FormatError("a part of it is cut short")
        self._at += count
        return self._data[self._at - count : self._at]

    def varint(self) -> int:
        """Read an unsigned number below 2⁶⁴, seven bits a byte and the lowest first."""
        value = 0
        for shift in range(0, 70, 7):
            [byte] = self.take(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80 and value < 2**64:
                return value
        raise FormatError("a number in it has no end")


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
        return _table(data[:-_FOOTER], Bytes(data[-_FOOTER:]))
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


def _table(blocks: bytes, footer: Bytes) -> dict[bytes, bytes]:
    _block(blocks, footer.varint(), footer.varint())  # which filters, if any: verified alone
    table: dict[bytes, bytes] = {}
    last, read = b"", 0
    for _, value in _entries(_block(blocks, footer.varint(), footer.varint())):
        handle = Bytes(value)
        offset, size = handle.varint(), handle.varint()
        if offset < read:
            raise FormatError("its blocks overlap")
        read = offset + size + _TRAILER
        for key, content in _entries(_block(blocks, offset, size)):
            if table and key <= last:
                raise FormatError("its keys are not in order")
            if len(table) == _MAX_ENTRIES:
                raise FormatError(f"it has more than {_MAX_ENTRIES:,} entries")
            table[key] = content
            last = key
    return table


def _block(blocks: bytes, offset: int, size: int) -> bytes:
    """The content of a block whose checksum is right."""
    stop = offset + size
    if stop + _TRAILER > len(blocks):
        raise FormatError("a block extends beyond its end")
    stored = int.from_bytes(blocks[stop + 1 : stop + _TRAILER], "little")
    if masked_crc(blocks[offset : stop + 1]) != stored:
        raise FormatError(f"the checksum of the block at byte {offset:,} is wrong")
    if blocks[stop]:
        raise FormatError(
            f"the block at byte {offset:,} is compressed, which TensorFlow's Saver never does"
        )
    return blocks[offset:stop]


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The entries of a block; a key is stored as what differs from the key before it."""
    # The block ends with the places where a key is stored whole, and their number.
    end = len(block) - 4 * (int.from_bytes(block[-4:], "little") + 1)
    if end < 0:
        raise FormatError("a block is shorter than its own list of places")
    entries, key = Bytes(block[:end]), b""
    while entries:
        shared, fresh, length = entries.varint(), entries.varint(), entries.varint()
        if shared > len(key) or shared + fresh > _MAX_KEY:
            raise FormatError(f"a key is damaged or has more than {_MAX_KEY:,} bytes")
        key = key[:shared] + entries.take(fresh)
        yield key, entries.take(length)
