"""Work in threads beside the training loop: checks at intervals, and disk writes on request.

Threads that a checkpoint, the spend or the end of a run needs start before the first step: a host
that is out of memory may refuse a new thread, or never run it, and `Thread.start` then waits for
ever.
"""

import logging
import threading
import time
from collections.abc import Callable

_log = logging.getLogger(__name__)

_RETRY_SECONDS = 0.1
"""Pause of a thread that ran out of memory before it tries again."""

Report = Callable[[str, str], None]
"""Shows a text and its severity to the person, as `Publisher.event` does."""


class Poller:
    """Calls a check at intervals in a daemon thread; a check that fails is reported and repeated.

    What polls here watches money, or a run that hangs: no fault of ours may end it unnoticed.
    """

    def __init__(
        self,
        name: str,
        seconds: float,
        check: Callable[[], float | None],
        report: Report,
        *,
        first: float | None = None,
    ) -> None:
        """Prepare to poll.

        Args:
            name: of the thread and in reports, such as `cost tracking`.
            seconds: between two checks.
            check: called again and again; may return other seconds until the next call.
            report: takes a failure; the same one is reported once.
            first: seconds before the first check, if not `seconds`.
        """
        self._name = name
        self._seconds = seconds
        self._check = check
        self._failures = _Failures(f"{name} failed", report)
        self._first = seconds if first is None else first
        self._changed = threading.Condition()
        # How many checks have begun, have ended, and are wanted.
        self._begun = self._done = self._wanted = 0
        self.stopped = False
        """Whether `stop` was called."""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread; without one, where the system allows no more, nothing is checked."""
        try:
            self._thread.start()
        except RuntimeError as error:
            _log.warning("no %s: %s", self._name, error)

    def check_now(self, timeout: float) -> None:
        """Check at once and wait until that has ended, at most `timeout` seconds."""
        with self._changed:
            # One that is under way may have looked already.
            wanted = self._wanted = self._begun + 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._done >= wanted, timeout)

    def stop(self, *, wait: bool = False) -> None:
        """Check no more; with `wait`, return when a check under way has ended."""
        with self._changed:
            self.stopped = True
            self._changed.notify_all()
        if wait and self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        pause = self._first
        while self._wait(pause):
            pause = self._seconds
            try:
                seconds = self._check()
                pause = self._seconds if seconds is None else seconds
            except Exception as error:
                self._failures.report(error)
            with self._changed:
                self._done = self._begun
                self._changed.notify_all()

    def _wait(self, seconds: float) -> bool:
        """Wait until the next check is due or wanted; False when there is to be none."""
        with self._changed:
            self._changed.wait_for(lambda: self.stopped or self._wanted > self._begun, seconds)
            self._begun += 1
            return not self.stopped


class DiskWriter:
    """Calls a writing function in its own thread on request; a request never waits.

    Requests during a write become one more write after it. Before `start`, after `stop`, and where
    the system allows no more threads, `request` writes itself.
    """

    def __init__(self, what: str, write: Callable[[], None], report: Report) -> None:
        """Write nothing yet.

        Args:
            what: what is written, as the subject of a sentence.
            write: writes it, and reports expected failures itself.
            report: takes any other failure of `write`; the same one is reported once.
        """
        self.what = what
        """What is written, as the subject of a sentence."""
        self._write = write
        self._failures = _Failures(f"{what} cannot be written", report)
        self._changed = threading.Condition()
        self._requested = 0
        self._done = 0
        self._stopping = False
        self._started: float | None = None
        self._thread: threading.Thread | None = None

    @property
    def seconds(self) -> float:
        """How long the write under way has taken so far; 0 without one."""
        started = self._started
        return 0.0 if started is None else time.monotonic() - started

    def start(self) -> None:
        """Start the thread, which waits for requests."""
        thread = threading.Thread(
            target=lambda: repeat(self._write_once), name=self.what, daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:
            _log.warning("%s is written between the steps: %s", self.what, error)
            return
        self._thread = thread

    def request(self) -> None:
        """Have it written soon."""
        if self._thread is None:
            self._try()
            return
        with self._changed:
            self._requested += 1
            self._changed.notify_all()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until all requests so far were tried; False if that takes longer than `seconds`."""
        with self._changed:
            requested = self._requested
            return self._changed.wait_for(lambda: self._done >= requested, seconds)

    def stop(self) -> None:
        """Write what was requested and end the thread; nothing may be requested meanwhile."""
        with self._changed:
            thread, self._stopping = self._thread, True
            self._changed.notify_all()
        if thread is not None:
            thread.join()
        self._thread, self._stopping = None, False

    def _write_once(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._requested > self._done or self._stopping)
            requested = self._requested
            if requested == self._done:
                return False
            self._started = time.monotonic()
        self._try()
        with self._changed:
            self._done, self._started = requested, None
            self._changed.notify_all()
        return True

    def _try(self) -> None:
        try:
            self._write()
        except Exception as error:
            self._failures.report(error)


def repeat(work: Callable[[], bool]) -> None:
    """Call `work` until it returns False; out of memory, call it again after a short pause."""
    while True:
        try:
            if not work():
                return
        except MemoryError:
            time.sleep(_RETRY_SECONDS)


class _Failures:
    """Reports each new failure of a repeated piece of work once, and logs where it happened."""

    def __init__(self, subject: str, report: Report) -> None:
        self._subject = subject
        self._report = report
        self._last = ""

    def report(self, error: Exception) -> None:
        try:
            text = f"{self._subject}: {type(error).__name__}: {error}"
            if text != self._last:
                _log.exception("%s", self._subject)
                self._report(text, "error")
            self._last = text
        except MemoryError:
            # There is not even enough to report it, and the thread is still needed.
            time.sleep(_RETRY_SECONDS)
