"""How a mirror is named on the command line, and what must not stand in such a name."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from engine.errors import InputError
from engine.files import absolute_path
from engine.formatting import printable
from engine.mirror.layout import MARKER

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
# A slash that was forgotten; no folder is meant.
_HALF_SCHEME = re.compile(r"(s3a?|gs|gcs|az|abfss?|sftp|ssh|https?|ftp|file):(?!//)", re.IGNORECASE)
_PASSWORD = re.compile(r"://[^/@\s]*@")
_FOLDERS = ("file", "local")
_BUCKETS = ("s3", "s3a", "gs", "gcs")
# What Amazon S3 and Google Cloud Storage let a bucket be called, and a little more; and the long
# names of access points.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}|arn:[A-Za-z0-9:._/-]{1,300}")
HOW_TO_SAY_WHERE = "s3://bucket/alice, gs://bucket/alice, or a folder"


def checked_address(text: str) -> str:
    """Return the address of a mirror as it is kept: a folder's whole path, or a URL.

    Raises:
        InputError: it holds a secret, or is not one place.
    """
    text = text.strip()
    if not text or not text.isprintable():
        raise InputError(f"--mirror is {text!r}; give {HOW_TO_SAY_WHERE}.")
    if "::" in text.partition("arn:")[0] or _HALF_SCHEME.match(text):
        raise InputError(f"--mirror is {told(text)}; give one plain place: {HOW_TO_SAY_WHERE}.")
    match = _SCHEME.match(text)
    if match is None:
        return str(absolute_path(Path(text).expanduser()))
    kind, rest = match[1].lower(), text[match.end() :]
    if kind in _FOLDERS:
        return _folder(text, rest)
    _require_no_secret(text)
    _require_place(text, kind)
    return f"{kind}://{rest}".rstrip("/")


def _folder(text: str, rest: str) -> str:
    """The path in a `file://` URL, whose host is this one (RFC 8089)."""
    path = rest.removeprefix("localhost")
    if not path.startswith("/"):
        raise InputError(
            f"--mirror is {told(text)}; give a folder's whole path, as in file:///mnt/disk/alice, "
            f"or without the file://."
        )
    return str(absolute_path(Path(path)))


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


def _require_place(url: str, kind: str) -> None:
    """Refuse what names no bucket, or climbs out of one."""
    host, _, path = url.partition("://")[2].partition("/")
    if kind in _BUCKETS and not _BUCKET.fullmatch(host):
        # As a part of a URL, so that a key before an @ is left out of it, too.
        shown = told(f"://{host}").removeprefix("://")
        raise InputError(
            f"--mirror is {told(url)}: {shown!r} is no bucket name (3 to 63 letters, digits, - "
            f"and .); give {HOW_TO_SAY_WHERE}."
        )
    if not {".", ".."}.isdisjoint(path.split("/")):
        raise InputError(f"--mirror is {told(url)}; give it without . and .. in it.")


def is_mirror(text: str) -> bool:
    """Whether `--from` names a mirror and not a voice: a URL, or a folder marked as a mirror."""
    return _SCHEME.match(text) is not None or (Path(text) / MARKER).is_file()


def told(text: object, most: int = 200) -> str:
    """A text for the person, in one line: no password of a URL in it, nothing a terminal obeys."""
    line = " ".join(str(text).split())
    line = printable(line)
    line = _PASSWORD.sub("://…@", line)
    return line if len(line) <= most else line[: most - 1] + "…"
