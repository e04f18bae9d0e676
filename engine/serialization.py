"""Dataclasses to JSON, MessagePack and plain values, and back, by their type hints.

Reading is strict: a missing field or a value of another type is refused in one sentence that names
the place, such as `$.rows[3].step`, and nothing is made of the rest. Fields that are unknown are
ignored, so that a newer version may write more. JSON is for files that a person may read,
MessagePack for screens in other processes: it carries NaN, infinities and arrays as they are.
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec

from engine.errors import InputError
from engine.files import read_plain

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_log = logging.getLogger(__name__)

_T = TypeVar("_T")
_Encode = Callable[[Any], Any]
_Decode = Callable[[Any], Any]

MAX_NUMBER = 2**31 - 1
"""The largest number in a file that a person writes."""
Count = Annotated[int, msgspec.Meta(ge=1, le=MAX_NUMBER)]
"""A whole number above 0, in dataclasses that are read from files."""
Positive = Annotated[float, msgspec.Meta(gt=0, le=MAX_NUMBER)]
"""A number above 0."""
Amount = Annotated[float, msgspec.Meta(ge=0, le=MAX_NUMBER)]
"""A number that is 0 or more."""

MAX_ARRAY_VALUES = 1 << 20
"""The largest array that a screen or a file could have use for."""


class _Arrays(type):
    def __instancecheck__(cls, value: object) -> bool:
        import numpy as np

        return isinstance(value, np.ndarray)


if TYPE_CHECKING:
    Array = NDArray[np.float32]
else:

    class Array(metaclass=_Arrays):
        """An array in the fields of a dataclass: numpy takes longer to import than a screen."""


_codecs: dict[type, tuple[_Encode, _Decode]] = {}


def register(kind: type, encode: _Encode, decode: _Decode) -> None:
    """Have values of a type that is no dataclass written as plain values, and read from them.

    `decode` raises `ValueError` or `InputError` for what it cannot read.
    """
    _codecs[kind] = (encode, decode)


def to_json(value: object, *, indent: int | None = None) -> bytes:
    """Write a value as JSON, on one line or indented; NaN and infinities become null."""
    raw = msgspec.json.encode(value, enc_hook=_encode)
    return raw if indent is None else msgspec.json.format(raw, indent=indent)


def from_json(raw: bytes | str, kind: type[_T], where: object) -> _T:
    """Read a value of a type from JSON; `where` names the file or the sender.

    Raises:
        InputError: it is no JSON, or holds something else.
    """
    return _reading(lambda: msgspec.json.decode(raw, type=kind, dec_hook=_decode), where)


def whole_json_lines(raw: bytes, kind: type[_T]) -> list[_T]:
    """Read a value of a type from each line, at once: several times as fast as one by one.

    Blank lines are passed over. Where a line is damaged, nothing is read: the list is empty.
    """
    try:
        return msgspec.json.Decoder(kind, dec_hook=_decode).decode_lines(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return []


def from_json_lines(raw: bytes, kind: type[_T]) -> list[_T | None]:
    """Read a value of a type from each line that is not blank; None where a line is damaged."""
    lines = [line for line in raw.split(b"\n") if line.strip()]
    found: list[_T | None] = [*whole_json_lines(raw, kind)]
    if len(found) != len(lines):
        found = []
        for line in lines:
            try:
                found.append(from_json(line, kind, "line"))
            except InputError:
                found.append(None)
    return found


def read_json_lines(path: Path, kind: type[_T], max_bytes: int, remedy: str) -> list[_T]:
    """Read a file with a value on each line; none where there is no file.

    Damaged lines are passed over, with a warning in the log.

    Raises:
        InputError: it cannot be read, or is too large; `remedy` says what to do.
    """
    try:
        lines = from_json_lines(read_plain(path, max_bytes), kind)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; {remedy}.") from error
    found = [line for line in lines if line is not None]
    if len(found) < len(lines):
        _log.warning("%s: %d lines are damaged and not counted", path, len(lines) - len(found))
    return found


def to_msgpack(value: object) -> bytes:
    """Write a value as MessagePack."""
    return msgspec.msgpack.encode(value, enc_hook=_encode_msgpack)


def from_msgpack(raw: bytes, kind: type[_T], where: object) -> _T:
    """Read a value of a type from MessagePack; `where` names the sender.

    Raises:
        InputError: it is no MessagePack, or holds something else.
    """
    return _reading(lambda: msgspec.msgpack.decode(raw, type=kind, dec_hook=_decode), where)


def to_plain(value: object) -> Any:  # noqa: ANN401
    """Turn a value into dictionaries, lists, numbers and strings, as TOML and JSON know them."""
    return msgspec.to_builtins(value, enc_hook=_encode)


def from_plain(value: object, kind: type[_T], where: object) -> _T:
    """Read a value of a type from dictionaries, lists, numbers and strings.

    Raises:
        InputError: it holds something else.
    """
    return _reading(lambda: msgspec.convert(value, type=kind, dec_hook=_decode), where)


def _reading(read: Callable[[], _T], where: object) -> _T:
    try:
        return read()
    except msgspec.DecodeError as error:
        raise InputError(f"{where}: {_sentence(error)}") from None
    except (RecursionError, UnicodeDecodeError):
        raise InputError(f"{where} cannot be read: nested too deeply, or not UTF-8") from None


def _sentence(error: Exception) -> str:
    """msgspec says `Expected `int`, got `str` - at `$.rows``; the place comes first here."""
    message, _, place = str(error).replace("`", "").partition(" - at ")
    if message[1:2].islower():  # not an abbreviation, such as JSON
        message = message[:1].lower() + message[1:]
    return f"{place}: {message}" if place else message


def _encode_msgpack(value: Any) -> Any:  # noqa: ANN401
    # A path may be no UTF-8, which MessagePack has bytes for.
    return os.fsencode(value.absolute()) if isinstance(value, Path) else _encode(value)


def _encode(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, Path):
        # The reader may stand in another folder.
        return str(value.absolute())
    import numpy as np  # not before it is needed: it takes a while

    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        array = np.ascontiguousarray(value)
        return {"shape": array.shape, "dtype": array.dtype.str, "values": array.tobytes()}
    for kind, (encode, _) in _codecs.items():
        if isinstance(value, kind):
            return encode(value)
    raise NotImplementedError(f"values of {type(value)} cannot be written")


class _Array(msgspec.Struct):
    shape: tuple[int, ...]
    dtype: str
    values: bytes


def _decode(kind: Any, value: Any) -> Any:  # noqa: ANN401
    origin = getattr(kind, "__origin__", kind)
    if kind is Path:
        value = os.fsdecode(value) if isinstance(value, bytes) else value
        if not isinstance(value, str) or "\0" in value:
            raise ValueError("expected a path")
        return Path(value)
    if origin in _codecs:
        return _codecs[origin][1](value)
    import numpy as np

    if kind is Array or origin is np.ndarray:
        return _read_array(msgspec.convert(value, _Array))
    raise NotImplementedError(f"values of {kind} cannot be read")


def _read_array(said: _Array) -> "np.ndarray[Any, Any]":
    import numpy as np

    if said.dtype not in ("<f4", "<f2", "|u1") or len(said.shape) > 4:
        raise ValueError("expected an array of float32, float16 or bytes")
    if min(said.shape, default=0) < 0 or len(said.values) > 4 * MAX_ARRAY_VALUES:
        raise ValueError("the array is larger than any that is sent")
    # Raises ValueError where the bytes do not fill the shape; the result is read-only.
    return np.frombuffer(said.values, said.dtype).reshape(said.shape)
