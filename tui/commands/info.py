"""`voicecoach info`: what a voice is made of."""

from pathlib import Path
from typing import Annotated

import typer

from tui.command_line import AsciiOption, app, reports_errors


@app.command(epilog="Example: voicecoach info voices/alice --json")
@reports_errors
def info(
    voice: Annotated[Path, typer.Argument(help="The voice folder.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ascii_only: AsciiOption = None,
) -> int:
    """Show what a voice is made of: corpus, networks, checkpoints, spend."""
    from engine.jobs.info import describe
    from tui.reports.info import print_json, print_tables

    (print_json if as_json else print_tables)(describe(voice))
    return 0
