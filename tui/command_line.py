"""What all commands share: the command line itself, common options, how errors are told."""

import contextlib
import functools
import logging
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Annotated, Any, NoReturn, ParamSpec, TextIO

import typer
from typer.core import TyperCommand

from engine.errors import EngineError, VoicecoachError
from engine.run.stop import HOW_TO_SAY_WHEN_IN_A_SHELL
from tui.formatting import printable
from tui.process.terminal import open_missing_streams

LOG = logging.getLogger(__name__)

_INTERRUPTED = 130  # 128 + SIGINT, as shells count
_Given = ParamSpec("_Given")
_DASHED_TEXT = re.compile("-[^-A-Za-z]")

app = typer.Typer(
    name="voicecoach",
    help="Train a synthetic voice on a GPU host and supervise it from a terminal.",
    epilog="Example: voicecoach demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

AsciiOption = Annotated[
    bool, typer.Option("--ascii", help="Draw without colour blocks and special characters.")
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, or a GPU such as cuda:0.")]
HoldOption = Annotated[
    bool,
    typer.Option(
        "--hold",
        help="While a screen is open, wait at the stop or the budget without limit, not just 5 "
        "minutes after the last key.",
    ),
]
HeadlessOption = Annotated[
    bool, typer.Option("--headless", help="No screen: one readable line every few seconds.")
]
PriceOption = Annotated[
    float | None,
    typer.Option(metavar="USD", help="What this machine costs, in US dollars an hour."),
]
AutoPriceOption = Annotated[
    str | None,
    typer.Option(
        metavar="USD",
        help="What this machine costs, in US dollars an hour, or auto: what its cloud says.",
    ),
]
BudgetOption = Annotated[
    str | None,
    typer.Option(
        metavar="AMOUNT",
        help="What all training of the voice may cost, idle time included, such as 30: warns at "
        "80 %, saves and ends at 100 %; none for no budget.",
        show_default="as the voice has it",
    ),
]
StopOption = Annotated[
    str | None,
    typer.Option(
        metavar="WHEN",
        help=f"When to stop: {HOW_TO_SAY_WHEN_IN_A_SHELL}, or none.",
        show_default="the one that the run before had not come to",
    ),
]


class TextCommand(TyperCommand):
    """A command whose argument is a text, which may begin with a dash as `-5°C` does."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 (typer's own)
        """Take for text what begins with a dash that no letter or dash follows."""
        if any(_DASHED_TEXT.match(argument) for argument in args):
            ctx.ignore_unknown_options = True
        return super().parse_args(ctx, args)


def reports_errors(command: Callable[_Given, int]) -> Callable[_Given, None]:
    """Turn what a command returns or raises into a sentence on stderr and an exit code."""

    @functools.wraps(command)
    def run(*args: _Given.args, **kwargs: _Given.kwargs) -> None:
        try:
            code = command(*args, **kwargs)
            sys.stdout.flush()
        except VoicecoachError as error:
            print_error(str(error))
            code = error.exit_code
        except KeyboardInterrupt:
            code = _INTERRUPTED
        except Exception as error:
            if os.environ.get("VOICECOACH_DEBUG") or isinstance(error, typer.Exit):
                raise
            code = _tell_unforeseen(error)
        raise typer.Exit(code)

    return run


class OutputError(EngineError):
    """Standard output takes nothing, for another reason than that nobody reads it any more."""


class _Output:
    """Standard output or standard error, whose failures Python makes tracebacks of.

    A reader that has gone has seen enough: the command ends as it would have. What standard error
    does not take can be told nowhere.
    """

    def __init__(self, stream: TextIO, *, tells: bool) -> None:
        self._stream = stream
        self._tells = tells

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (whatever the stream has)
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text.

        Raises:
            OutputError: standard output does not take it.
        """
        with self._seen_to():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Write what is buffered; raises as `write`."""
        with self._seen_to():
            self._stream.flush()

    def let_go(self) -> None:
        """Drop what cannot be written: Python would try again at its end, and exit with 120."""
        try:
            self._stream.flush()
        except OSError:
            self._point_nowhere()

    @contextlib.contextmanager
    def _seen_to(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            self._point_nowhere()
        except OSError as error:
            if self._tells:
                raise OutputError(
                    f"standard output cannot be written ({error.strerror or error}); free some "
                    f"space there, or send it elsewhere."
                ) from error

    def _point_nowhere(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)


@contextlib.contextmanager
def standard_streams() -> Iterator[None]:
    """Let standard output and standard error be full, closed or without a reader meanwhile."""
    open_missing_streams()
    before = sys.stdout, sys.stderr
    # Of one that was closed Python makes None.
    out, errors = (
        stream or open(number, "w", closefd=False)  # noqa: SIM115 (a descriptor)
        for number, stream in enumerate(before, start=1)
    )
    made = [_Output(out, tells=True), _Output(errors, tells=False)]
    sys.stdout, sys.stderr = made
    try:
        yield
    except OutputError as error:
        # Of the help or the version; a command tells its own.
        print_error(str(error))
        sys.exit(error.exit_code)
    finally:
        sys.stdout, sys.stderr = before
        for stream in made:
            stream.let_go()


def _tell_unforeseen(error: Exception) -> int:
    from tui.process.endings import sentence_about
    from tui.process.log_file import log_of_this_process

    log = log_of_this_process()
    LOG.exception("the command failed")
    print_error(sentence_about(error, log))
    return 1


@contextlib.contextmanager
def unwind_on_sigterm() -> Iterator[None]:
    """Let a SIGTERM unwind the block, so that what is half made is removed first."""

    def leave(number: int, _: object) -> NoReturn:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def print_error(sentence: str) -> None:
    """Write a sentence for the person on stderr, in one line whatever the names in it hold."""
    print(f"voicecoach: {printable(sentence)}", file=sys.stderr)


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"voicecoach {version('voicecoach')}")
        raise typer.Exit


@app.callback()
def _voicecoach(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Say which one."),
    ] = False,
) -> None:
    """Train a synthetic voice on a GPU host and supervise it from a terminal."""
