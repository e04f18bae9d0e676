"""A checkpoint of TensorFlow, version 2 of its format: a "tensor bundle".

`PREFIX.index` is a table from the name of each variable to its place and checksum, in the messages
of TensorFlow's tensor_bundle.proto; `PREFIX.data-00000-of-00001` and its like hold the bare
numbers. The encoding of messages is documented at protobuf.dev/programming-guides/encoding.
"""

import math
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.tf_import.table import FormatError, masked_crc, read_table, varint

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
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


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
            self.entries = {
                key.decode(errors="backslashreplace"): _entry(value) for key, value in table.items()
            }
            _check_places(self.entries, shards)
        except FormatError as error:
            raise InputError(
                f"{self.index} is not the index of a checkpoint that can be read: {error}; "
                f"give one that TensorFlow's Saver wrote on an ordinary machine."
            ) from error
        self._shards = [
            prefix.with_name(f"{prefix.name}.data-{shard:05d}-of-{shards:05d}")
            for shard in range(shards)
        ]
        self._check_sizes()

    @property
    def size(self) -> int:
        """Bytes of all variables."""
        return sum(entry.size for entry in self.entries.values())

    def read(self, name: str) -> NDArray[Any]:
        """Return the value of a variable.

        Raises:
            InputError: it is damaged, or of a type that is not supported.
            KeyError: there is none of that name.
        """
        dtype = self.entries[name].dtype
        if dtype is None:
            raise InputError(f"{self.index} has {name!r} of a type that is not supported.")
        return np.frombuffer(self._read(name), dtype).reshape(self.entries[name].shape)

    def values(
        self, wanted: Container[str], on_bytes: Callable[[int], None] = lambda count: None
    ) -> Iterator[tuple[str, NDArray[Any]]]:
        """Yield the variables that are wanted, in the order in which they lie in the files.

        All others are read as well, for their checksums. `on_bytes` is called with the number of
        bytes read since its last call.

        Raises:
            InputError: a variable is damaged.
        """
        for name, entry in sorted(self.entries.items(), key=_place):
            data = self._read(name)
            on_bytes(entry.size)
            if name in wanted and entry.dtype is not None:
                yield name, np.frombuffer(data, entry.dtype).reshape(entry.shape)

    def _read(self, name: str) -> bytes:
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
        return data

    def _check_sizes(self) -> None:
        """Refuse data files that are missing, too short or too large."""
        for shard, path in enumerate(self._shards):
            own = [entry for entry in self.entries.values() if entry.shard == shard]
            needed = max((entry.offset + entry.size for entry in own), default=0)
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


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Read a protobuf message: the number of each field, and its value as a number or as bytes.

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


def _place(item: tuple[str, Entry]) -> tuple[int, int]:
    return item[1].shard, item[1].offset


def _shards(header: bytes | None) -> int:
    """The number of data files, from the message BundleHeaderProto."""
    if header is None:
        raise FormatError("it has no header (version 1 of TensorFlow's format has none)")
    values = dict(fields(header))
    if values.get(2, 0) != 0:
        raise FormatError("its numbers are big-endian")
    version = values.get(3, b"")
    oldest_reader = dict(fields(version)).get(2, 0) if isinstance(version, bytes) else None
    if not isinstance(oldest_reader, int) or oldest_reader > _FORMAT_VERSION:
        raise FormatError("it is written in a later format")
    shards = values.get(1, 0)
    if not isinstance(shards, int) or not 1 <= shards <= _MAX_SHARDS:
        raise FormatError(f"it names {shards!r} data files")
    return shards


def _entry(message: bytes) -> Entry:
    """Read the message BundleEntryProto."""
    numbers: dict[int, int] = {}
    shape: tuple[int, ...] = ()
    sliced = False
    for number, value in fields(message):
        if number == 2 and isinstance(value, bytes):
            shape = _shape(value)
        elif number == 7:
            sliced = True
        elif number in (1, 3, 4, 5, 6):
            if not isinstance(value, int):
                raise FormatError("an entry has bytes where TensorFlow writes a number")
            numbers[number] = value
    kind, size = numbers.get(1, 0), numbers.get(5, 0)
    dtype = None if sliced else _DTYPES.get(kind)
    if dtype is not None and math.prod(shape) * dtype.itemsize != size:
        raise FormatError(f"an entry of shape {shape} has {size:,} bytes")
    return Entry(
        dtype=dtype,
        shape=shape,
        shard=numbers.get(3, 0),
        offset=numbers.get(4, 0),
        size=size,
        checksum=None if sliced or kind in _WITHOUT_CHECKSUM else numbers.get(6, 0),
    )


def _shape(message: bytes) -> tuple[int, ...]:
    """Read the message TensorShapeProto."""
    sizes: list[int] = []
    for number, value in fields(message):
        if number == 2 and isinstance(value, bytes):
            size = dict(fields(value)).get(1, 0)
            if not isinstance(size, int):
                raise FormatError("a shape has a size that is no number")
            sizes.append(size)
        elif number == 3 and value:
            raise FormatError("a shape is unknown")
    if len(sizes) > _MAX_DIMENSIONS:
        raise FormatError(f"a shape has {len(sizes)} dimensions")
    if math.prod(size or 1 for size in sizes) > _MAX_ELEMENTS:
        raise FormatError("a shape is larger than any file")
    return tuple(sizes)


def _check_places(entries: dict[str, Entry], shards: int) -> None:
    """Refuse variables that overlap, as no writer places them: reading them all has no bound."""
    shard, end = 0, 0
    for _, entry in sorted(entries.items(), key=_place):
        if entry.shard >= shards:
            raise FormatError(f"a variable lies in data file {entry.shard} of {shards}")
        if entry.shard != shard:
            shard, end = entry.shard, 0
        if entry.offset < end and entry.size:
            raise FormatError("variables overlap")
        end = max(end, entry.offset + entry.size)
