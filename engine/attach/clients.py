"""Who looks at a run: the screen of its own process, and those of others."""

import threading
from collections.abc import Callable

from engine.run.commands import Command, ScreenAttached, ScreenDetached, TerminalStalled


class Audience:
    """Counts the screens, and tells the engine when the first comes and the last goes.

    With nobody there a run ends at its stop, or while paused, instead of waiting. A reader can
    answer nothing, and is nobody to wait for. A screen whose terminal takes no output is there,
    but shows nothing to anybody: the engine is told when no screen is left that does.
    """

    def __init__(
        self,
        send: Callable[[Command], None],
        show: Callable[[int, int], None],
        *,
        at_home: bool,
    ) -> None:
        """Begin with the screen of the run's own process, or without.

        Args:
            send: takes commands to the engine, without waiting.
            show: is told how many screens steer the run, and how many only read.
            at_home: whether the run's own process has a screen.
        """
        self._send = send
        self._show = show
        self._turn = threading.Lock()
        self._at_home = at_home
        self._has_left = False
        self._others = 0
        self._readers = 0
        self._home_reads = True
        self._others_unread = 0
        self._any_reads = True

    def leave_home(self, *, keep_training: bool = False) -> None:
        """The screen of the run's own process closes, or its terminal is gone.

        `keep_training` is whether the person asked for training to go on. A terminal that hangs up
        after that changes nothing.
        """
        with self._turn:
            if self._has_left:
                return
            self._has_left, self._at_home = True, False
            self._tell()
            if not self._others:
                self._send(ScreenDetached(keep_training))
            else:
                self._compare()

    def come(self) -> None:
        """A screen of another process attaches."""
        with self._turn:
            first = not self._at_home and not self._others
            self._others += 1
            self._tell()
            if first:
                self._any_reads = True
                self._send(ScreenAttached())
            else:
                self._compare()

    def leave(self, *, keep_training: bool = False, reads: bool = True) -> None:
        """A screen of another process goes, however it goes; `reads` is what it did last."""
        with self._turn:
            self._others -= 1
            self._others_unread -= not reads
            self._tell()
            if not self._others and not self._at_home:
                self._send(ScreenDetached(keep_training))
            else:
                self._compare()

    def home_reads(self, reads: bool) -> None:
        """The terminal of the run's own screen stops taking output, or takes it again."""
        with self._turn:
            self._home_reads = reads
            self._compare()

    def other_reads(self, reads: bool) -> None:
        """A screen of another process stops taking what it is sent, or takes it again."""
        with self._turn:
            self._others_unread += -1 if reads else 1
            self._compare()

    def _compare(self) -> None:
        """Tell the engine where the last screen that reads stops, and where one reads again."""
        if not self._at_home and not self._others:
            return
        reads = (self._at_home and self._home_reads) or self._others > self._others_unread
        if reads is not self._any_reads:
            self._any_reads = reads
            self._send(TerminalStalled(not reads))

    def come_to_read(self) -> None:
        """A screen that only reads attaches."""
        with self._turn:
            self._readers += 1
            self._tell()

    def leave_reading(self) -> None:
        """A screen that only reads goes."""
        with self._turn:
            self._readers -= 1
            self._tell()

    def _tell(self) -> None:
        self._show(self._others + self._at_home, self._readers)
