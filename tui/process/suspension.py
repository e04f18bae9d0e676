"""Ctrl+Z and `fg` for a Textual app: in the event loop instead of in a signal handler."""

import asyncio
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

_Handler = Callable[[int, FrameType | None], Any]


class Suspension:
    """Takes job control over from Textual, whose own handlers can hang for ever.

    They close and open the screen inside the signal handler and wait there for the queue of
    the thread that writes; what the signal interrupted may be holding that very queue. They
    also open the screen a second time at a SIGCONT that follows no suspension, and leave it
    empty but for what changes afterwards.
    """

    def __init__(
        self, draw: Callable[[], object], about_to_stop: Callable[[], object] | None = None
    ) -> None:
        """Suspend and resume an app.

        Args:
            draw: draws everything, once the screen is open again.
            about_to_stop: called before this process stops itself.
        """
        self._draw = draw
        self._about_to_stop = about_to_stop
        self._close_and_stop: _Handler | None = None
        self._open: _Handler | None = None
        self._suspended = False

    def take_over(self) -> None:
        """Replace Textual's handlers; call it in the event loop of a running app."""
        self._close_and_stop = _handler_of(signal.SIGTSTP)
        self._open = _handler_of(signal.SIGCONT)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTSTP, self._suspend)
        loop.add_signal_handler(signal.SIGCONT, self._resume)

    def _suspend(self) -> None:
        if self._close_and_stop is not None and not self._suspended:
            self._suspended = True
            if self._about_to_stop is not None:
                self._about_to_stop()
            self._close_and_stop(signal.SIGTSTP, None)

    def _resume(self) -> None:
        if self._open is not None and self._suspended:
            self._suspended = False
            self._open(signal.SIGCONT, None)
        # A SIGSTOP does not close the screen, and a shell may have written on it since.
        self._draw()


def _handler_of(signum: signal.Signals) -> _Handler | None:
    handler = signal.getsignal(signum)
    return handler if callable(handler) else None
