"""A checkpoint of TensorFlow, version 2 of its format: a "tensor bundle".

`PREFIX.index` is a table from the name of each variable to its place and checksum, in the messages
of TensorFlow's tensor_bundle.proto; `PREFIX.data-00000-of-00001` and its like hold the bare
numbers. The encoding of messages is documented at protobuf.dev/programming-guides/encoding.
"""

import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.tf_import.table import Bytes, FormatError, masked_crc, read_table

INDEX = ".index"
"""How the name of a checkpoint's index ends, after its prefix."""

# TensorFlow's numbers (types.proto) for the types that checkpoints of DC-TTS may have.
_DTYPES: dict[int, np.dtype[Any]] = {
    1: np.dtype("<f4"),
    2: np.dtype("<f8"),
    3: np.dtype("<i4"),
    9: np.dtype("<i8"),
    19: np.dtype("<f2"),
}
# Strings, resources and variants: their checksum is not that of the bytes in the file.
_WITHOUT_CHECKSUM = {7, 20, 21}
_FORMAT_VERSION = 1
_MAX_SHARDS = 1_000
_MAX_DIMENSIONS = 16
_MAX_ELEMENTS = 2**40
# The BBC's largest network takes 341 MB with Adam's moments.
_MAX_BYTES = 2**32


class Message:
    """A protobuf message. Raises `FormatError` where it is none, or a field of another type."""

    def __init__(self, data: bytes) -> None:
        self._fields: defaultdict[int, list[int | bytes]] = defaultdict(list)
        rest = Bytes(data)
        while rest:
            field, kind = divmod(rest.varint(), 8)
            match kind:
                case 0:
                    self._fields[field].append(rest.varint())
                case 2:
                    self._fields[field].append(rest.take(rest.varint()))
                case 1 | 5:
                    number = rest.take(8 if kind == 1 else 4)
                    self._fields[field].append(int.from_bytes(number, "little"))
                case _:
                    raise FormatError(f"a field in it is of the unknown kind {kind}")

    def __contains__(self, field: int) -> bool:
        return field in self._fields

    def number(self, field: int) -> int:
        """The field as a number; 0 where it is not there."""
        value = self._fields[field][-1] if field in self else 0
        if not isinstance(value, int):
            raise FormatError("it has bytes where TensorFlow writes a number")
        return value

    def messages(self, field: int) -> "list[Message]":
        """All messages in the field."""
        values = self._fields[field] if field in self else []
        return [Message(value) for value in values if isinstance(value, bytes)]


@dataclass(frozen=True)
class Entry:
    """Where a variable lies."""

    dtype: np.dtype[Any] | None
    """None for a type that is not supported, or a variable stored in slices."""
    shape: tuple[int, ...]
    shard: int
    offset: int
    """Bytes before it in its file."""
    size: int
    """Bytes."""
    checksum: int | None
    """Of its bytes, masked; None where it cannot be verified."""


