"""Work beside the steps, in threads that exist before the first one: no step waits for a disk.

A host whose memory is used up may refuse a thread, or give one that never begins: `Thread.start`
then waits for ever. So whatever a checkpoint, the ledger or the end of a run needs is started early
and waits for work.
"""

import logging
import threading
import time
from collections.abc import Callable

_log = logging.getLogger(__name__)

# Seconds after which a thread that lacked the memory to wait or to begin tries again.
_RETRY_SECONDS = 0.1


class SideWriter:
    """Calls what writes in a thread of its own, whenever that is asked for; asking never waits.

    What is asked for while a write is under way is one more write after it. Before `start` and
    after `end`, and where the system allows no more threads, whoever asks writes.
    """

    def __init__(
        self, what: str, write: Callable[[], None], tell: Callable[[str, str], None]
    ) -> None:
        """Write nothing yet.

        Args:
            what: what is written, as the subject of a sentence.
            write: writes it, and tells by itself what a disk refuses.
            tell: takes a text and its severity, should `write` fail in another way.
        """
        self.what = what
        """What is written, as the subject of a sentence."""
        self._write = write
        self._tell_event = tell
        self._turn = threading.Condition()
        self._asked = 0
        self._done = 0
        self._ending = False
        self._began: float | None = None
        self._told = ""
        self._thread: threading.Thread | None = None

    @property
    def seconds(self) -> float:
        """How long the write under way has taken so far; 0 without one."""
        began = self._began
        return 0.0 if began is None else time.monotonic() - began

    def start(self) -> None:
        """Start the thread, which waits until something is asked for."""
        thread = threading.Thread(target=self._run, name=self.what, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            _log.warning("%s is written between the steps: %s", self.what, error)
            return
        self._thread = thread

    def ask(self) -> None:
        """Have it written soon."""
        if self._thread is None:
            self._try()
            return
        with self._turn:
            self._asked += 1
            self._turn.notify_all()

    def settle(self, seconds: float | None = None) -> bool:
        """Wait until whatever was asked for has been tried, at most so long; say whether it has."""
        with self._turn:
            asked = self._asked
            return self._turn.wait_for(lambda: self._done >= asked, seconds)

    def end(self) -> None:
        """Wait for what was asked for, and end the thread.

        For one thread at a time, which asks for nothing meanwhile.
        """
        with self._turn:
            thread, self._ending = self._thread, True
            self._turn.notify_all()
        if thread is not None:
            thread.join()
        self._thread, self._ending = None, False

    def _run(self) -> None:
        while self._goes_on():
            pass

    def _goes_on(self) -> bool:
        """Wait for work and do it; say whether more may come. No want of memory ends the thread."""
        try:
            asked = self._wait()
            if asked is None:
                return False
            self._try()
            with self._turn:
                self._done, self._began = asked, None
                self._turn.notify_all()
        except MemoryError:
            time.sleep(_RETRY_SECONDS)
        return True

    def _wait(self) -> int | None:
        """Wait for work; return how often it was asked for by now, or None at the end."""
        with self._turn:
            self._turn.wait_for(lambda: self._asked > self._done or self._ending)
            if self._asked == self._done:
                return None
            self._began = time.monotonic()
            return self._asked

    def _try(self) -> None:
        try:
            self._write()
        except Exception as error:
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        """Tell it once: the next call may do better."""
        try:
            text = f"{self.what} cannot be written: {type(error).__name__}: {error}"
            if text != self._told:
                _log.exception("%s cannot be written", self.what)
                self._tell_event(text, "error")
            self._told = text
        except MemoryError:
            # There is none left to tell it with, and the thread is still needed.
            time.sleep(_RETRY_SECONDS)
