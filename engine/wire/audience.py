"""Who looks at a run: the screen of its own process, and those of others."""

import threading
from collections.abc import Callable

from engine.control import Command, GoAttended, GoUnattended


class Audience:
    """Counts the screens, and tells the engine when the first comes and the last goes.

    With nobody there a run ends at its stop, or while paused, instead of waiting.
    """

    def __init__(
        self,
        send: Callable[[Command], None],
        show: Callable[[int], None],
        *,
        at_home: bool,
    ) -> None:
        """Begin with the screen of the run's own process, or without.

        Args:
            send: takes commands to the engine, without waiting.
            show: is told how many screens there are.
            at_home: whether the run's own process has a screen.
        """
        self._send = send
        self._show = show
        self._turn = threading.Lock()
        self._at_home = at_home
        self._others = 0

    def leave_home(self) -> None:
        """The screen of the run's own process closes, or its terminal is gone."""
        with self._turn:
            self._at_home = False
            self._show(self._others)
            if not self._others:
                self._send(GoUnattended())

    def come(self) -> None:
        """A screen of another process attaches."""
        with self._turn:
            first = not self._at_home and not self._others
            self._others += 1
            self._show(self._others + self._at_home)
            if first:
                self._send(GoAttended())

    def leave(self) -> None:
        """A screen of another process goes, however it goes."""
        with self._turn:
            self._others -= 1
            self._show(self._others + self._at_home)
            if not self._others and not self._at_home:
                self._send(GoUnattended())
