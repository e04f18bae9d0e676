"""Small files that are written beside the steps: a disk that hangs holds up no step."""

import logging
import threading
import time
from collections.abc import Callable

from engine.board import Board

_log = logging.getLogger(__name__)


class SideWriter:
    """Calls in a thread of its own what writes, whenever that is asked for; asking never waits.

    What is asked for while a write is under way is one more write after it. The thread begins
    with the first of them, and ends where its owner says so: who needs what it writes on the
    disk has to wait for it.
    """

    def __init__(self, what: str, write: Callable[[], None], board: Board) -> None:
        """Write nothing yet.

        Args:
            what: is written, as the subject of a sentence.
            write: writes it, and tells by itself what a disk refuses.
            board: where it is told that `write` failed in another way.
        """
        self.what = what
        """What is written, as the subject of a sentence."""
        self._write = write
        self._board = board
        self._turn = threading.Condition()
        self._asked = 0
        self._done = 0
        self._ending = False
        self._began: float | None = None
        self._told = ""
        self._told_alone = False
        self._thread: threading.Thread | None = None

    @property
    def seconds(self) -> float:
        """How long the write under way has taken so far; 0 without one."""
        began = self._began
        return 0.0 if began is None else time.monotonic() - began

    def ask(self) -> None:
        """Have it written soon."""
        with self._turn:
            if self._thread is not None or self._begin():
                self._asked += 1
                self._turn.notify_all()
                return
        self._try()

    def _begin(self) -> bool:
        """Begin the thread; say whether the system allows one more, as some containers do not."""
        thread = threading.Thread(target=self._run, name=self.what, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            if not self._told_alone:
                self._told_alone = True
                _log.warning("%s is written between the steps: %s", self.what, error)
            return False
        self._thread = thread
        return True

    def settle(self) -> None:
        """Wait until whatever was asked for has been tried."""
        with self._turn:
            asked = self._asked
            self._turn.wait_for(lambda: self._done >= asked)

    def end(self) -> None:
        """Wait for what was asked for, and end the thread; the next call to `ask` begins another.

        For one thread at a time, which asks for nothing meanwhile.
        """
        with self._turn:
            thread = self._thread
            self._ending = True
            self._turn.notify_all()
        if thread is not None:
            thread.join()
        self._thread, self._ending = None, False

    def _run(self) -> None:
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._asked > self._done or self._ending)
                if self._asked == self._done:
                    return
                asked = self._asked
                self._began = time.monotonic()
            try:
                self._try()
            finally:
                with self._turn:
                    self._done, self._began = asked, None
                    self._turn.notify_all()

    def _try(self) -> None:
        try:
            self._write()
        except Exception as error:
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        """Tell it once: the next call may do better."""
        text = f"{self.what} cannot be written: {type(error).__name__}: {error}"
        if text != self._told:
            _log.exception("%s cannot be written", self.what)
            self._board.event(text, "error")
        self._told = text
