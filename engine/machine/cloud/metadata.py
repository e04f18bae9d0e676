"""Asks a cloud's metadata service: short timeouts, short replies, no proxies or redirects.

A reply that is not as documented raises `OddReplyError`; it never counts as a notice.
"""

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import urlsplit

from engine.errors import InputError
from engine.formatting import brief, printable
from engine.serialization import from_json

_TIMEOUT = 2.0
# The longest reply we ask for is a list of a few events.
_MAX_BYTES = 256 * 1024
_MAX_ERROR_LETTERS = 100
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
_TOKEN = re.compile(r"[!-~]{1,1024}")

_T = TypeVar("_T")


class MetadataError(Exception):
    """The metadata service did not answer, or with an error of its own."""


class OddReplyError(MetadataError):
    """The metadata service answered something that cannot be understood."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of status 200, 401 or 404; all others are errors.

    Each method returns what the reply consists of, and raises `OddReplyError` where it does not.
    """

    status: int
    text: str
    flavor: str = ""
    """The header `Metadata-Flavor`, by which Google's service is known."""

    def name(self, what: str) -> str:
        """A name, without the path before it; empty where there is none (404)."""
        if self.status == 404:
            return ""
        return self._matching(_NAME, self.text.rpartition("/")[2], what)

    def token(self) -> str:
        """A token that can be sent as a header."""
        return self._matching(_TOKEN, self.text, "a token")

    def json(self, kind: type[_T], what: str) -> _T:
        """A JSON object."""
        try:
            if self.status == 200:
                return from_json(self.text, kind, what)
        except InputError as error:
            raise OddReplyError(f"gives {error} ({brief(self.text)})") from error
        raise self._odd(what)

    def _matching(self, pattern: re.Pattern[str], text: str, what: str) -> str:
        if self.status != 200 or not pattern.fullmatch(text.strip()):
            raise self._odd(what)
        return text.strip()

    def _odd(self, what: str) -> OddReplyError:
        return OddReplyError(f"gives {what} as {brief(self.text)} (status {self.status})")


def parse_time(value: object, what: str) -> float:
    """A time in seconds since the epoch, from ISO 8601 or the form of HTTP's dates.

    Raises `OddReplyError` where it is neither.
    """
    if isinstance(value, str) and len(value) < 100:
        from email.utils import parsedate_to_datetime  # late: few clouds write such times

        for parse in (datetime.fromisoformat, parsedate_to_datetime):
            with contextlib.suppress(ValueError, TypeError, IndexError, OverflowError):
                moment = parse(value)
                return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    raise OddReplyError(f"gives {what} as {brief(value)}, which is not a time")


def require_base(base: str) -> str:
    """Return the base address of a metadata service without a slash at its end.

    Raises `InputError` where it is not `http://host` or `http://host:port`.
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
    """One metadata service, asked request by request."""

    def __init__(self, base: str, timeout: float = _TIMEOUT) -> None:
        """Take a base address, as `require_base` does; `timeout` in seconds."""
        parts = urlsplit(require_base(base))
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._timeout = timeout

    def ask(self, path: str, headers: dict[str, str], method: str = "GET") -> Reply:
        """Send one request and return its reply.

        Raises `MetadataError` without a reply in time, or for one that is no 200, 401 or 404, and
        `OddReplyError` for one that is too long, or not text.
        """
        # These bring in the mail and encryption libraries: too slow for a first screen.
        from http.client import HTTPConnection, HTTPException

        connection = HTTPConnection(self._host, self._port, timeout=self._timeout)
        try:
            connection.connect()
            with _cut_off(connection.sock, 2 * self._timeout) as late:
                connection.request(method, path, headers=headers)
                response = connection.getresponse()
                if response.status not in (200, 401, 404):
                    raise MetadataError(f"answers {response.status} to {path}")
                content = response.read(_MAX_BYTES + 1)
            if late.is_set():
                raise MetadataError(f"does not end its answer to {path}")
            if len(content) > _MAX_BYTES:
                raise OddReplyError(f"answers to {path} with more than {_MAX_BYTES:,} bytes")
            flavor = response.headers.get("Metadata-Flavor", "")
            return Reply(response.status, content.decode(), flavor)
        except UnicodeDecodeError as error:
            raise OddReplyError(f"answers to {path} with something that is not text") from error
        except (OSError, HTTPException, ValueError) as error:
            # The service may have written a part of it, or a page.
            text = " ".join(printable(str(error)).split())[:_MAX_ERROR_LETTERS]
            raise MetadataError(f"does not answer: {text or type(error).__name__}") from error
        finally:
            connection.close()


@contextlib.contextmanager
def _cut_off(exchange: socket.socket, seconds: float) -> Iterator[threading.Event]:
    """End an exchange that takes longer: each byte may come just in time, without end."""
    late = threading.Event()

    def cut() -> None:
        late.set()
        with contextlib.suppress(OSError):
            exchange.shutdown(socket.SHUT_RDWR)

    limit = threading.Timer(seconds, cut)
    limit.daemon = True
    limit.start()
    try:
        yield late
    finally:
        limit.cancel()
