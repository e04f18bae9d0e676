"""Which characters this terminal shows: all of Unicode, or ASCII alone."""

import os
from collections.abc import Mapping
from pathlib import Path

_UTF_8 = ("utf-8", "utf8")
_choice: list[bool] = []
"""What `--ascii` or `--no-ascii` said, if either was given."""


def choose(ascii_only: bool | None) -> bool | None:
    """Remember what the command line said about this, if anything, and return it."""
    _choice[:] = [] if ascii_only is None else [ascii_only]
    return ascii_only


def is_ascii() -> bool:
    """Whether nothing but ASCII may be printed on this terminal."""
    return _choice[0] if _choice else bool(why_ascii())


def why_ascii(environment: Mapping[str, str] | None = None) -> str:
    """Say why a terminal shows ASCII alone, as its environment tells; empty where it shows all."""
    given = _as_started() if environment is None else environment
    if given.get("TERM") == "linux":
        return "TERM is linux, a console whose font has few characters"
    names = ("LC_ALL", "LC_CTYPE", "LANG")
    name, locale = next(((n, given[n]) for n in names if given.get(n)), ("LANG", ""))
    # A Mac sends LC_CTYPE=UTF-8, without a language.
    encoding = locale.rpartition(".")[2].partition("@")[0]
    if encoding.lower() in _UTF_8:
        return ""
    return f"the locale is not UTF-8 ({name} is {locale or 'not set'})"


def _as_started() -> Mapping[str, str]:
    """Return the environment without what Python adds: in the C locale it sets LC_CTYPE."""
    try:
        entries = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:
        return os.environ
    if any(entry.startswith(b"LC_CTYPE=") for entry in entries):
        return os.environ
    return {name: value for name, value in os.environ.items() if name != "LC_CTYPE"}
