"""What changed from one snapshot to the next, as messages; and the next one from these.

Snapshots share what did not change, so most fields are told apart by being the same object. Of
a tuple that only grew (samples, plots, events) what was added is sent.
"""

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any, get_args, get_origin

from engine.attach.codec import decode, encode, hints_of
from engine.attach.messages import FieldChange, Part
from engine.errors import InputError
from engine.run.snapshot import Snapshot

# Items of a tuple of arrays that one line may hold: the largest plot takes some 50 kB.
_ITEMS_A_LINE = 50
_MAX_ITEMS = 1_000_000


def changes(before: Snapshot | None, after: Snapshot) -> Iterator[Part]:
    """Yield parts that turn one snapshot into the other; the last one is complete.

    Without a snapshot before, all of it is new.
    """
    small: dict[str, FieldChange] = {}
    for name, hint in hints_of(Snapshot).items():
        new = getattr(after, name)
        if before is not None:
            old = getattr(before, name)
            if new is old or (_is_plain(new) and _is_plain(old) and _same(new, old)):
                continue
        else:
            old = None
        if _is_series(hint):
            first, *rest = _series_changes(hint, old, new)
            small[name] = first
            for change in rest:
                yield Part({name: small.pop(name)}, complete=False)
                small[name] = change
        else:
            small[name] = FieldChange(encode(new, hint))
    yield Part(small, complete=True)


def apply(before: Snapshot | None, parts: list[Part]) -> Snapshot:
    """Return the snapshot that a complete series of parts describes.

    Raises:
        InputError: they do not fit, or a field is none of a snapshot's.
    """
    hints = hints_of(Snapshot)
    values: dict[str, Any] = {}
    for part in parts:
        for name, change in part.fields.items():
            if name not in hints:
                raise InputError(
                    f"a snapshot has no field {name[:40]!r} here: attach with the voicecoach "
                    f"that trains"
                )
            old = values.get(name, getattr(before, name) if before is not None else None)
            values[name] = _changed(name, hints[name], old, change)
    if before is not None:
        return replace(before, **values)
    required = {field.name for field in fields(Snapshot)}
    missing = required - set(values)
    if missing:
        raise InputError(
            f"a snapshot lacks its field {min(missing)}: attach with the voicecoach that trains"
        )
    return Snapshot(**values)


def _changed(name: str, hint: Any, old: Any, change: FieldChange) -> Any:  # noqa: ANN401
    try:
        new = decode(change.said, hint)
    except InputError as error:
        raise InputError(f"Snapshot.{name}: {error}") from None
    if change.kept_from is None:
        return new
    if not _is_series(hint) or not isinstance(old, tuple) or change.kept_from > len(old):
        raise InputError(f"Snapshot.{name} cannot be changed in this way")
    kept = old[change.kept_from :]
    if len(kept) + len(new) > _MAX_ITEMS:
        raise InputError(f"Snapshot.{name} has more items than a screen could show")
    return (*kept, *new)


def _is_series(hint: Any) -> bool:  # noqa: ANN401
    return get_origin(hint) is tuple and get_args(hint)[1:] == (Ellipsis,)


def _is_plain(value: object) -> bool:
    return isinstance(value, int | float | str | None)


def _same(new: object, old: object) -> bool:
    # A number that is none differs from itself, and yet nothing changed.
    return new == old or (new != new and old != old)


def _series_changes(hint: Any, old: Any, new: Any) -> Iterator[FieldChange]:  # noqa: ANN401
    """The items that were added, in helpings; or all of them, where nothing can be kept."""
    start = _start_of_kept(old, new) if isinstance(old, tuple) else None
    added = new if start is None else new[len(old) - start :]
    for place in range(0, max(1, len(added)), _ITEMS_A_LINE):
        helping = added[place : place + _ITEMS_A_LINE]
        if place:
            start = 0
        yield FieldChange(encode(helping, hint), start)


def _start_of_kept(old: tuple[Any, ...], new: tuple[Any, ...]) -> int | None:
    """Where in the tuple before the new one begins, if it is that one's end and more."""
    if not old or not new:
        return None
    for start, item in enumerate(old):
        if item is new[0]:
            kept = len(old) - start
            same = kept <= len(new) and all(
                a is b for a, b in zip(old[start:], new[:kept], strict=True)
            )
            return start if same else None
    return None
