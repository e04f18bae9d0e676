"""The watchdog: notices a step that takes far too long, and says where it hangs."""

import faulthandler
import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.board import Board
from engine.plain_files import open_private
from engine.training.lookout import look_every

_log = logging.getLogger(__name__)

LEAST_SECONDS = 30.0
"""A step that takes less is never called hanging."""
# How many times the recent mean a step may take.
_TIMES = 20.0
# Steps after which it is known what a step takes: the first ones load and choose kernels.
_KNOWN = 20
# Seconds between two looks. The time of a look counts for at most twice as much: while the process
# was suspended (Ctrl+Z, SIGSTOP, a machine asleep) nothing hung.
_LOOK_SECONDS = 1.0

_ENGINE = str(Path(__file__).parents[1])


class Watchdog:
    """Looks at the engine's thread from another one while it makes a step.

    What is done between steps (checkpoints, drawing, pauses) is none of its business, and neither
    is a time in which an audition takes the same processor.
    """

    def __init__(
        self,
        board: Board,
        log: Path,
        *,
        shares_processor: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Watch the thread that makes this call.

        Args:
            board: where a step that hangs is told.
            log: the file that takes the stacks of all threads.
            shares_processor: whether auditions are made where the steps are.
            clock: monotonic time in seconds.
        """
        self._board = board
        self._log = log
        self._shares_processor = shares_processor
        self._clock = clock
        self._thread_id = threading.get_ident()
        self._durations: deque[float] = deque(maxlen=200)
        self._done = 0
        self._under_way = False
        # What follows is the watching thread's.
        self._seen = -1
        self._looked = clock()
        self._waited = 0.0
        self._told = ""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="hanging steps", daemon=True)

    def start(self) -> None:
        """Begin to look, every second."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        self._thread.join()

    @contextmanager
    def step(self) -> Iterator[None]:
        """Wrap what a step consists of, the wait for its batch included."""
        started = self._clock()
        self._under_way = True
        try:
            yield
        finally:
            self._under_way = False
            self._done += 1
        self._durations.append(self._clock() - started)

    @property
    def limit(self) -> float | None:
        """Seconds from which on a step hangs; None before it is known what one takes."""
        durations = list(self._durations)
        if len(durations) < _KNOWN:
            return None
        return max(LEAST_SECONDS, _TIMES * sum(durations) / len(durations))

    def look(self) -> None:
        """Look once, and tell what is new."""
        now = self._clock()
        passed, self._looked = min(now - self._looked, 2 * _LOOK_SECONDS), now
        if not self._under_way or self._seen != self._done:
            self._seen, self._waited = self._done, 0.0
            self._clear()
        elif not (self._shares_processor and self._board.snapshot.auditioning):
            self._waited += passed
        limit = self.limit
        if limit is not None and self._waited > limit and not self._told:
            self._tell(limit)

    def _work(self) -> None:
        look_every(_LOOK_SECONDS, self._stopped, self.look, self._board)
        self._clear()

    def _tell(self, limit: float) -> None:
        step = self._board.snapshot.step + 1
        self._told = (
            f"step {step:,} has not ended for {self._waited:.0f} s (far too long is {limit:.0f} s "
            f"here): it hangs in {self._place()}; {self._log} has the stacks of all threads"
        )
        self._board.event(self._told, "error")
        self._board.update(alarm=self._told)
        try:
            descriptor = open_private(self._log, os.O_WRONLY | os.O_APPEND)
            with open(descriptor, "a", encoding="utf-8") as file:  # noqa: PTH123 (no path)
                file.write("The stacks of all threads while a step hangs:\n")
                file.flush()
                faulthandler.dump_traceback(file, all_threads=True)
        except OSError as error:
            _log.warning("the stacks cannot be written: %s", error)

    def _clear(self) -> None:
        if not self._told:
            return
        if self._board.snapshot.alarm == self._told:
            self._board.update(alarm="")
        self._told = ""
        self._board.event("the step that hung has ended")

    def _place(self) -> str:
        """The innermost of our own functions that the engine's thread is in."""
        frame = sys._current_frames().get(self._thread_id)
        while frame is not None and not frame.f_code.co_filename.startswith(_ENGINE):
            frame = frame.f_back
        if frame is None:
            return "no function of ours"
        code = frame.f_code
        return f"{code.co_qualname} ({Path(code.co_filename).name}, line {frame.f_lineno})"
