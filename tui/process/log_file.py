"""The log of a voice: what the engine and the screen say while nobody looks."""

import io
import logging
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TextIO, cast

from engine.errors import EngineError
from engine.files import open_private
from tui.process.log_secrets import DiscreetFormatter, shown, without_secrets
from tui.process.queued_log import QueuedLog

NAME = "voicecoach.log"
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_MAX_BYTES = 1_000_000
_OLD_ONES = 3


class _LogFile(RotatingFileHandler):
    """A log that its owner alone can read, and that leads to no other file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=_MAX_BYTES, backupCount=_OLD_ONES, encoding="utf-8")
        self.setFormatter(DiscreetFormatter(_FORMAT))
        self._home = path.parent.stat()

    def _open(self) -> io.TextIOWrapper:
        return _open_to_append(Path(self.baseFilename))

    def doRollover(self) -> None:  # noqa: N802 (logging's own name)
        """Begin a new file; where the old ones cannot be moved, go on with the one there is."""
        # A failure would lose the record that is being written, and every one after it.
        with suppress(OSError):
            super().doRollover()

    def shouldRollover(self, record: logging.LogRecord) -> int:  # noqa: N802 (logging's name)
        """Rotate when it is full, unless its folder was moved and the name is another run's."""
        return super().shouldRollover(record) if self._has_its_name() else 0

    def _has_its_name(self) -> bool:
        """Whether the name leads to the open file, or to none in the folder of the run."""
        path = Path(self.baseFilename)
        try:
            if path.exists() and self.stream is not None:
                return os.path.samestat(os.fstat(self.stream.fileno()), path.stat())
            return os.path.samestat(path.parent.stat(), self._home)
        except OSError:
            return False


def _open_to_append(path: Path) -> io.TextIOWrapper:
    descriptor = open_private(path, os.O_WRONLY | os.O_APPEND)
    return open(descriptor, "a", encoding="utf-8", errors="backslashreplace")  # noqa: PTH123


def open_log(voice_folder: Path) -> Path:
    """Send all logging of this process, and Python's warnings, to the voice's log.

    Nobody who logs waits for the disk; all is written when the process ends. The root logger gets
    it, so that no library's message finds its way onto the screen.

    Raises:
        EngineError: it cannot be written.
    """
    path = voice_folder / NAME
    try:
        handler = QueuedLog(_LogFile(path))
    except OSError as error:
        raise EngineError(
            f"The log {path} cannot be written: {error.strerror}; move it away, or choose another "
            f"place for the voice."
        ) from error
    root = logging.getLogger()
    root.addHandler(handler)
    for ours in ("engine", "tui"):
        logging.getLogger(ours).setLevel(logging.INFO)
    logging.captureWarnings(True)
    # A full disk must not print tracebacks onto the screen.
    logging.raiseExceptions = False
    return path


def log_of_this_process() -> Path:
    """Return the log that this process writes; without one, open one among the temporary files."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, QueuedLog):
            return Path(handler.file.baseFilename)
    _remove_empty_ones()
    descriptor, name = tempfile.mkstemp(prefix=f"voicecoach-{os.getpid()}-", suffix=".log")
    os.close(descriptor)
    logging.getLogger().addHandler(QueuedLog(_LogFile(Path(name))))
    return Path(name)


def flush_log() -> None:
    """Wait until all that was logged is in its file, for a few seconds at most."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, QueuedLog):
            handler.flush()


def _remove_empty_ones() -> None:
    """Remove logs among the temporary files that say nothing, of processes that were killed."""
    for path in Path(tempfile.gettempdir()).glob("voicecoach-*-*.log"):
        pid = path.name.split("-")[1]
        with suppress(OSError):
            status = path.lstat()
            if (
                stat.S_ISREG(status.st_mode)
                and status.st_size == 0
                and status.st_uid == os.geteuid()
                and pid.isdecimal()
                and not Path("/proc", pid).exists()
            ):
                path.unlink()


@contextmanager
def added_to(log: Path) -> Iterator[TextIO]:
    """Open a log for what is printed and not logged; credentials in it are hidden as well.

    What a library written in C prints straight to the descriptor is taken as it is.

    Raises:
        EngineError: it cannot be opened.
    """
    try:
        file = _open_to_append(log)
    except OSError as error:
        raise EngineError(f"The log {log} cannot be written: {error.strerror}.") from error
    discreet = _Discreet(file)
    try:
        yield cast("TextIO", discreet)
    finally:
        discreet.flush()
        with suppress(OSError):
            file.close()


class _Discreet(io.TextIOBase):
    """Text on its way into a log, which is masked a line at a time.

    A log that takes nothing is no fault: as for records, a full disk must not end the screen.
    """

    def __init__(self, file: io.TextIOWrapper) -> None:
        self._file = file
        self._line = ""

    def fileno(self) -> int:
        """Return the log's descriptor, for what cannot be masked."""
        return self._file.fileno()

    def write(self, text: str) -> int:
        """Take text; whole lines go to the log."""
        whole, end, self._line = (self._line + text).rpartition("\n")
        self._put(whole + end)
        return len(text)

    def flush(self) -> None:
        """Write what there is of a line as well."""
        rest, self._line = self._line, ""
        self._put(rest)
        with suppress(OSError):
            self._file.flush()

    def _put(self, text: str) -> None:
        if text:
            with suppress(OSError):
                self._file.write(shown(without_secrets(text)))
