"""Threads beside the training loop: disk writes on request, and checks at intervals.

Those that a checkpoint, the spend or the end of a run needs start before the first step: a host
that is out of memory may refuse a new thread, or never run it, and `Thread.start` then waits for
ever.
"""

import logging
import threading
import time
from collections.abc import Callable

from engine.errors import EngineError
from engine.machine.lock import FolderLostError

_log = logging.getLogger(__name__)

_RETRY_SECONDS = 0.1
"""Pause of a thread that ran out of memory before it tries again."""

Report = Callable[[str, str], None]
"""Shows a text and its severity to the person, as `Publisher.event` does."""


class BackgroundThread:
    """Does its work in a daemon thread, on request and perhaps at intervals.

    A request does not wait; those made while the work is under way become one more turn after it. A
    turn that fails is reported, and the thread lives on: it may watch money, or a run that hangs.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], float | None],
        report: Report,
        *,
        every: float | None = None,
    ) -> None:
        """Do nothing yet.

        Args:
            name: of the thread and in reports, such as `writing the history`.
            work: done each turn; may return other seconds until the next than `every`.
            report: takes a failure: an `EngineError` as a warning, once until a turn succeeds
                (`FolderLostError` is for the folder watch to report), any other once.
            every: seconds between two turns; None for requests alone.
        """
        self.name = name
        self._work = work
        self._report = report
        self._every = self._pause = every
        self._changed = threading.Condition()
        self._requested = self._done = 0
        self._started: float | None = None
        self._failing = False
        self._fault = ""
        self.stopped = False
        """Whether `stop` was called."""
        self._thread: threading.Thread | None = None

    @property
    def seconds(self) -> float:
        """How long the turn under way has taken so far; 0 without one."""
        started = self._started
        return 0.0 if started is None else time.monotonic() - started

    @property
    def running(self) -> bool:
        """Whether there is a thread."""
        return self._thread is not None

    def start(self) -> None:
        """Start the thread; where the system refuses, `request` does without."""
        thread = threading.Thread(target=lambda: repeat(self._turn), name=self.name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            _log.warning("no thread for %s: %s", self.name, error)
        else:
            self._thread = thread

    def request(self) -> None:
        """Have the work done soon.

        Without a thread, before `start` and after `stop`, it is done by this call; what is done at
        intervals may take its time, and is left out.
        """
        if self._thread is not None:
            with self._changed:
                self._requested += 1
                self._changed.notify_all()
        elif self._every is None:
            self._try()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until all requests so far were tried; False if that takes longer than `seconds`."""
        with self._changed:
            requested = self._requested
            return self._changed.wait_for(lambda: self._done >= requested, seconds)

    def stop(self, *, wait: bool = True) -> None:
        """Do what was requested and end the thread; return when it has ended, if to `wait`."""
        with self._changed:
            self.stopped = True
            self._changed.notify_all()
        if wait and self._thread is not None:
            self._thread.join()
            self._thread = None

    def _turn(self) -> bool:
        with self._changed:
            self._changed.wait_for(
                lambda: self.stopped or self._requested > self._done, self._pause
            )
            requested = self._requested
            if self.stopped and requested == self._done:
                return False
            self._started = time.monotonic()
        self._try()
        with self._changed:
            self._done, self._started = requested, None
            self._changed.notify_all()
        return True

    def _try(self) -> None:
        self._pause = self._every
        try:
            pause = self._work()
        except Exception as error:
            try:
                self._report_failure(error)
            except MemoryError:
                # There is not even enough to report it, and the thread is still needed.
                time.sleep(_RETRY_SECONDS)
        else:
            self._failing = False
            self._pause = self._every if pause is None else pause

    def _report_failure(self, error: Exception) -> None:
        if isinstance(error, EngineError):
            if not (self._failing or isinstance(error, FolderLostError)):
                self._report(str(error), "warning")
            self._failing = True
            return
        text = f"{self.name} failed: {type(error).__name__}: {error}"
        if text != self._fault:
            _log.error("%s failed", self.name, exc_info=error)
            self._report(text, "error")
        self._fault = text


def repeat(work: Callable[[], bool]) -> None:
    """Call `work` until it returns False; out of memory, call it again after a short pause."""
    while True:
        try:
            if not work():
                return
        except MemoryError:
            time.sleep(_RETRY_SECONDS)
