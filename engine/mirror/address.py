"""The address of a mirror: what `--mirror` accepts, and how it is shown without secrets."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from engine.errors import InputError
from engine.files import absolute_path
from engine.formatting import printable

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
# A forgotten slash: no folder is meant.
_HALF_SCHEME = re.compile(r"(s3a?|gs|gcs|az|abfss?|sftp|ssh|https?|ftp|file):(?!//)", re.IGNORECASE)
_PASSWORD = re.compile(r"://[^/@\s]*@")
_FOLDERS = ("file", "local")
_BUCKETS = ("s3", "s3a", "gs", "gcs")
# What S3 and Google Cloud Storage allow, and a little more; and the long names of access points.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}|arn:[A-Za-z0-9:._/-]{1,300}")
MARKER = "mirror.json"
"""The file that makes a place a mirror."""
EXAMPLES = "s3://bucket/alice, gs://bucket/alice, or a folder"


def checked_address(text: str) -> str:
    """Return the address of a mirror as it is stored: a folder's absolute path, or a URL.

    Raises:
        InputError: it holds a secret, or does not name one place.
    """
    text = text.strip()
    if not text or not text.isprintable():
        raise InputError(f"--mirror is {text!r}; give {EXAMPLES}.")
    if "::" in text.partition("arn:")[0] or _HALF_SCHEME.match(text):
        raise _unusable(text, f"give one plain address: {EXAMPLES}")
    match = _SCHEME.match(text)
    if match is None:
        return str(absolute_path(Path(text).expanduser()))
    kind, rest = match[1].lower(), text[match.end() :]
    if kind in _FOLDERS:
        path = rest.removeprefix("localhost")  # the host of a file:// URL is this one (RFC 8089)
        if not path.startswith("/"):
            example = "file:///mnt/disk/alice, or without the file://"
            raise _unusable(text, f"give a folder's absolute path, as in {example}")
        return str(absolute_path(Path(path)))
    _require_bucket(text, kind)
    return f"{kind}://{rest}".rstrip("/")


def _unusable(text: str, advice: str = f"give {EXAMPLES}") -> InputError:
    return InputError(f"--mirror is {without_secrets(text)}; {advice}.")


def _require_bucket(url: str, kind: str) -> None:
    """Refuse what holds a secret, names no bucket, or climbs out of one."""
    try:
        parts = urlsplit(url)
        secret = parts.password is not None
    except ValueError:
        raise _unusable(url) from None
    if secret:
        raise InputError(
            f"--mirror {without_secrets(url)} contains a password, which would be written into "
            f"voice.toml; put it where the cloud's own tools look, such as ~/.aws/credentials."
        )
    if parts.query or parts.fragment or not parts.netloc:
        raise _unusable(url)
    if kind in _BUCKETS and not _BUCKET.fullmatch(parts.netloc):
        # As a part of a URL, so that a key before an @ is left out, too.
        shown = without_secrets(f"://{parts.netloc}").removeprefix("://")
        raise InputError(
            f"--mirror is {without_secrets(url)}: {shown!r} is not a bucket name (3 to 63 letters, "
            f"digits, - and .); give {EXAMPLES}."
        )
    if not {".", ".."}.isdisjoint(parts.path.split("/")):
        raise _unusable(url, "give it without . and .. in it")


def is_mirror(text: str) -> bool:
    """Whether `--from` names a mirror and not a voice: a URL, or a folder marked as a mirror."""
    return _SCHEME.match(text) is not None or (Path(text) / MARKER).is_file()


def without_secrets(text: object, max_length: int = 200) -> str:
    """A text for the person, on one line: without a URL's password or control characters."""
    line = _PASSWORD.sub("://…@", printable(" ".join(str(text).split())))
    return line if len(line) <= max_length else line[: max_length - 1] + "…"
