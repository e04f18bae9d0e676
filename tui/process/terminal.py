"""The terminal that the command was started in: talked to without waiting, and left as it was."""

import contextlib
import os
import select
import signal
import sys
import termios
import time
from collections.abc import Iterator
from typing import Any

from engine.formatting import printable
from tui.characters import is_ascii
from tui.process.streams import let_go_of_standard_streams, point

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


def has_terminal() -> bool:
    """Say whether a screen can be drawn: input, output and Textual's stderr are a terminal."""
    return os.environ.get("TERM") != "dumb" and all(os.isatty(fd) for fd in (0, 1, 2))


class Terminal:
    """The terminal on descriptors 0 to 2; every method returns at once and none raises.

    A terminal can vanish, or stand and be read by nobody: neither may hold up a checkpoint.
    """

    def __init__(self) -> None:
        # As they were found, and as a screen has set them.
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
        line = printable(line)
        if is_ascii():
            from tui.ascii_filter import in_ascii

            line = in_ascii(line.replace("…", "..."))
        self._write(line + "\r\n")

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
                # In the background, trying would stop us.
                before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
                try:
                    termios.tcsetattr(self._writer, termios.TCSANOW, self._modes)
                finally:
                    signal.pthread_sigmask(signal.SIG_SETMASK, before)

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
        in_front = os.tcgetpgrp(terminal) == os.getpgrp()
        return in_front or termios.tcgetattr(terminal) == self._screens_modes

    @contextlib.contextmanager
    def drawn_on(self, log: int) -> Iterator[None]:
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
        point(os.dup(log), 1, 2)
        # The file object is left to itself: closing it could wait for a terminal nobody reads.
        sys.__stdout__ = sys.__stderr__ = os.fdopen(  # type: ignore[misc]
            self._drawn_on, "w", encoding="utf-8", errors="replace", closefd=False
        )
        try:
            yield
        finally:
            sys.__stdout__, sys.__stderr__ = streams  # type: ignore[misc]
            # After `leave` it leads nowhere.
            point(os.dup(self._drawn_on), 1, 2)

    def leave(self) -> None:
        """Let go of the terminal: nothing is read from it or written to it from now on."""
        if self._left:
            return
        self._left = True
        writer, self._writer = self._writer, None
        if writer is not None:
            os.close(writer)
        let_go_of_standard_streams(*([] if self._drawn_on is None else [self._drawn_on]))

    def _write(self, text: str) -> None:
        # A frame that is being written holds the terminal for a moment; a dead one for ever.
        data = text.encode()
        for _ in range(20):
            if self._writer is None or not data:
                return
            try:
                data = data[os.write(self._writer, data) :]
            except BlockingIOError:
                time.sleep(0.01)
            except OSError:
                return
