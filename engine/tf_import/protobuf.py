"""Numbers and messages as protocol buffers and LevelDB write them into bytes.

The encoding is documented at protobuf.dev/programming-guides/encoding.
"""

from collections.abc import Iterator

_LONGEST_VARINT = 10
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class FormatError(Exception):
    """Bytes that are not in the format that they should be in; told on as an `InputError`."""


def varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Read an unsigned number, seven bits a byte and the lowest first.

    Returns:
        The number, below 2⁶⁴, and the place after it.

    Raises:
        FormatError: it does not end before `end`, or is too large.
    """
    value = 0
    for place in range(at, min(end, at + _LONGEST_VARINT)):
        value |= (data[place] & 0x7F) << (7 * (place - at))
        if data[place] < 0x80:
            if value >= 2**64:
                break
            return value, place + 1
    raise FormatError("a number in it has no end")


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Read a message: the number of each field, and its value as a number or as bytes.

    Raises:
        FormatError: it is no message.
    """
    at, end = 0, len(message)
    while at < end:
        tag, at = varint(message, at, end)
        number, kind = divmod(tag, 8)
        if kind == _VARINT:
            value, at = varint(message, at, end)
            yield number, value
            continue
        if kind == _BYTES:
            length, at = varint(message, at, end)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise FormatError(f"a field in it is of the unknown kind {kind}")
        if length > end - at:
            raise FormatError("a field in it is cut short")
        content = message[at : at + length]
        at += length
        yield number, content if kind == _BYTES else int.from_bytes(content, "little")
