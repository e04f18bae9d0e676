"""Values to JSON and back, by the type hints of their dataclasses.

Any dataclass of numbers, texts, paths, enumerations, tuples, dictionaries, arrays and other
dataclasses can be sent as it is: what is added to `Snapshot` or to `Command` needs nothing here.
Reading is strict: an unknown field, a missing one or a value of another type is refused in one
sentence, and nothing is made of the rest.
"""

import dataclasses
import json
import math
import types
from collections.abc import Callable
from enum import Enum
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import numpy as np

from engine.attach.arrays import decode_array, encode_array
from engine.errors import InputError
from engine.run.stop import StopRule, parse_stop

_Write = Callable[[Any], Any]
_Read = Callable[[Any], Any]

# Beyond it no counter goes, and arithmetic on it stays cheap.
_LARGEST = 1 << 62
_LONGEST_TEXT = 100_000
_LONGEST_STOP = 200
_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def encode(value: object, hint: Any) -> Any:  # noqa: ANN401 (any type hint, plain values)
    """Turn a value of the hinted type into plain values for JSON."""
    return _writer(hint)(value)


def decode(said: object, hint: Any) -> Any:  # noqa: ANN401 (any type hint, a value of it)
    """Read what `encode` made of a value of the hinted type.

    Raises:
        InputError: it is something else.
    """
    return _reader(hint)(said)


def dump(said: object) -> bytes:
    """Write plain values as one line of JSON, the end of the line included."""
    return json.dumps(said, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"


def load(line: bytes) -> dict[str, Any]:
    """Read one line that holds a JSON object.

    Raises:
        InputError: it is none, or one that no `dump` wrote: nested without end, a name twice.
    """
    try:
        said = json.loads(line, object_pairs_hook=_object, parse_constant=_no_constant)
    except RecursionError:
        raise InputError("a message is nested too deeply") from None
    except ValueError as error:
        raise InputError(f"a message is no JSON: {str(error)[:80]}") from None
    if not isinstance(said, dict):
        raise InputError("a message is no JSON object")
    return said


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise InputError("a message says something twice")
    return made


def _no_constant(name: str) -> None:
    raise InputError(f"a message has the number {name}, which JSON does not know")


@cache
def hints_of(cls: type) -> dict[str, Any]:
    """The types of a dataclass's fields, resolved, in their order."""
    hints = get_type_hints(cls)
    if issubclass(cls, msgspec.Struct):
        return {name: hints[name] for name in cls.__struct_fields__}
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}  # type: ignore[arg-type]


def _dataclasses_in(hint: Any) -> dict[str, type]:  # noqa: ANN401
    """The dataclasses among the alternatives of a union, by name."""
    return {part.__name__: part for part in get_args(hint) if _is_dataclass(part)}


def _is_dataclass(hint: Any) -> bool:  # noqa: ANN401
    return isinstance(hint, type) and (
        dataclasses.is_dataclass(hint) or issubclass(hint, msgspec.Struct)
    )


def _is_union(hint: Any) -> bool:  # noqa: ANN401
    return get_origin(hint) in (Union, types.UnionType)


# Writing.


