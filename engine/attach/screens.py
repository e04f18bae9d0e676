"""Which screens look at a run: that of its own process, and those of others."""

import threading
from collections.abc import Callable
from typing import Literal

from engine.run.commands import Command, ScreenAttached, ScreenDetached, TerminalStalled

_OWN = "own"


class Screens:
    """Counts the screens, and tells the engine when the first comes and the last goes.

    Without any, a run ends at its stop, or while paused, instead of waiting. A reader cannot
    answer, and is not waited for. A screen whose terminal takes no output is there, but nobody
    sees it: the engine is told when no screen is left that takes output. From any thread.
    """

    def __init__(
        self,
        send: Callable[[Command], None],
        show: Callable[[int, int], None],
        *,
        own: bool,
    ) -> None:
        """Begin with the screen of the run's own process, or without.

        Args:
            send: takes commands to the engine, without waiting.
            show: takes the numbers of screens that steer the run, and of those that only read.
            own: whether the run's own process has a screen.
        """
        self._send = send
        self._show = show
        self._lock = threading.Lock()
        self._reads: dict[object, bool] = {_OWN: True} if own else {}
        """The screens that steer, and whether their terminals take output."""
        self._readers = 0
        self._any_reads = True
        self._own_left = False

    def add(self, screen: object) -> None:
        """A screen of another process attaches."""
        with self._lock:
            first = not self._reads
            self._reads[screen] = True
            self._report()
            if first:
                self._any_reads = True
                self._send(ScreenAttached())
            else:
                self._compare()

    def remove(self, screen: object, *, keep_training: bool = False) -> None:
        """A screen of another process goes, however it goes."""
        with self._lock:
            self._remove(screen, keep_training)

    def remove_own(self, *, keep_training: bool = False) -> None:
        """The screen of the run's own process closes, or its terminal is gone.

        A terminal that hangs up after the person left changes nothing.
        """
        with self._lock:
            if not self._own_left:
                self._own_left = True
                self._remove(_OWN, keep_training)

    def set_reads(self, screen: object, reads: bool) -> None:
        """A screen's terminal stops taking output, or takes it again."""
        with self._lock:
            if screen in self._reads:
                self._reads[screen] = reads
                self._compare()

    def set_own_reads(self, reads: bool) -> None:
        """The terminal of the run's own screen stops taking output, or takes it again."""
        self.set_reads(_OWN, reads)

    def count_reader(self, change: Literal[1, -1]) -> None:
        """A screen that only reads attaches, or goes."""
        with self._lock:
            self._readers += change
            self._report()

    def _remove(self, screen: object, keep_training: bool) -> None:
        self._reads.pop(screen, None)
        self._report()
        if self._reads:
            self._compare()
        else:
            self._send(ScreenDetached(keep_training))

    def _compare(self) -> None:
        any_reads = any(self._reads.values())
        if any_reads is not self._any_reads:
            self._any_reads = any_reads
            self._send(TerminalStalled(not any_reads))

    def _report(self) -> None:
        self._show(len(self._reads), self._readers)
