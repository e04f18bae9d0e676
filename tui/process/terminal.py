"""The terminal that the command was started in: talked to without waiting, and left as it was."""

import asyncio
import contextlib
import os
import select
import signal
import stat
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, TextIO

from engine.formatting import printable

_MODES_OFF = (
    "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1015l\x1b[?1006l"  # mouse reports
    "\x1b[?1004l"  # focus reports
    "\x1b[?2004l"  # bracketed paste
    "\x1b[?2048l"  # size reports
    "\x1b[?7h"  # wrap long lines again
    "\x1b[?25h"  # show the cursor
    "\x1b[0m"  # no colour
)
_SCREEN_OFF = "\x1b[<u\x1b[?1049l"  # kitty's keys, alternate screen

_Handler = Callable[[int, FrameType | None], Any]

# Wakes a thread out of a system call; the handler has nothing to do.
_POKE = signal.SIGUSR1


def has_terminal() -> bool:
    """Say whether a screen can be drawn: input, output and Textual's stderr are a terminal."""
    return os.environ.get("TERM") != "dumb" and all(os.isatty(fd) for fd in (0, 1, 2))


class Terminal:
    """The terminal on descriptors 0 to 2; every method returns at once and none raises.

    A terminal can vanish, or stand and be read by nobody: neither may hold up a checkpoint.
    """

    def __init__(self) -> None:
        self._modes: list[Any] | None = None
        self._screens_modes: list[Any] | None = None
        self._writer: int | None = None
        self._drawn_on: int | None = None
        self._left = False
        with contextlib.suppress(termios.error):
            self._modes = termios.tcgetattr(0)
        with contextlib.suppress(OSError):
            # A descriptor of its own: O_NONBLOCK set on an inherited one would be the shell's too.
            self._writer = os.open(os.ttyname(0), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)

    @property
    def gone(self) -> bool:
        """Whether nobody can see us any more: hung up, or left behind by `leave`."""
        try:
            termios.tcgetattr(0)
        except termios.error:
            return True
        return self._left

    @property
    def takes_output(self) -> bool:
        """Whether somebody reads at the other end: what is written now would not have to wait."""
        writer = self._writer
        if writer is None:
            return True
        poll = select.poll()
        poll.register(writer, select.POLLOUT)
        return bool(poll.poll(0))

    def say(self, line: str) -> None:
        """Write a line, or drop it if the terminal does not take it now."""
        self._write(printable(line) + "\r\n")

    def put_back(self, *, screen_open: bool) -> None:
        """Restore the modes found at the start and turn off what a screen turns on.

        Args:
            screen_open: the screen did not get to close itself, so its buffer is still shown.
                Left out otherwise: closing it twice moves the cursor onto older lines.
        """
        if self._writer is None:
            return
        self._write((_SCREEN_OFF if screen_open else "") + _MODES_OFF)
        with contextlib.suppress(OSError, termios.error):
            if self._modes is not None and self._has_our_modes(self._writer):
                _set_modes(self._writer, self._modes)

    def note_modes_of_screen(self) -> None:
        """Remember the modes that a screen, which is open, has set."""
        with contextlib.suppress(termios.error):
            self._screens_modes = termios.tcgetattr(0)

    def _has_our_modes(self, terminal: int) -> bool:
        """Whether the modes are for us to restore.

        From the background it is another program's terminal: that of a shell, say, whose job was
        killed in front of us. Shells differ in whether they restore the modes then; one that has
        not is left with the screen's, in which nothing that is typed is shown.
        """
        if os.tcgetpgrp(terminal) == os.getpgrp():
            return True
        return self._screens_modes is not None and (
            termios.tcgetattr(terminal) == self._screens_modes
        )

    @contextlib.contextmanager
    def drawn_on(self, log: TextIO) -> Iterator[None]:
        """Give Textual a descriptor of its own, and point 1 and 2 at an open log meanwhile.

        What a library written in C prints would otherwise land on the screen.
        """
        try:
            # Opened anew: another program that sets O_NONBLOCK on the shell's descriptor would make
            # Textual's writes fail as soon as the terminal is slow, and its thread end.
            self._drawn_on = os.open(os.ttyname(2), os.O_WRONLY | os.O_NOCTTY)
        except OSError:
            self._drawn_on = os.dup(2)
        streams = sys.__stdout__, sys.__stderr__
        # The file object is left to itself: closing it could wait for a terminal nobody reads.
        screen: TextIO = os.fdopen(
            self._drawn_on, "w", encoding="utf-8", errors="replace", closefd=False
        )
        _point(os.dup(log.fileno()), 1, 2)
        sys.__stdout__ = sys.__stderr__ = screen  # type: ignore[misc, assignment]
        try:
            yield
        finally:
            sys.__stdout__, sys.__stderr__ = streams  # type: ignore[misc]
            _point(os.dup(self._drawn_on), 1, 2)

    def leave(self) -> None:
        """Let go of the terminal: nothing is read from it or written to it from now on."""
        if self._left:
            return
        self._left = True
        writer, self._writer = self._writer, None
        if writer is not None:
            os.close(writer)
        let_go_of_standard_streams(*(() if self._drawn_on is None else (self._drawn_on,)))

    def _write(self, text: str) -> None:
        # A frame that is being written holds the terminal for a moment; a dead one for ever.
        data = text.encode()
        for _ in range(20):
            if self._writer is None or not data:
                return
            try:
                data = data[os.write(self._writer, data) :]
            except BlockingIOError:
                threading.Event().wait(0.01)
            except OSError:
                return


