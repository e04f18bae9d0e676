"""The log of a voice: written by a thread of its own, without secrets or control characters."""

import io
import logging
import os
import re
import tempfile
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path
from queue import SimpleQueue
from urllib.parse import quote, quote_plus, unquote

from engine.errors import EngineError
from engine.files import open_private

NAME = "voicecoach.log"
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_MAX_BYTES = 1_000_000
_MAX_OLD_FILES = 3
_MAX_WAITING = 10_000
"""Records that wait for the disk; what comes then is counted and left out."""
_END_SECONDS = 5.0
"""Seconds that an end waits for them."""

_HIDDEN = "…"
_SENSITIVE = (
    r"(?:secret|token|passw(?:or)?d|passphrase|api_?-?key|access_?-?key|account_?-?key|private_?-?key"
    r"|credential|signature|authori[sz]ation|cookie)"
)
_SECRET_VARIABLE = re.compile(
    r"key|token|secret|passw|passphrase|credential|signature|cookie|auth|voicecoach_notify",
    re.IGNORECASE,
)
_MIN_SECRET = 6
"""Characters: shorter values ("1", "true", "none") are no secrets."""
_MIN_PART = 4
"""Characters of the shortest part of an address that is hidden."""
_BETWEEN_PARTS = re.compile(r"[/?&=@:#;,]+")
_OURS = ("engine", "tui")
_PATTERNS = [
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), replacement)
    for pattern, replacement in (
        # The whole environment, as Python writes it.
        (r"environ\(\{.*?(?:\}\)|\Z)", f"environ({{{_HIDDEN}}})"),
        (r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\Z)", _HIDDEN),
        # A header of HTTP, and what it may hold.
        (
            r"((?:proxy-)?authorization['\"]?\s*[:=,]\s*b?)(['\"]?)[^'\"\r\n]+",
            rf"\1\2{_HIDDEN}",
        ),
        (r"\b(bearer|basic)\s+[\w.~+/=-]{6,}", rf"\1 {_HIDDEN}"),
        # user:password@ of a URL, and what signs one.
        (r"(://)[^/\s'\"<>]{0,400}@", rf"\1{_HIDDEN}@"),
        (r"(://)[^/\s'\"<>@]{0,200}:[^\s'\"<>@]{0,200}@", rf"\1{_HIDDEN}@"),
        (
            rf"([?&;][^?=&;\s'\"]{{0,40}}(?:sig|key|code|{_SENSITIVE})[^?=&;\s'\"]{{0,40}}=)"
            r"[^&;\s'\"<>]+",
            rf"\1{_HIDDEN}",
        ),
        # name = value, "name": "value", name=b'value', and XML.
        (
            rf"({_SENSITIVE}[\w-]{{0,40}}['\"]?\s{{0,8}}(?:=>|[=:])\s{{0,8}}b?)"
            r"(?:\"(?:[^\"\\\n]|\\.)+\"|'(?:[^'\\\n]|\\.)+'|[^\s'\",;&<>)}\]]+)",
            rf"\1{_HIDDEN}",
        ),
        (rf"(<[\w-]{{0,40}}{_SENSITIVE}[\w-]{{0,40}}>)[^<]+", rf"\1{_HIDDEN}"),
        # Keys of AWS, Google, GitHub and Hugging Face; signed tokens.
        (r"\b(?:(?:AKIA|ASIA)[A-Z0-9]{12,}\b|AIza[\w-]{30,})", _HIDDEN),
        (r"\b(?:gh[a-z]|github_pat|hf)_\w{20,}", _HIDDEN),
        (r"\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?", _HIDDEN),
    )
]


