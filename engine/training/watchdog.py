"""The watchdog: notices an engine that does not move, and says where it hangs."""

import faulthandler
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from engine.files import open_private
from engine.machine.background import BackgroundThread
from engine.run.publisher import Publisher

_log = logging.getLogger(__name__)

MIN_SECONDS = 30.0
"""An engine that moves within this time is never called hanging."""
FIRST_SECONDS = 300.0
"""The limit before it is known what a step takes: while weights are loaded and features computed,
and for the first step, which loads kernels."""
# A step may take so many times the recent mean.
_FACTOR = 20.0
# Seconds between two checks. A longer pause counts for at most twice as much: while the process was
# suspended (Ctrl+Z, SIGSTOP, a machine asleep) nothing hung.
_POLL_SECONDS = 1.0

_ENGINE = str(Path(__file__).parents[1])


class Watchdog:
    """Watches the engine's thread from another one; a context manager.

    The engine moves when it beats (see `Publisher.beat`), ends a step, or makes progress in what it
    prepares, whatever holds it up otherwise: a kernel, a disk, a lock, a thread that never begins.
    What an end waits for is none of its business, nor is a step during an audition on the same
    processor.
    """

    def __init__(self, publisher: Publisher, log: Path) -> None:
        """Watch the thread that makes this call; the log takes the stacks of all threads."""
        self._publisher = publisher
        self._log = log
        self._engine_thread = threading.get_ident()
        self._in_step = False
        self.shares_processor = False
        """Whether auditions are made where the steps are."""
        # What follows is the watching thread's.
        self._limit = FIRST_SECONDS
        self._seen: tuple[object, ...] = ()
        self._checked = time.monotonic()
        self._waited = 0.0
        self._reported = ""
        self._thread = BackgroundThread(
            "watchdog", self.check, publisher.event, every=_POLL_SECONDS
        )

    def __enter__(self) -> Self:
        """Begin to check, every second."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop checking."""
        self._thread.stop()
        self._clear()

    @contextmanager
    def step(self) -> Iterator[None]:
        """Wrap what a step consists of, the wait for its batch included."""
        self._in_step = True
        try:
            yield
        finally:
            self._in_step = False

    def check(self) -> None:
        """Check once, and report what is new."""
        now = time.monotonic()
        passed, self._checked = min(now - self._checked, 2 * _POLL_SECONDS), now
        run = self._publisher.snapshot
        if run.steps_per_second:
            self._limit = max(MIN_SECONDS, _FACTOR / run.steps_per_second)
        moves = [(one.step, one.phase, one.progress) for one in run.both]
        seen = (self._publisher.beats, self._in_step, *moves)
        if seen != self._seen or run.end_waits_for:
            self._seen, self._waited = seen, 0.0
            self._clear()
        elif not (self._in_step and self.shares_processor and run.auditioning):
            self._waited += passed
        if self._waited > self._limit and not self._reported:
            self._report()

    def _report(self) -> None:
        what = "the run has made no progress"
        if self._in_step:
            what = f"step {self._publisher.snapshot.step + 1:,} has not ended"
        text = (
            f"{what} for {self._waited:.0f} s: it hangs in {self._place()}; the stacks of all "
            f"threads are in {self._log}; `kill {os.getpid()}`, twice, ends the run"
        )
        self._publisher.event(text, "error")
        self._publisher.notify("hangs", text)
        self._publisher.update(alarm=text)
        self._reported = text
        try:
            descriptor = open_private(self._log, os.O_WRONLY | os.O_APPEND)
            with open(descriptor, "a", encoding="utf-8") as file:  # noqa: PTH123 (no path)
                file.write("The stacks of all threads while the run hangs:\n")
                file.flush()
                faulthandler.dump_traceback(file, all_threads=True)
        except OSError as error:
            _log.warning("the stacks cannot be written: %s", error)

    def _clear(self) -> None:
        if not self._reported:
            return
        if self._publisher.snapshot.alarm == self._reported:
            self._publisher.update(alarm="")
        self._reported = ""
        self._publisher.event("the run is making progress again")

    def _place(self) -> str:
        """The innermost of our own functions that the engine's thread is in."""
        frame = sys._current_frames().get(self._engine_thread)
        while frame is not None and not frame.f_code.co_filename.startswith(_ENGINE):
            frame = frame.f_back
        if frame is None:
            return "no function of ours"
        code = frame.f_code
        return f"{code.co_qualname} ({Path(code.co_filename).name}, line {frame.f_lineno})"
