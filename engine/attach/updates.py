"""What changed from one snapshot to the next, as a message; and the next one from that.

Snapshots share what did not change, so that a field has changed where it is another object. Of a
tuple that grows at its end (samples, plots, events) only what was added is sent.
"""

from dataclasses import replace
from typing import Any, get_args, get_type_hints

import msgspec

from engine.attach.messages import Growth, Update
from engine.errors import InputError
from engine.run.curves import AttentionPlot
from engine.run.snapshot import Snapshot
from engine.serialization import from_msgpack, to_msgpack

_HINTS = {name: hint for name, hint in get_type_hints(Snapshot).items() if name != "other"}
_GROWING = {name for name, hint in _HINTS.items() if get_args(hint)[1:] == (Ellipsis,)}


def update_between(before: Snapshot | None, after: Snapshot) -> Update:
    """The update that turns one snapshot into the other; without one before, all of it is new."""
    update = Update({}, {})
    for name in _HINTS:
        new, old = getattr(after, name), getattr(before, name, None)
        if before is not None and new is old:
            continue
        if name in _GROWING:
            dropped = _dropped(old or (), new)
            kept = len(old or ()) - dropped
            update.growths[name] = Growth(dropped, _encode(new[kept:]))
        else:
            update.values[name] = _encode(new)
    known = None if before is None else before.other
    if after.other is not None and after.other is not known:
        update.other = update_between(known, after.other)
    return update


def apply(before: Snapshot | None, update: Update) -> Snapshot:
    """The snapshot that an update makes of the one before.

    Raises:
        InputError: it does not fit, as the run is of another version.
    """
    try:
        values = {name: _decode(raw, name) for name, raw in update.values.items()}
        for name, growth in update.growths.items():
            kept = () if before is None else getattr(before, name)[growth.dropped :]
            values[name] = (*kept, *_decode(growth.added, name))
        if update.other is not None:
            values["other"] = apply(None if before is None else before.other, update.other)
        return Snapshot(**values) if before is None else replace(before, **values)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(
            f"the run's snapshot does not fit ({error}): attach with the voicecoach that trains"
        ) from None


def _dropped(old: tuple[Any, ...], new: tuple[Any, ...]) -> int:
    """How many items at the beginning of the old tuple the new one has lost."""
    for start in range(len(old)):
        kept = old[start:]
        if len(kept) <= len(new) and all(a is b for a, b in zip(kept, new, strict=False)):
            return start
    return len(old)


def _encode(value: Any) -> msgspec.Raw:  # noqa: ANN401 (any field of a snapshot)
    if isinstance(value, tuple) and value and isinstance(value[0], AttentionPlot):
        from engine.voice.attention_plots import shades  # late, as numpy is

        value = [replace(plot, weights=shades(plot.weights)) for plot in value]
    return msgspec.Raw(to_msgpack(value))


def _decode(raw: msgspec.Raw, name: str) -> Any:  # noqa: ANN401 (any field of a snapshot)
    value: Any = from_msgpack(bytes(raw), _HINTS[name], f"the snapshot's {name}")
    if name == "attention" and value:
        from engine.voice.attention_plots import weights_of

        return tuple(replace(plot, weights=weights_of(plot.weights)) for plot in value)
    return value