def without_secrets(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """Hide credentials in a text.

    Hidden are the values of environment variables whose names say that they are secret, as they
    stand and as a URL has them; passwords and signatures in URLs; what is called a key, a token
    and the like; keys that are known by their form.
    """
    for secret in sorted(_secrets_of(environment), key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def _secrets_of(environment: Mapping[str, str]) -> set[str]:
    return {
        form
        for name, value in environment.items()
        if _SECRET_VARIABLE.search(name) and len(value) >= _MIN_SECRET
        # The path of a file with keys is no secret, and helps whoever reads the log.
        if not (value.startswith("/") and os.path.lexists(value))
        for form in (value, quote(value, safe=""), quote_plus(value), repr(value)[1:-1])
    }


def _parts_of(addresses: Iterable[str]) -> re.Pattern[str]:
    """What may be secret in addresses: any part, for a token can be the path or the host."""
    parts = {
        form
        for address in addresses
        for part in _BETWEEN_PARTS.split(address.partition("://")[2])
        for form in (part, unquote(part), quote(part, safe=""))
        if len(form) >= _MIN_PART
    }
    longest_first = sorted(parts, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)", re.IGNORECASE)


class DiscreetFormatter(logging.Formatter):
    """Formats records of any library, tracebacks included, without what a log must not have.

    Control characters, which a terminal that shows the log would obey, are escaped.
    """

    def __init__(self, form: str, addresses: Iterable[str] = ()) -> None:
        """Hide the parts of addresses too, in what we did not write ourselves."""
        super().__init__(form)
        self._parts = _parts_of(addresses)

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record."""
        text = without_secrets(super().format(record))
        # An address may have a part such as `training`, which our own sentences need.
        if not record.name.startswith(_OURS) or "Traceback (most recent call last)" in text:
            text = self._parts.sub(_HIDDEN, text)
        return "".join(
            c if c in "\n\t" or c.isprintable() else c.encode("unicode_escape").decode()
            for c in text
        )


class _LogFile(RotatingFileHandler):
    """A log that its owner alone can read, and that leads to no other file."""

    def __init__(self, path: Path, addresses: Iterable[str] = ()) -> None:
        super().__init__(path, maxBytes=_MAX_BYTES, backupCount=_MAX_OLD_FILES, encoding="utf-8")
        self.setFormatter(DiscreetFormatter(_FORMAT, addresses))
        self._home = path.parent.stat()

    def _open(self) -> io.TextIOWrapper:
        descriptor = open_private(Path(self.baseFilename), os.O_WRONLY | os.O_APPEND)
        return open(descriptor, "a", encoding="utf-8", errors="backslashreplace")  # noqa: PTH123

    def doRollover(self) -> None:  # noqa: N802 (logging's own name)
        # A failure would lose the record that is being written, and every one after it.
        with suppress(OSError):
            super().doRollover()

    def shouldRollover(self, record: logging.LogRecord) -> int:  # noqa: N802 (logging's name)
        return super().shouldRollover(record) if self._has_its_name() else 0

    def _has_its_name(self) -> bool:
        """Whether the name leads to the open file, or to none in the folder of the run.

        A voice folder can be moved during a run, and another run take its place.
        """
        path = Path(self.baseFilename)
        try:
            if path.exists() and self.stream is not None:
                return os.path.samestat(os.fstat(self.stream.fileno()), path.stat())
            return os.path.samestat(path.parent.stat(), self._home)
        except OSError:
            return False


class _Writer(QueueListener):
    """The thread that writes; an event in the queue says that all before it is written."""

    def handle(self, record: logging.LogRecord | threading.Event) -> None:
        if isinstance(record, threading.Event):
            record.set()
        else:
            super().handle(record)


class QueuedLog(QueueHandler):
    """Passes records to a thread, which writes them into a file in the order in which they came.

    A step of training that waited for its log would wait for as long as a network disk is away.
    Messages and tracebacks are formatted at once: what they speak of may change.
    """

    queue: SimpleQueue[logging.LogRecord | threading.Event | None]

    def __init__(self, file: logging.FileHandler) -> None:
        """Write into a file that is open already; it is closed with this handler."""
        super().__init__(SimpleQueue())
        self.file = file
        self._left_out = 0
        self._writer = _Writer(self.queue, file)
        self._queues = True
        try:
            self._writer.start()
        except RuntimeError:
            # The system allows no more threads; a log that waits is better than none.
            self._queues = False

    def enqueue(self, record: logging.LogRecord) -> None:
        """Let a record be written soon."""
        if not self._queues:
            self.file.handle(record)
        elif self.queue.qsize() >= _MAX_WAITING:
            self._left_out += 1
        else:
            if self._left_out:
                text = f"{self._left_out:,} lines are missing here: the disk was too slow"
                attributes = {"name": __name__, "levelname": "WARNING", "msg": text}
                self.queue.put(logging.makeLogRecord(attributes))
                self._left_out = 0
            self.queue.put(record)

    def drain(self) -> bool:
        """Wait a few seconds for all that was logged to be written; return whether it is."""
        if not self._queues:
            return True
        written = threading.Event()
        self.queue.put(written)
        return written.wait(_END_SECONDS)

    def close(self) -> None:
        """Write what was logged, and end the thread; a disk that hangs keeps nobody for long.

        What is logged afterwards is written at once.
        """
        if self._queues and self.drain():
            self._queues = False
            self._writer.stop()
            self.file.close()
        super().close()


def open_log(voice_folder: Path, addresses: Iterable[str] = ()) -> Path:
    """Send all logging of this process, and Python's warnings, to the voice's log.

    The root logger gets it, so that no library's message finds its way onto the screen. No part of
    the addresses, which `--notify` was given, is written.

    Raises:
        EngineError: it cannot be written.
    """
    path = voice_folder / NAME
    try:
        handler = QueuedLog(_LogFile(path, addresses))
    except OSError as error:
        raise EngineError(
            f"The log {path} cannot be written: {error.strerror}; move it away, or choose another "
            f"place for the voice."
        ) from error
    logging.getLogger().addHandler(handler)
    for ours in _OURS:
        logging.getLogger(ours).setLevel(logging.INFO)
    logging.captureWarnings(True)
    # A full disk must not print tracebacks onto the screen.
    logging.raiseExceptions = False
    return path


def log_of_this_process() -> Path:
    """Return the log that this process writes; without one, open one among the temporary files."""
    for log in _open_logs():
        return Path(log.file.baseFilename)
    descriptor, name = tempfile.mkstemp(prefix=f"voicecoach-{os.getpid()}-", suffix=".log")
    os.close(descriptor)
    logging.getLogger().addHandler(QueuedLog(_LogFile(Path(name))))
    return Path(name)


def flush_log() -> None:
    """Wait until all that was logged is in its file, for a few seconds at most."""
    for log in _open_logs():
        log.drain()


def _open_logs() -> list[QueuedLog]:
    return [one for one in logging.getLogger().handlers if isinstance(one, QueuedLog)]