@cache
def _writer(hint: Any) -> _Write:  # noqa: ANN401
    origin = get_origin(hint)
    if hint is StopRule:
        return lambda rule: rule.text
    if hint is float:
        return _write_float
    if origin is np.ndarray:
        return encode_array
    if hint is Path:
        # The other side may stand in another folder.
        return lambda path: str(path.absolute())
    if _is_union(hint):
        return partial(_write_alternative, hint)
    if origin in (tuple, list):
        return _series_writer(hint)
    if origin is dict:
        return partial(_write_dict, get_args(hint)[1])
    if _is_dataclass(hint):
        return partial(_write_dataclass, hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return lambda member: member.name
    if hint in (int, bool):
        return hint  # type: ignore[no-any-return]  # numpy's own are none that JSON knows
    if hint in (str, types.NoneType) or origin is Literal:
        return lambda value: value
    raise TypeError(f"values of {hint} cannot be sent to a screen")


def _write_float(value: float) -> float | str:
    return float(value) if math.isfinite(value) else str(float(value))


def _series_writer(hint: Any) -> _Write:  # noqa: ANN401
    items = get_args(hint)
    if get_origin(hint) is list or items[1:] == (Ellipsis,):
        write = _writer(items[0])
        return lambda values: [write(value) for value in values]
    writers = [_writer(item) for item in items]
    return lambda values: [write(value) for write, value in zip(writers, values, strict=True)]


def _write_dict(hint: Any, values: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401
    write = _writer(hint)
    return {name: write(value) for name, value in values.items()}


def _write_dataclass(cls: type, value: object) -> dict[str, Any]:
    return {name: _writer(hint)(getattr(value, name)) for name, hint in hints_of(cls).items()}


def _write_alternative(hint: Any, value: object) -> Any:  # noqa: ANN401
    if value is None:
        return None
    tagged = _dataclasses_in(hint)
    if type(value).__name__ in tagged:
        cls: Any = type(value)
        said = _writer(cls)(value)
        return {"kind": type(value).__name__, **said} if len(tagged) > 1 else said
    for part in get_args(hint):
        if type(value) is part or get_origin(part) is type(value):
            return _writer(part)(value)
    others = [part for part in get_args(hint) if part is not types.NoneType]
    return _writer(others[0])(value)


# Reading.


@cache
def _reader(hint: Any) -> _Read:  # noqa: ANN401
    origin = get_origin(hint)
    if hint is StopRule:
        return _read_stop
    if origin is np.ndarray:
        return decode_array
    if _is_union(hint):
        return partial(_read_alternative, hint)
    if origin in (tuple, list):
        return _series_reader(hint)
    if origin is dict:
        return partial(_read_dict, get_args(hint)[1])
    if origin is Literal:
        return partial(_read_choice, get_args(hint))
    if _is_dataclass(hint):
        return partial(_read_dataclass, hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return partial(_read_member, hint)
    if hint in _PLAIN:
        return _PLAIN[hint]
    raise TypeError(f"values of {hint} cannot be read from a message")


def _read_int(said: object) -> int:
    if type(said) is not int or abs(said) > _LARGEST:
        raise InputError(f"{_shown(said)} is no whole number that a run has")
    return said


def _read_float(said: object) -> float:
    if isinstance(said, str) and said in _NOT_FINITE:
        return _NOT_FINITE[said]
    if type(said) is float:
        return said
    return float(_read_int(said))


def _read_text(said: object) -> str:
    if not isinstance(said, str) or len(said) > _LONGEST_TEXT:
        raise InputError(f"{_shown(said)} is no text, or a very long one")
    return said


def _read_bool(said: object) -> bool:
    if type(said) is not bool:
        raise InputError(f"{_shown(said)} is neither true nor false")
    return said


def _read_none(said: object) -> None:
    if said is not None:
        raise InputError(f"{_shown(said)} is not null")


def _read_path(said: object) -> Path:
    text = _read_text(said)
    if "\0" in text:
        raise InputError("a path has a character that no path has")
    path = Path(text)
    if not path.is_absolute():
        raise InputError(f"{_shown(said)} is no path from the root on")
    return path


_PLAIN: dict[Any, _Read] = {
    int: _read_int,
    float: _read_float,
    str: _read_text,
    bool: _read_bool,
    types.NoneType: _read_none,
    Path: _read_path,
}


def _read_stop(said: object) -> StopRule:
    """A stop travels as it was written, and comes in by the same door as a person's."""
    text = _read_text(said)
    if len(text) > _LONGEST_STOP:
        raise InputError("a stop is longer than any that can be meant")
    return parse_stop(text)


def _read_choice(choices: tuple[Any, ...], said: object) -> Any:  # noqa: ANN401
    for choice in choices:
        if type(said) is type(choice) and said == choice:
            return choice
    raise InputError(f"{_shown(said)} is none of {', '.join(map(str, choices))}")


def _read_member(cls: type[Enum], said: object) -> Enum:
    if not isinstance(said, str) or said not in cls.__members__:
        raise InputError(f"{_shown(said)} is no {cls.__name__}")
    return cls[said]


def _series_reader(hint: Any) -> _Read:  # noqa: ANN401
    kind, items = get_origin(hint), get_args(hint)
    if kind is list or items[1:] == (Ellipsis,):
        return partial(_read_series, kind, _reader(items[0]))
    return partial(_read_fixed, [_reader(item) for item in items])


def _read_series(kind: Any, read: _Read, said: object) -> Any:  # noqa: ANN401
    return kind(read(item) for item in _list(said))


def _read_fixed(readers: list[_Read], said: object) -> tuple[Any, ...]:
    values = _list(said)
    if len(values) != len(readers):
        raise InputError(f"{len(values)} values where {len(readers)} are due")
    return tuple(read(value) for read, value in zip(readers, values, strict=True))


def _list(said: object) -> list[Any]:
    if not isinstance(said, list):
        raise InputError(f"{_shown(said)} is no list")
    return said


def _read_dict(hint: Any, said: object) -> dict[str, Any]:  # noqa: ANN401
    if not isinstance(said, dict):
        raise InputError(f"{_shown(said)} is no object")
    read = _reader(hint)
    return {name: read(value) for name, value in said.items()}


def _read_dataclass(cls: Any, said: object) -> Any:  # noqa: ANN401
    if not isinstance(said, dict):
        raise InputError(f"{_shown(said)} is no {cls.__name__}")
    hints = hints_of(cls)
    unknown = [name for name in said if name not in hints]
    if unknown:
        raise InputError(f"a {cls.__name__} has no field {_shown(unknown[0])}")
    missing = [name for name in hints if name not in said]
    if missing:
        raise InputError(f"a {cls.__name__} lacks its field {missing[0]}")
    values = {}
    for name, hint in hints.items():
        try:
            values[name] = _reader(hint)(said[name])
        except InputError as error:
            raise InputError(f"{cls.__name__}.{name}: {error}") from None
    try:
        return cls(**values)
    except ValueError as error:
        raise InputError(f"{cls.__name__}: {error}") from None


def _read_alternative(hint: Any, said: object) -> Any:  # noqa: ANN401
    parts = get_args(hint)
    if said is None and types.NoneType in parts:
        return None
    tagged = _dataclasses_in(hint)
    if isinstance(said, dict) and len(tagged) > 1:
        kind = said.get("kind")
        if not isinstance(kind, str) or kind not in tagged:
            raise InputError(f"{_shown(kind)} is unknown here")
        rest = {name: value for name, value in said.items() if name != "kind"}
        return _read_dataclass(tagged[kind], rest)
    others = [part for part in parts if part is not types.NoneType]
    for part in others[:-1]:
        try:
            return _reader(part)(said)
        except InputError:
            continue  # the next alternative may be the one; the last one tells
    return _reader(others[-1])(said)


def _shown(said: object) -> str:
    text = repr(said) if isinstance(said, str | int | float | None) else type(said).__name__
    return text if len(text) <= 40 else text[:39] + "…"
