"""`voicecoach ps`: the runs of this host."""

from typing import Annotated

import typer

from tui.command_line import AsciiOption, app, reports_errors


@app.command(epilog="Example: voicecoach ps --json")
@reports_errors
def ps(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ascii_only: AsciiOption = None,
) -> int:
    """List your runs on this host, killed ones too: step, speed or state, spend, last seen."""
    from tui.reports.ps import print_runs, print_runs_as_json, query_runs

    (print_runs_as_json if as_json else print_runs)(query_runs())
    return 0