class Bundle:
    """The variables of a checkpoint: which there are, and their values."""

    def __init__(self, prefix: Path) -> None:
        """Read the index, and check that the data files are as large as it says.

        Raises:
            InputError: a file is missing, damaged, or of another kind.
        """
        self.prefix = prefix
        self.index = prefix.with_name(prefix.name + INDEX)
        table = read_table(self.index)
        try:
            shards = _shards(table.pop(b"", None))
            # The parts of variables that are stored in slices have keys of bare bytes.
            entries = [
                (key.decode(errors="backslashreplace"), _entry(value))
                for key, value in table.items()
            ]
            self.entries = dict(sorted(entries, key=lambda item: (item[1].shard, item[1].offset)))
            """All variables, in the order of their places."""
            ends = _ends(self.entries, shards)
        except FormatError as error:
            raise InputError(
                f"{self.index} is not the index of a checkpoint that can be read: {error}; "
                f"give one that TensorFlow's Saver wrote on an ordinary machine."
            ) from error
        self._shards = [
            prefix.with_name(f"{prefix.name}.data-{shard:05d}-of-{shards:05d}")
            for shard in range(shards)
        ]
        for path, end in zip(self._shards, ends, strict=True):
            self._check_size(path, end)

    @property
    def size(self) -> int:
        """Bytes of all variables."""
        return sum(entry.size for entry in self.entries.values())

    def read(self, name: str) -> NDArray[Any] | None:
        """Return the value of a variable and verify its checksum; None for an unsupported type.

        Raises:
            InputError: it is damaged.
            KeyError: there is none of that name.
        """
        entry = self.entries[name]
        path = self._shards[entry.shard]
        try:
            with path.open("rb") as file:
                file.seek(entry.offset)
                data = file.read(entry.size)
        except OSError as error:
            raise InputError(f"Cannot read {path}: {error.strerror}.") from error
        if len(data) < entry.size or entry.checksum not in (None, masked_crc(data)):
            raise InputError(
                f"{path} is damaged: the checksum of {name!r} is wrong; copy it again, together "
                f"with its index."
            )
        if entry.dtype is None:
            return None
        return np.frombuffer(data, entry.dtype).reshape(entry.shape)

    def _check_size(self, path: Path, needed: int) -> None:
        """Refuse a data file that is missing, too short or too large."""
        if not path.is_file():
            raise InputError(
                f"{self.index} has lost its data: there is no file {path.name} beside it; "
                f"copy both."
            )
        held = path.stat().st_size
        if held > _MAX_BYTES:
            raise InputError(f"{path} is too large (maximum {_MAX_BYTES:,} bytes).")
        if held < needed:
            raise InputError(
                f"{path} is cut short: its index promises {needed:,} bytes, the file holds "
                f"{held:,}; copy it again."
            )


def _shards(header: bytes | None) -> int:
    """The number of data files, from the message BundleHeaderProto."""
    if header is None:
        raise FormatError("it has no header (version 1 of TensorFlow's format has none)")
    message = Message(header)
    if message.number(2):
        raise FormatError("its numbers are big-endian")
    if any(version.number(2) > _FORMAT_VERSION for version in message.messages(3)):
        raise FormatError("it is written in a later format")
    if not 1 <= message.number(1) <= _MAX_SHARDS:
        raise FormatError(f"it names {message.number(1)} data files")
    return message.number(1)


def _entry(content: bytes) -> Entry:
    """Read the message BundleEntryProto."""
    message = Message(content)
    kind, size, sliced = message.number(1), message.number(5), 7 in message
    shape = next(map(_shape, message.messages(2)), ())
    dtype = None if sliced else _DTYPES.get(kind)
    if dtype is not None and math.prod(shape) * dtype.itemsize != size:
        raise FormatError(f"an entry of shape {shape} has {size:,} bytes")
    return Entry(
        dtype=dtype,
        shape=shape,
        shard=message.number(3),
        offset=message.number(4),
        size=size,
        checksum=None if sliced or kind in _WITHOUT_CHECKSUM else message.number(6),
    )


def _shape(message: Message) -> tuple[int, ...]:
    """Read the message TensorShapeProto."""
    sizes = tuple(dimension.number(1) for dimension in message.messages(2))
    if message.number(3):
        raise FormatError("a shape is unknown")
    if len(sizes) > _MAX_DIMENSIONS:
        raise FormatError(f"a shape has {len(sizes)} dimensions")
    if math.prod(size or 1 for size in sizes) > _MAX_ELEMENTS:
        raise FormatError("a shape is larger than any file")
    return sizes


def _ends(entries: dict[str, Entry], shards: int) -> list[int]:
    """Where the variables end in each data file, from entries in the order of their places.

    Variables that overlap are refused: no writer places them so, and reading them all would have
    no bound.
    """
    ends = [0] * shards
    for entry in entries.values():
        if entry.shard >= shards:
            raise FormatError(f"a variable lies in data file {entry.shard} of {shards}")
        if entry.offset < ends[entry.shard] and entry.size:
            raise FormatError("variables overlap")
        ends[entry.shard] = max(ends[entry.shard], entry.offset + entry.size)
    return ends
