"""Asks a cloud's metadata service: short waits, short answers, no detours."""

import contextlib
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from engine.errors import InputError
from engine.formatting import printable

if TYPE_CHECKING:
    from http.client import HTTPConnection

METADATA_VARIABLE = "VOICECOACH_METADATA_URL"
"""The environment's base address where no `--metadata-url` is given."""

# Seconds until a service on the machine's own host must have answered.
_PATIENCE = 2.0
# Bytes; the longest answer we ask for is a list of a few events.
_MAX_BYTES = 256 * 1024
_CHUNK = 16 * 1024
# Letters of an error.
_MAX_SAID = 100


class MetadataError(Exception):
    """The metadata service did not answer, or with an error of its own."""


class OddReplyError(MetadataError):
    """The metadata service answered with something that cannot be understood."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of 200, 401 or 404; all others are errors."""

    status: int
    text: str
    flavor: str
    """The header `Metadata-Flavor`, by which Google's service is known."""


def require_base(base: str) -> str:
    """Return the base address of a metadata service without a slash at its end.

    Raises:
        InputError: it is not `http://host` or `http://host:port`.
    """
    try:
        parts = urlsplit(base)
        whole = parts.scheme == "http" and bool(parts.hostname) and parts.path in ("", "/")
        if not whole or parts.query or parts.fragment or parts.username or (parts.port == 0):
            raise ValueError
    except ValueError as error:
        raise InputError(
            f"--metadata-url is {base!r}; give the address of a metadata service, such as "
            f"http://127.0.0.1:8080."
        ) from error
    return base.rstrip("/")


class MetadataService:
    """One metadata service; no proxy is used and no redirection followed."""

    def __init__(self, base: str, patience: float = _PATIENCE) -> None:
        """Take a base address such as `http://169.254.169.254`; `patience` in seconds.

        Raises:
            InputError: the address is none.
        """
        self.base = require_base(base)
        parts = urlsplit(self.base)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._patience = patience

    def ask(self, path: str, headers: dict[str, str], method: str = "GET") -> Reply:
        """Send one request and return its answer.

        Raises:
            MetadataError: no answer in time, or one that is no 200, 401 or 404.
            OddReplyError: an answer that is too long, or not text.
        """
        # These bring in the mail and encryption libraries: nothing for a first screen.
        from http.client import HTTPConnection, HTTPException

        connection = HTTPConnection(self._host, self._port, timeout=self._patience)
        # Each byte of an answer's head may come just in time, without end.
        limit = threading.Timer(2 * self._patience, _cut_off, [connection])
        limit.daemon = True
        limit.start()
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            if answer.status not in (200, 401, 404):
                raise MetadataError(f"answers {answer.status} to {path}")
            content = self._content(answer.read1, path)
            flavor = answer.headers.get("Metadata-Flavor", "")
            return Reply(answer.status, content.decode("utf-8"), flavor)
        except UnicodeDecodeError as error:
            raise OddReplyError(f"answers to {path} with what is no text") from error
        except (OSError, HTTPException, ValueError) as error:
            raise MetadataError(f"does not answer: {_said(error)}") from error
        finally:
            limit.cancel()
            connection.close()

    def _content(self, read: object, path: str) -> bytes:
        """Read an answer to its end, however slowly it drips, for so long and no longer."""
        assert callable(read)
        until = time.monotonic() + self._patience
        content = b""
        while chunk := read(_CHUNK):
            content += chunk
            if len(content) > _MAX_BYTES:
                raise OddReplyError(f"answers to {path} with more than {_MAX_BYTES:,} bytes")
            if time.monotonic() > until:
                raise MetadataError(f"does not end its answer to {path}")
        return content


def _cut_off(connection: "HTTPConnection") -> None:
    """End an exchange that another thread waits for."""
    if connection.sock is not None:
        with contextlib.suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)


def _said(error: Exception) -> str:
    """What went wrong, of which the service itself may have said a part, or a page."""
    return printable(" ".join(str(error).split()))[:_MAX_SAID] or type(error).__name__
