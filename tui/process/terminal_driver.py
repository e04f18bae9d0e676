"""Reads the terminal for Textual so that nothing it sends can close the screen or end its keys."""

import asyncio
import logging
import os
import re
import select
import signal
import sys
import time
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator
from typing import Any

from textual import constants, events
from textual._keyboard_protocol import FUNCTIONAL_KEYS
from textual._xterm_parser import (
    BRACKETED_PASTE_END,
    BRACKETED_PASTE_START,
    FOCUSIN,
    FOCUSOUT,
    XTermParser,
)
from textual.drivers.linux_driver import LinuxDriver
from textual.keys import Keys
from textual.message import Message
from textual.messages import TerminalSupportsSynchronizedOutput

LOG = logging.getLogger(__name__)

_POLL_SECONDS = 0.1
_PATIENCE = 2.0
"""Seconds after which an unfinished paste or sequence counts as over."""
_TYPED = 16
"""Bytes at a time that may be typed: they are no sign of a paste that continues."""
MAX_COLUMNS, MAX_ROWS = 1000, 500
"""More than any terminal has; one can claim 65,535 of each, which would take all memory."""
MAX_PASTE = 10_000
"""Characters kept of a paste."""
_MAX_SEQUENCE = 100
"""Bytes of the longest sequence that can mean something."""

_MODES_OF_A_SCREEN = (
    "\x1b[?1049h"  # alternate screen
    "\x1b[r\x1b[?6l\x1b(B\x0f"  # no margins; letters are letters
    "\x1b[?7l\x1b[?25l\x1b[?1004h"  # no wrap, no cursor, focus reports
    "\x1b[0m\x1b[2J"
)
_ESC = b"\x1b"
_SEQUENCE = re.compile(
    rb"""\x1b (?:
      \[M [\x20-\xff]{3}                                  # X10 mouse report
    | \[\[ [@-~]                                          # function key of the Linux console
    | \[ (?![M\[]) [ -?]* [@-~]                           # CSI: keys, SGR mouse, answers
    | O [0-?]* [@-~]                                      # SS3: keys
    | [\]PX^_] [^\x07\x18\x1a\x1b]* (?:[\x07\x18\x1a]|\x1b\\)  # OSC, DCS and other strings
    | [^\[O\]PX^_\x1b\x80-\xff]                           # alt and a key
    )""",
    re.VERBOSE,
)
_BEGINNING = re.compile(
    rb"""\x1b (?:
      \[M [\x20-\xff]{0,2}
    | \[\[
    | \[ [ -?]*
    | O [0-?]*
    | [\]PX^_] [^\x07\x18\x1a\x1b]* (?:\x1b\Z)?
    )?""",
    re.VERBOSE,
)
_MOUSE = re.compile(r"\x1b\[<\d{1,3};\d{1,4};\d{1,4}[Mm]")
_SYNCHRONIZED_OUTPUT = re.compile(r"\x1b\[\?2026;[1-9]\$y")
_LIKE_A_KEY = re.compile(r"\x1b\[[\d:;]*[u~A-FHP-S]")
# code:alternatives ; modifiers:event ; text - as kitty writes a key, xterm's keys included.
_KEY = re.compile(
    r"\x1b\[(\d{0,7})(?::[\d:]*)?"
    r"(?:;(\d{0,3})(?::(\d*))?(?:;([\d:]*))?)?([u~A-FHPQS])"
)
_PRESSED = ("", "1", "2")
"""Kitty's event types of a key that goes down or repeats; 3 is its release."""


