"""Words for people: counts, sizes, durations, times, and text that is safe to show."""

import shlex
from datetime import UTC, datetime
from itertools import chain

JOINERS = "\u200c\u200d"
"""Characters without a shape of their own that join or part letters, as in Persian and Hindi."""
_MAX_BRIEF = 60
_LEAST_DOLLARS = 0.0001


def plural(number: int, one: str, many: str = "") -> str:
    """Write a count with its noun: `1 clip`, `1,204 clips`, `2 steps were`.

    `many` is the plural where it is not `one` with an s.
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def printable(text: str, max_length: int | None = None) -> str:
    """Make text from data safe to show in one line: nothing in it that a terminal would obey.

    Joiners, which only shape letters of some scripts, are left out.

    Text longer than `max_length` is cut, and ends in an ellipsis.
    """
    if max_length is not None and len(text) > max_length:
        return printable(text[:max_length]) + "…"
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}"
        for letter in text
        if letter not in JOINERS
    )


def sentence(clause: str) -> str:
    """Make a clause from data a sentence: safe to show, with a capital and a full stop."""
    text = printable(clause).strip()
    return text and text[0].upper() + text[1:].rstrip(".") + "."


def brief(value: object) -> str:
    """Show a value in an error message: as Python writes it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= _MAX_BRIEF else text[: _MAX_BRIEF - 1] + "…"


def dollars(amount: float) -> str:
    """Write an amount of money: `$0.65`, and below a cent `$0.004`, down to `<$0.0001`."""
    if 0 < amount < _LEAST_DOLLARS:
        return f"<${_LEAST_DOLLARS}"
    if 0 < amount < 0.0095:
        places = 3 if amount >= 0.00095 else 4
        return f"${amount:.{places}f}"
    return f"${amount:,.2f}"


def format_bytes(count: int) -> str:
    """Write a size with its unit: `1.62 GB`, `38.1 MB`, `12 kB`."""
    for unit, size in (("GB", 10**9), ("MB", 10**6)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{max(1, -(-count // 1000))} kB"


def duration(seconds: float) -> str:
    """Write a length of time in its two largest units: `45s`, `2m16s`, `1h05m`, `3d04h`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    minutes = whole // 60
    if minutes < 48 * 60:
        return f"{minutes // 60}h{minutes % 60:02d}m"
    return f"{minutes // 1440}d{minutes % 1440 // 60:02d}h"


def whole_minutes(seconds: float) -> str:
    """Write a length of time without its seconds: `45s`, and from a minute on `2m`, `1h05m`."""
    whole = int(seconds)
    return duration(whole if whole < 60 else whole - whole % 60).removesuffix("00s")


def timestamp() -> str:
    """The time in UTC, ISO 8601 to the second, as files have it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def shell_command(*words: object, **options: object) -> str:
    """A command for a shell: words, then the options that have a value, quoted where needed."""
    given = [(f"--{name}", value) for name, value in options.items() if value is not None]
    return shlex.join(map(str, [*words, *chain(*given)]))