def _set_modes(terminal: int, modes: list[Any]) -> None:
    # In the background, trying would stop us.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    try:
        termios.tcsetattr(terminal, termios.TCSANOW, modes)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def let_go_of_standard_streams(*more: int) -> None:
    """Point descriptors 0 to 2, and more, at nothing, and free writes that hang in them.

    A plain file stays: it goes with no terminal, and nobody has to read it.
    """
    of_others = [number for number in (0, 1, 2) if not stat.S_ISREG(os.fstat(number).st_mode)]
    _point(os.open(os.devnull, os.O_RDWR), *of_others, *more)
    free_hanging_writes()


def open_missing_streams() -> None:
    """Point those of the descriptors 0 to 2 that are closed at nothing.

    A file that is opened later would get their number, and with it whatever a library prints.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)


def free_hanging_writes() -> None:
    """Make every Python thread of the screen take its write up again, on today's descriptors.

    A write that an interruption finds waiting is repeated by Python on the descriptor's number,
    which by now points at nothing.
    """
    if signal.getsignal(_POKE) in (signal.SIG_DFL, signal.SIG_IGN, None):
        return
    for thread in threading.enumerate():
        of_screen = type(thread).__module__.startswith("textual.")
        if (of_screen or thread is threading.main_thread()) and thread.ident is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pthread_kill(thread.ident, _POKE)


def allow_freeing_writes() -> None:
    """Install the handler that `free_hanging_writes` needs; call it on the main thread."""
    signal.signal(_POKE, lambda _signum, _frame: None)


def _point(source: int, *targets: int) -> None:
    for target in targets:
        os.dup2(source, target, inheritable=target <= 2)
    os.close(source)


class Suspension:
    """Ctrl+Z and `fg` for a Textual app, in the event loop instead of in a signal handler.

    Textual's own handlers close and open the screen inside the signal handler and wait there for
    the queue of the thread that writes; what the signal interrupted may be holding that very
    queue. They also open the screen a second time at a SIGCONT that follows no suspension.
    """

    def __init__(self, draw: Callable[[], object], before_stop: Callable[[], object]) -> None:
        """Take what draws everything anew, and what is called before this process stops."""
        self._draw = draw
        self._before_stop = before_stop
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
            self._before_stop()
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
