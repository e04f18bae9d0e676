"""Arrays in JSON: shape and bytes, small enough to be sent to a screen.

What a screen draws of an attention are a few dozen shades, so finite numbers are rounded to 256
levels between their smallest and their largest. An attention is nearly empty, and compressed it
takes a tenth.
"""

import base64
import binascii
import math
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError

_MAX_VALUES = 1 << 20
_LEVELS = 255
_FARTHEST = 1e30
_FIELDS = {"shape", "low", "high", "levels"}


def encode_array(array: NDArray[np.floating[Any]]) -> dict[str, Any]:
    """Turn an array of any shape into plain values for JSON; what is not finite becomes 0.

    Raises:
        InputError: it has more values than a screen could show.
    """
    if array.size > _MAX_VALUES:
        raise InputError(f"an array of {array.size:,} values is too large for a screen")
    values = np.nan_to_num(np.asarray(array, np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    values = values.clip(-_FARTHEST, _FARTHEST)
    low = float(values.min()) if values.size else 0.0
    high = float(values.max()) if values.size else 0.0
    scale = _LEVELS / (high - low) if high - low > 1 / _FARTHEST else 0.0
    levels = np.rint((values - low) * scale).astype(np.uint8)
    packed = base64.b64encode(zlib.compress(levels.tobytes(), 1)).decode("ascii")
    return {"shape": list(array.shape), "low": low, "high": high, "levels": packed}


def decode_array(said: object) -> NDArray[np.float32]:
    """Read what `encode_array` wrote; the array is read-only.

    Raises:
        InputError: it is something else.
    """
    if not isinstance(said, dict) or set(said) != _FIELDS:
        raise InputError("an array has other fields than it should")
    shape = _shape(said["shape"])
    size = math.prod(shape)
    low, high = _finite(said["low"]), _finite(said["high"])
    levels = np.frombuffer(_unpack(said["levels"], size), np.uint8)
    values = (low + levels.astype(np.float64) * ((high - low) / _LEVELS)).astype(np.float32)
    values = values.reshape(shape)
    values.setflags(write=False)
    return values


def _shape(said: object) -> tuple[int, ...]:
    if not isinstance(said, list) or len(said) > 4:
        raise InputError("an array has no shape")
    if not all(type(length) is int and 0 <= length <= _MAX_VALUES for length in said):
        raise InputError("an array has a shape that cannot be")
    if math.prod(said) > _MAX_VALUES:
        raise InputError("an array is larger than any that is sent")
    return tuple(said)


def _finite(said: object) -> float:
    if not isinstance(said, int | float) or isinstance(said, bool) or not abs(said) <= _FARTHEST:
        raise InputError("an array has limits that are no numbers")
    return float(said)


def _unpack(said: object, size: int) -> bytes:
    """The bytes; never more memory is taken than the shape calls for."""
    if not isinstance(said, str):
        raise InputError("an array has no values")
    unpacking = zlib.decompressobj()
    try:
        levels = unpacking.decompress(base64.b64decode(said, validate=True), size + 1)
    except (zlib.error, binascii.Error, ValueError) as error:
        raise InputError(f"the values of an array cannot be read: {error}") from error
    if len(levels) != size or not unpacking.eof:
        raise InputError("an array has not as many values as its shape says")
    return levels
