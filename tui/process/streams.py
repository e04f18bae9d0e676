"""Standard input, output and error, which may be closed, full, hung or without a reader."""

import contextlib
import logging
import os
import signal
import stat
import sys
import threading
from collections.abc import Iterator
from typing import Any, TextIO

from engine.errors import EngineError
from engine.formatting import printable
from tui.characters import is_ascii

LOG = logging.getLogger(__name__)

# Wakes a thread out of a system call; the handler has nothing to do.
_POKE = signal.SIGUSR1


class OutputError(EngineError):
    """Standard output cannot be written, and not because its reader is gone."""


class _Output:
    """A standard stream without a buffer: what it refuses appears neither late nor twice.

    A reader that is gone has seen enough: the command ends as it would have. What standard error
    does not take is dropped.
    """

    def __init__(self, stream: TextIO, *, raises: bool) -> None:
        self._stream = stream
        self._raises = raises
        self._torn = False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (whatever the stream has)
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text; raises OutputError where standard output does not take it."""
        length = len(text)
        if not text.isascii() and self._stream.isatty() and is_ascii():
            from tui.ascii_filter import in_ascii

            text = in_ascii(text)
        # A line that was cut off does not swallow the next one.
        content = ("\n" * self._torn + text).encode(self._stream.encoding, "backslashreplace")
        try:
            while content:
                content = content[os.write(self._stream.fileno(), content) :]
                self._torn = bool(content)
        except BrokenPipeError:
            LOG.info("nobody reads descriptor %d", self._stream.fileno())
            point(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
        except OSError as error:
            if self._raises:
                raise OutputError(
                    f"standard output cannot be written ({error.strerror or error}); free some "
                    f"space there, or redirect it elsewhere."
                ) from error
        return length

    def flush(self) -> None:
        """Do nothing: all is written."""


@contextlib.contextmanager
def standard_streams() -> Iterator[None]:
    """Bear standard streams that are full, closed or without a reader."""
    # A file that is opened later would get the number of one that is closed, and with it whatever
    # a library prints.
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    before = sys.stdout, sys.stderr
    # Of one that was closed Python makes None.
    out, errors = (
        stream or open(number, "w", closefd=False)  # noqa: SIM115 (a descriptor)
        for number, stream in enumerate(before, start=1)
    )
    sys.stdout, sys.stderr = _Output(out, raises=True), _Output(errors, raises=False)
    try:
        yield
    except OutputError as error:
        # Of the help or the version; a command reports its own.
        print_error(str(error))
        sys.exit(error.exit_code)
    finally:
        sys.stdout, sys.stderr = before


def print_error(sentence: str) -> None:
    """Write a sentence for the person on stderr, in one line whatever the names in it hold."""
    sys.stderr.write(f"voicecoach: {printable(sentence)}\n")


def let_go_of_standard_streams(*more: int) -> None:
    """Point descriptors 0 to 2, and more, at nothing, and free writes that hang in them.

    A plain file stays: it goes with no terminal, and nobody has to read it.
    """
    of_others = [number for number in (0, 1, 2) if not stat.S_ISREG(os.fstat(number).st_mode)]
    point(os.open(os.devnull, os.O_RDWR), *of_others, *more)
    if not callable(signal.getsignal(_POKE)):
        return
    # A write that an interruption finds waiting is repeated by Python on the descriptor's number,
    # which by now points at nothing.
    for thread in threading.enumerate():
        of_screen = type(thread).__module__.startswith("textual.")
        if (of_screen or thread is threading.main_thread()) and thread.ident is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pthread_kill(thread.ident, _POKE)


def allow_freeing_writes() -> None:
    """Install the handler that frees writes; call it on the main thread."""
    signal.signal(_POKE, lambda _signum, _frame: None)


def point(source: int, *targets: int) -> None:
    """Make descriptors lead where another one does, which is closed."""
    for target in targets:
        os.dup2(source, target, inheritable=target <= 2)
    os.close(source)
