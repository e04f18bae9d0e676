"""Sends notices to where the person is: ntfy, mail, a chat, a webhook; whatever apprise reaches.

An address holds a password or a token: it is shown nowhere, and what a library says of it neither.
"""

import logging
import re
import socket
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from engine.choices import NETWORK_TITLES
from engine.errors import InputError
from engine.formatting import dollars, printable
from engine.machine.background import BackgroundThread
from engine.run.evaluation import Notice, NoticeKind

if TYPE_CHECKING:
    # With numpy, for which the command line does not wait.
    from engine.run.publisher import Publisher
    from engine.run.snapshot import Snapshot

# Notices that wait for a service that does not take them; beyond them the oldest go.
_MAX_WAITING = 20
# Seconds after which a failed try is repeated; after the last one the notices are dropped.
_RETRY_SECONDS = (10.0, 60.0, 300.0)
# Seconds that the end of a run waits for the last notices.
_END_SECONDS = 5.0
_LOOK_SECONDS = 0.1
# Of a line; mail and chats take several.
_MAX_CHARACTERS = 1_000
_NO_TAGS = str.maketrans("<>", "‹›")
# Without a request, the thread has nothing to do.
_IDLE_SECONDS = 86_400.0

_TYPES: dict[NoticeKind, str] = {
    "stop": "success",
    "verdict": "info",
    "budget": "warning",
    "diverged": "warning",
    "spot": "warning",
    "hangs": "failure",
    "disk": "failure",
    "failed": "failure",
}
"""What apprise calls each kind; services choose a colour or a priority by it."""

_TIMED_OUT = "it did not answer in time"
_REASONS = (
    (re.compile(r"timed out", re.IGNORECASE), _TIMED_OUT),
    (re.compile(r"Connection refused"), "it refuses the connection"),
    (re.compile(r"resol(?:ve|ution)|Name or service|nodename"), "its host is unknown"),
    (re.compile(r"CERTIFICATE_VERIFY_FAILED|SSLError"), "its certificate is not trusted"),
    (re.compile(r"connection", re.IGNORECASE), "it cannot be reached"),
)
"""What apprise writes of a failure, and why that is, in our words: its own may name a token."""
_HTTP_ERROR = re.compile(r"error\s?=\s?([1-5][0-9]{2})\b")