class TerminalInput:
    """Turns the bytes of a terminal into messages for an app.

    Unknown sequences and bytes that are not UTF-8 are dropped whole: a parser that took their
    letters for keys could stop the run. Size reports are dropped too; the tty knows its size.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Start with nothing read; `monotonic` tells the time in seconds."""
        self._monotonic = monotonic
        self._parser = XTermParser()
        self._decode = getincrementaldecoder("utf-8")("replace").decode
        self._unfinished = b""
        self._unfinished_since = 0.0
        self._paste: str | None = None
        self._paste_since = 0.0

    def feed(self, data: bytes) -> Iterator[Message]:
        """Yield what the bytes read so far amount to; the rest waits for more of them."""
        goes_on = bool(self._unfinished) and len(data) <= _TYPED
        data = self._unfinished + data
        self._unfinished = b""
        position = 0
        while position < len(data):
            if data[position : position + 1] != _ESC:
                end = data.find(_ESC, position)
                is_cut_off = end >= 0
                end = end if is_cut_off else len(data)
                yield from self._take_text(self._decode(data[position:end], is_cut_off))
            elif whole := _SEQUENCE.match(data, position):
                end = whole.end()
                yield from self._take_sequence(whole[0].decode("latin-1"))
            else:
                beginning = _BEGINNING.match(data, position)
                assert beginning is not None
                end = beginning.end()
                if end == len(data):
                    self._unfinished = beginning[0][: 2 * _MAX_SEQUENCE]
                    if position > 0 or not goes_on:
                        self._unfinished_since = self._monotonic()
                elif beginning[0] == _ESC and data.startswith(_ESC, end):
                    # Before a letter that is not ASCII it is alt, which means nothing to it.
                    yield from self._take_escape()
            position = end

    def take_unfinished(self) -> Iterator[Message]:
        """Yield what an unfinished paste or sequence amounts to once its rest is overdue."""
        now = self._monotonic()
        patience = constants.ESCAPE_DELAY if self._unfinished == _ESC else _PATIENCE
        if self._unfinished and now - self._unfinished_since >= patience:
            if self._unfinished == _ESC:
                yield from self._take_escape()
            self._unfinished = b""
        if self._paste is not None and now - self._paste_since >= _PATIENCE:
            yield from self._end_paste()

    def _take_text(self, text: str) -> Iterator[Message]:
        # U+FFFD stands for bytes that are not UTF-8.
        text = "".join(c for c in text if c != "\ufffd" and not "\x80" <= c <= "\x9f")
        if self._paste is not None:
            self._paste = (self._paste + text)[:MAX_PASTE]
            if len(text) > _TYPED:
                self._paste_since = self._monotonic()
            return
        for character in text:
            yield from self._look_up(character)

    def _take_escape(self) -> Iterator[Message]:
        if self._paste is None:
            yield events.Key("escape", "\x1b")

    def _take_sequence(self, sequence: str) -> Iterator[Message]:
        if sequence == BRACKETED_PASTE_END:
            yield from self._end_paste()
        elif self._paste is not None or len(sequence) > _MAX_SEQUENCE:
            return
        elif sequence == BRACKETED_PASTE_START:
            self._paste = ""
            self._paste_since = self._monotonic()
        elif sequence in (FOCUSIN, FOCUSOUT):
            yield events.AppFocus() if sequence == FOCUSIN else events.AppBlur()
        elif _SYNCHRONIZED_OUTPUT.fullmatch(sequence):
            yield TerminalSupportsSynchronizedOutput()
        elif _MOUSE.fullmatch(sequence):
            yield from filter(None, [self._parser.parse_mouse_code(sequence)])
        elif _LIKE_A_KEY.fullmatch(sequence):
            yield from self._take_key(sequence)
        elif len(sequence) == 2:
            keys = list(self._look_up(sequence))
            yield from keys or self._look_up(sequence[1], alt=True)
        else:
            yield from self._look_up(sequence)

    def _take_key(self, sequence: str) -> Iterator[Message]:
        if (key := _KEY.fullmatch(sequence)) is None:
            return
        code, modifiers, event, text, final = key.groups(default="")
        is_known = f"{code or 1}{final}" in FUNCTIONAL_KEYS
        if event in _PRESSED and (is_known or (final == "u" and _is_printable(code))):
            text = ":".join(part for part in text.split(":") if _is_printable(part))
            yield from self._look_up(f"\x1b[{code};{modifiers};{text}{final}")

    def _look_up(self, sequence: str, *, alt: bool = False) -> Iterator[Message]:
        for key in self._parser._sequence_to_key_events(sequence, alt=alt):
            if key.key != Keys.Ignore:
                yield key

    def _end_paste(self) -> Iterator[Message]:
        paste, self._paste = self._paste, None
        if paste:
            yield events.Paste(paste.replace("\x00", ""))


def _is_printable(code_point: str) -> bool:
    number = int(code_point) if 0 < len(code_point) < 8 else 0
    return number <= sys.maxunicode and chr(number).isprintable()


class TerminalDriver(LinuxDriver):
    """Textual's driver, whose input survives whatever is read and whatever fails.

    Ctrl+Z and `fg` are handled in the event loop: Textual's own signal handlers close and open the
    screen inside the handler and wait there for the queue of the thread that writes; what the
    signal interrupted may be holding that very queue. They also open the screen a second time at
    a SIGCONT that follows no suspension.
    """

    def __init__(self, app: Any, **options: Any) -> None:  # noqa: ANN401 (Textual's own)
        super().__init__(app, **options)
        self._before_suspension = app.before_suspension
        self._size = self._size or self._get_terminal_size()
        self._suspended = False
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTSTP, self._suspend)
        loop.add_signal_handler(signal.SIGCONT, self._resume)

    def _suspend(self) -> None:
        if not self._suspended:
            self._suspended = True
            self._before_suspension()
            self._sigtstp_application()

    def _resume(self) -> None:
        if self._suspended:
            self._suspended = False
            self._sigcont_application()
        # A SIGSTOP does not close the screen, and a shell may have written on it since.
        self._app.refresh(layout=True)

    def set_modes_anew(self) -> None:
        """Set what another program on the same terminal may have changed, and clear the screen."""
        self.write(_MODES_OF_A_SCREEN)
        self._enable_mouse_support()
        self._enable_bracketed_paste()
        self.flush()

    def _get_terminal_size(self) -> tuple[int, int]:
        """Return columns and rows, at most so many as there is memory to draw."""
        columns, rows = super()._get_terminal_size()
        return min(columns, MAX_COLUMNS), min(rows, MAX_ROWS)

    def run_input_thread(self) -> None:
        """Pass on what is read until the screen closes."""
        terminal_input = TerminalInput()
        logged: set[type[Exception]] = set()
        while not self.exit_event.is_set():
            try:
                for message in self._read(terminal_input):
                    self.process_message(message)
            except Exception as error:
                if type(error) not in logged:
                    logged.add(type(error))
                    LOG.exception("dropped terminal input")
                terminal_input = TerminalInput()
                self.exit_event.wait(_POLL_SECONDS)

    def _read(self, terminal_input: TerminalInput) -> Iterator[Message]:
        if select.select([self.fileno], [], [], _POLL_SECONDS)[0]:
            data = os.read(self.fileno, 4096)
            if not data:
                # The terminal is gone; the signal watch handles that.
                self.exit_event.wait(_POLL_SECONDS)
            yield from terminal_input.feed(data)
        yield from terminal_input.take_unfinished()
