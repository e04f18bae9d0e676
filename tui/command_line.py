"""What all commands share: the command line itself, common options, error messages."""

import contextlib
import functools
import logging
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal, NoReturn, ParamSpec

import typer
from typer.core import TyperCommand, TyperGroup

from engine.choices import CleanerName
from engine.errors import VoicecoachError, explain
from engine.run.stop import STOP_FORMS_IN_A_SHELL
from tui import alerts
from tui.characters import choose
from tui.process.streams import print_error

LOG = logging.getLogger(__name__)

_INTERRUPTED = 130  # 128 + SIGINT, as shells count
_Given = ParamSpec("_Given")
_DASHED_TEXT = re.compile("-[^-A-Za-z]")
# One that was given without its option; it may hold a password.
_ADDRESS = re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s()]+", re.IGNORECASE)

_UsageError: Any = typer.BadParameter.__mro__[1]
# What typer's parsers say of numbers.
_PARSERS_WORDS = (
    ("not a valid int range", "not a whole number"),
    ("not a valid int", "not a whole number"),
    ("not a valid float", "not a number"),
)


class Commands(TyperGroup):
    """All commands; what is wrong with a command line is one sentence, like any other error."""

    def main(self, *args: Any, standalone_mode: bool = True, **given: Any) -> Any:  # noqa: ANN401
        """Run a command line; ends the process unless told not to."""
        try:
            code = super().main(*args, **{**given, "standalone_mode": False})
        except _UsageError as error:
            if not standalone_mode:
                raise
            if type(error).__name__ != "NoArgsIsHelpError":  # whose help is on the screen
                print_error(_usage_sentence(error))
            code = error.exit_code
        if standalone_mode:
            sys.exit(code or 0)
        return code


def _usage_sentence(error: Any) -> str:  # noqa: ANN401 (of typer's own copy of click)
    words = " ".join(error.format_message().split()).removesuffix(".")
    words = _ADDRESS.sub(r"\1…", words)
    for theirs, ours in _PARSERS_WORDS:
        words = words.replace(theirs, ours)
    return f"{words} (see `{error.ctx.command_path} --help`)" if error.ctx else words


app = typer.Typer(
    name="voicecoach",
    cls=Commands,
    help="Train a synthetic voice on a GPU host and supervise it from a terminal.",
    epilog="Example: voicecoach demo",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

# The callback has all that is printed follow the choice; a screen takes it as an argument.
AsciiOption = Annotated[
    bool | None,
    typer.Option(
        "--ascii/--no-ascii",
        callback=choose,
        help="Print ASCII characters only.",
        show_default="if the terminal shows no others",
    ),
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, or a GPU such as cuda:0.")]


def checkpoint_option(does: str, *names: str) -> Any:  # noqa: ANN401 (as typer.Option)
    """Return the option that names a checkpoint, for `parse_step` to read."""
    return typer.Option(*names, metavar="STEP|best|base", help=does, show_default="the newest")


HoldOption = Annotated[
    bool,
    typer.Option(
        "--hold",
        help="With a screen, wait at the stop or the budget without limit, not only 5 minutes "
        "after the last key.",
    ),
]
HeadlessOption = Annotated[
    bool, typer.Option("--headless", help="No screen: print a line every few seconds.")
]
PriceOption = Annotated[
    str | None,
    typer.Option(metavar="USD", help="Price of this machine in US dollars per hour."),
]
AutoPriceOption = Annotated[
    str | None,
    typer.Option(
        metavar="USD",
        help="Price of this machine in US dollars per hour, or auto: ask its cloud.",
    ),
]
BudgetOption = Annotated[
    str | None,
    typer.Option(
        metavar="AMOUNT",
        help="Budget in US dollars for all training of the voice, idle time included, such as 30: "
        "warns at 80 %, saves and ends at 100 %; none for no budget.",
        show_default="as the voice has it",
    ),
]
NotifyOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="URL",
        envvar="VOICECOACH_NOTIFY",
        help="Send notices to this apprise URL, such as ntfy://topic or "
        "mailto://user:password@host; repeatable. The environment variable, which other users "
        "cannot read, takes several, separated by spaces.",
    ),
]
BellOption = Annotated[
    bool,
    typer.Option(
        "--bell/--no-bell",
        envvar="VOICECOACH_BELL",
        callback=alerts.choose,
        help="Ring the terminal's bell at the stop and when the run needs you.",
    ),
]
VocabularyOption = Annotated[
    str | None,
    typer.Option(
        metavar="SYMBOLS",
        help="Symbols of the voice to come: P, E, space, letters, marks.",
        show_default="those of --against, or the BBC's 34",
    ),
]
CleanerOption = Annotated[
    CleanerName | None,
    typer.Option(
        help="How that voice will read text: english spells out numbers and abbreviations, plain "
        "reads any language as written.",
        show_default="that of --against, or english",
    ),
]
StopOption = Annotated[
    str | None,
    typer.Option(
        metavar="WHEN",
        help=f"When to stop: {STOP_FORMS_IN_A_SHELL}, or none.",
        show_default="the previous run's stop, if not reached",
    ),
]
StopWhenOption = Annotated[
    Literal["flat"] | None,
    typer.Option(
        help="Also stop when neither the held-out loss nor the measured sentences improve any "
        "more; give it at each start.",
        show_default="never",
    ),
]
TensorboardOption = Annotated[
    bool | None,
    typer.Option(
        "--tensorboard/--no-tensorboard",
        help="Write event files for TensorBoard into the voice folder.",
        show_default="as the voice has it, or no",
    ),
]


class TextCommand(TyperCommand):
    """A command whose argument is a text, which may start with a dash as `-5°C` does."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 (typer's own)
        """Take an argument that starts with a dash and no letter or dash after it as text."""
        if any(_DASHED_TEXT.match(argument) for argument in args):
            ctx.ignore_unknown_options = True
        return super().parse_args(ctx, args)


def reports_errors(command: Callable[_Given, int]) -> Callable[_Given, None]:
    """Turn what a command returns or raises into an exit code and a sentence on stderr."""

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
            code = _report_unexpected(error)
        raise typer.Exit(code)

    return run


def _report_unexpected(error: Exception) -> int:
    from tui.process.logs import log_of_this_process

    log = log_of_this_process()
    LOG.exception("the command failed")
    print_error(explain(error, log))
    return 1


@contextlib.contextmanager
def unwind_on_sigterm() -> Iterator[None]:
    """Raise SystemExit at a SIGTERM, so that half-made files are removed on the way out."""

    def leave(number: int, _: object) -> NoReturn:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"voicecoach {version('voicecoach')}")
        raise typer.Exit


@app.callback()
def _voicecoach(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Train a synthetic voice on a GPU host and supervise it from a terminal."""
    if context.invoked_subcommand is None:
        _show_runs_or_how_to_begin()


@reports_errors
def _show_runs_or_how_to_begin() -> int:
    from tui.reports.ps import print_how_to_begin, print_runs, query_runs

    runs = query_runs()
    print_runs(runs) if runs else print_how_to_begin()
    return 0