class _Heard(logging.Handler):
    """Takes all that apprise logs, and keeps what it says of a failure, by thread."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._texts: dict[int | None, str] = {}

    def emit(self, record: logging.LogRecord) -> None:
        kept = self._texts.get(record.thread, "")
        self._texts[record.thread] = f"{kept}\n{record.getMessage()}"[-20_000:]

    def take(self) -> str:
        return self._texts.pop(threading.get_ident(), "")


_heard = _Heard()


def _apprise() -> Any:  # noqa: ANN401 (a module without types)
    """The library, whose log reaches neither the screen nor a file: it names what is secret."""
    log = logging.getLogger("apprise")
    log.propagate = False
    log.setLevel(logging.DEBUG)
    if _heard not in log.handlers:
        log.addHandler(_heard)
    try:
        import apprise
    except ImportError as error:
        raise InputError(
            "--notify needs a library that is not installed: pip install 'voicecoach[notify]'."
        ) from error
    return apprise


def parse_addresses(texts: Iterable[str]) -> tuple[str, ...]:
    """Check what `--notify` was given.

    Raises:
        InputError: an address is none that apprise knows, or apprise is not installed; without the
            address, which may hold a secret.
    """
    addresses = tuple(text.strip() for text in texts)
    for number, address in enumerate(addresses, 1):
        _open_service(number, address)
    return addresses


def _open_service(number: int, address: str) -> Any:  # noqa: ANN401 (a service of apprise)
    apprise = _apprise()
    asset = apprise.AppriseAsset(
        app_id="voicecoach",
        app_desc="voicecoach",
        app_url="",
        storage_mode=apprise.PersistentStoreMode.MEMORY,
        interpret_emojis=False,
    )
    service = apprise.Apprise.instantiate(address, asset=asset)
    _heard.take()
    if service is None:
        scheme = re.match(r"[a-z][a-z0-9]{0,20}://", address)
        shown = f" ({scheme[0]}…)" if scheme else ""
        raise InputError(
            f"apprise cannot read address {number} of --notify{shown}; write it like ntfy://topic "
            f"or mailto://user:password@example.com (all: appriseit.com/services)"
        )
    # Between messages of one run lie minutes; a wait would only hold up its end.
    service.request_rate_per_sec = 0
    return service


class _Service:
    """One address, with a thread of its own: one that never answers keeps no other waiting."""

    def __init__(self, number: int, address: str, publisher: "Publisher") -> None:
        self._service = _open_service(number, address)
        self._name = f"notification {number} ({self._service.service_name})"
        self._publisher = publisher
        self._waiting: deque[Notice] = deque(maxlen=_MAX_WAITING)
        self._failures = 0
        self._reported: set[str] = set()
        # A thread that does without one, as others do, would keep the steps waiting.
        self.thread = BackgroundThread(
            self._name, self._send_waiting, publisher.event, every=_IDLE_SECONDS
        )

    def take(self, notice: Notice) -> None:
        self._waiting.append(notice)
        self.thread.request()

    def _send_waiting(self) -> float | None:
        """Send what waits as one message; return the seconds until a failed try is repeated."""
        notices = list(self._waiting)
        if not notices:
            return None
        failure = self._send(notices)
        if not failure:
            self._reported.clear()
        elif failure not in self._reported:
            self._reported.add(failure)
            self._publisher.event(f"{self._name} was not sent: {failure}", "warning")
        # One without an answer may have arrived; it is not sent twice.
        again = bool(failure) and failure != _TIMED_OUT and self._failures < len(_RETRY_SECONDS)
        if again:
            self._failures += 1
            return _RETRY_SECONDS[self._failures - 1]
        self._failures = 0
        for notice in notices:
            if notice in self._waiting:
                self._waiting.remove(notice)
        return None

    def _send(self, notices: list[Notice]) -> str:
        """Send a message; return why it failed, empty where it did not."""
        apprise = _apprise()
        try:
            sent = self._service.notify(
                title=_plain(_title(self._publisher.snapshot)),
                body="\n".join(map(_plain, _lines(self._publisher.snapshot, notices))),
                notify_type=apprise.NotifyType(_TYPES[notices[-1].kind]),
                body_format=apprise.NotifyFormat.TEXT,
            )
        except Exception as error:
            # Of any kind, from any of a hundred services; its message may hold the address.
            _heard.take()
            return f"{type(error).__name__} in apprise"
        said = _heard.take()
        return "" if sent else _reason(said)


def _reason(said: str) -> str:
    if match := _HTTP_ERROR.search(said):
        return f"it answered with HTTP status {match[1]}"
    found = (reason for pattern, reason in _REASONS if pattern.search(said))
    return next(found, "the service refused it")


def _plain(text: str) -> str:
    """A line that no service takes for HTML: some let tags through in what is called text."""
    return printable(" ".join(text.split()), _MAX_CHARACTERS).translate(_NO_TAGS)


def _title(snapshot: "Snapshot") -> str:
    return f"voicecoach: {snapshot.voice}, {NETWORK_TITLES[snapshot.network]}"


def _lines(snapshot: "Snapshot", notices: list[Notice]) -> Iterator[str]:
    for notice in notices:
        yield f"{notice.text[:1].upper()}{notice.text[1:]}."
    figures = [f"step {snapshot.step:,}"]
    if snapshot.held_out is not None:
        figures.append(f"held-out loss {snapshot.held_out:.4f}")
    if snapshot.price > 0:
        figures.append(f"{dollars(snapshot.spent)} spent")
    yield f"{', '.join(figures)}; on {socket.gethostname()}"


class Notifier:
    """Sends each notice to every address, beside the steps, which never wait for it."""

    def __init__(self, addresses: Iterable[str], publisher: "Publisher") -> None:
        """Open the services; nothing is sent before `start`.

        Raises:
            InputError: as `parse_addresses`.
        """
        self._services = [
            _Service(number, address, publisher) for number, address in enumerate(addresses, 1)
        ]
        publisher.on_notice = self._take

    def start(self) -> None:
        """Start the threads: there may be no memory for them when there is something to tell."""
        for service in self._services:
            service.thread.start()

    def _take(self, notice: Notice) -> None:
        for service in self._services:
            service.take(notice)

    def close(self, hurried: threading.Event) -> None:
        """Try once more to send what waits; wait a few seconds at most, or until hurried."""
        until = time.monotonic() + _END_SECONDS
        for service in self._services:
            service.thread.request()
        while time.monotonic() < until and not hurried.is_set():
            if all(service.thread.wait(_LOOK_SECONDS) for service in self._services):
                break
        for service in self._services:
            service.thread.stop(wait=False)
