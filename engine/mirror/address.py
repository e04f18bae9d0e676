"""How a mirror is named on the command line, and what must not stand in such a name."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from engine.errors import InputError
from engine.mirror.layout import MARKER

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://")
_PASSWORD = re.compile(r"://[^/@\s]*@")
HOW_TO_SAY_WHERE = "s3://bucket/alice, gs://bucket/alice, or a folder"


def checked_address(text: str) -> str:
    """Return the address of a mirror as it is kept: a folder's whole path, or a URL.

    Raises:
        InputError: it holds a secret, or is not one place.
    """
    text = text.strip()
    if not text or not text.isprintable():
        raise InputError(f"--mirror is {text!r}; give {HOW_TO_SAY_WHERE}.")
    if "::" in text:
        raise InputError(f"--mirror is {told(text)}; give one plain place: {HOW_TO_SAY_WHERE}.")
    match = _SCHEME.match(text)
    if match is None:
        return str(Path(text).expanduser().absolute())
    if match[1] in ("file", "local"):
        return str(Path(text[match.end() :]).absolute())
    _require_no_secret(text)
    return text.rstrip("/")


def _require_no_secret(url: str) -> None:
    try:
        parts = urlsplit(url)
        secret = parts.password is not None
    except ValueError:
        raise InputError(f"--mirror is {told(url)}; give {HOW_TO_SAY_WHERE}.") from None
    if secret:
        raise InputError(
            f"--mirror {told(url)} has a password in it, which would be written into voice.toml; "
            f"leave it out and put it where the cloud's own tools look, such as ~/.aws/credentials."
        )
    if parts.query or parts.fragment or not parts.netloc:
        raise InputError(f"--mirror is {told(url)}; give {HOW_TO_SAY_WHERE}.")


def is_mirror(text: str) -> bool:
    """Whether `--from` names a mirror and not a voice: a URL, or a folder marked as a mirror."""
    return _SCHEME.match(text) is not None or (Path(text) / MARKER).is_file()


def told(text: object, most: int = 200) -> str:
    """A text for the person, in one line: no password of a URL in it, nothing a terminal obeys."""
    line = " ".join(str(text).split())
    line = "".join(letter if letter.isprintable() else "·" for letter in line)
    line = _PASSWORD.sub("://…@", line)
    return line if len(line) <= most else line[: most - 1] + "…"
