"""Which screens look at a run: that of its own process, and those of others."""

import threading
from collections.abc import Callable

from engine.run.commands import Command, ScreenAttached, ScreenDetached, TerminalStalled

OWN = "own"
"""The screen of the run's own process."""


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
        self._takes_output: dict[object, bool] = {OWN: True} if own else {}
        """The screens that steer, and whether their terminals take output."""
        self._has_terminal = True
        """Whether the run's own process has its terminal, with a screen or without."""
        self._readers: set[object] = set()
        self._any_takes_output = True

    def add(self, screen: object, *, reader: bool = False) -> None:
        """A screen of another process attaches."""
        with self._lock:
            if reader:
                self._readers.add(screen)
            elif self._takes_output:
                self._takes_output[screen] = True
                self._report_stalled()
            else:
                self._takes_output[screen] = self._any_takes_output = True
                self._send(ScreenAttached())
            self._count()

    def remove(self, screen: object, *, keep_training: bool = False) -> None:
        """A screen goes, however it goes; one that has gone already changes nothing."""
        with self._lock:
            steered = self._takes_output.pop(screen, None) is not None
            # Those that only ask for the state of the run were never counted.
            if steered or screen in self._readers:
                self._readers.discard(screen)
                self._count()
            if screen is OWN:
                steered, self._has_terminal = self._has_terminal, False
            if self._takes_output:
                self._report_stalled()
            elif steered:
                self._send(ScreenDetached(keep_training))

    def set_takes_output(self, screen: object, takes_output: bool) -> None:
        """A screen's terminal stops taking output, or takes it again."""
        with self._lock:
            if screen in self._takes_output:
                self._takes_output[screen] = takes_output
                self._report_stalled()

    def _report_stalled(self) -> None:
        any_takes_output = any(self._takes_output.values())
        if any_takes_output is not self._any_takes_output:
            self._any_takes_output = any_takes_output
            self._send(TerminalStalled(not any_takes_output))

    def _count(self) -> None:
        self._show(len(self._takes_output), len(self._readers))
