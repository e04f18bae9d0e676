"""`voicecoach evaluate`: how good checkpoints of a voice are."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.choices import NetworkName
from engine.run.sample import parse_step
from tui.command_line import AsciiOption, app, reports_errors, unwind_on_sigterm
from tui.process.streams import print_error

if TYPE_CHECKING:
    from engine.jobs.evaluate import Choice


@app.command(epilog="Example: voicecoach evaluate voices/alice --step best --step 12k")
@reports_errors
def evaluate(
    voice: Annotated[Path, typer.Argument(help="The voice folder.")],
    network: Annotated[
        NetworkName, typer.Option(help="The network whose checkpoints are evaluated.")
    ] = "text2mel",
    step: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STEP|best|base|all",
            help="A checkpoint; repeatable. Those that were measured before are only shown.",
            show_default="all",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ascii_only: AsciiOption = None,
) -> int:
    """Measure checkpoints of a voice: attention, sound, held-out loss.

    Exit code 1: some checkpoint cannot be measured.
    """
    from engine.jobs.evaluate import evaluate as run
    from tui.reports.evaluation import print_evaluated
    from tui.reports.info import print_json
    from tui.reports.progress import progress

    in_lines = partial(progress, in_lines=True)  # it takes minutes
    choices = [_choice(one) for one in step or ["all"]]
    try:
        with unwind_on_sigterm():
            done = run(voice, network, choices, in_lines)
    except (KeyboardInterrupt, SystemExit):
        print_error(
            "interrupted: the checkpoint in work is lost, those before it are kept; the same "
            "command measures the rest"
        )
        raise
    for trouble in done.troubles:
        print_error(trouble)
    if as_json:
        print_json(done.as_json())
    else:
        print_evaluated(done)
    return 1 if done.troubles else 0


def _choice(text: str) -> "Choice":
    word = text.strip().lower()
    return "all" if word == "all" else parse_step(text, "--step", or_word="all")
