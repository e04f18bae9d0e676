"""`voicecoach attach`: comes back to a run."""

from pathlib import Path
from typing import Annotated

import typer

from engine.errors import InputError
from tui.command_line import AsciiOption, app, reports_errors


@app.command(epilog="Example: voicecoach attach voices/alice")
@reports_errors
def attach(
    voice: Annotated[
        Path | None,
        typer.Argument(
            help="The voice folder. May be left out where this host has one run.",
            show_default=False,
        ),
    ] = None,
    read_only: Annotated[
        bool,
        typer.Option(
            "--read-only",
            help="Look on and steer nothing; a run at its stop, or paused, does not wait for you.",
        ),
    ] = False,
    ascii_only: AsciiOption = False,
) -> int:
    """Open the screen on a run that goes on elsewhere; any number of screens can."""
    from tui.process.attached import attach_with_screen
    from tui.process.terminal import has_terminal

    folder = _only_run() if voice is None else voice
    if not has_terminal():
        raise InputError(
            "attach needs a terminal; `voicecoach ps --json` tells a script where the runs stand"
        )
    return attach_with_screen(folder, reading=read_only, ascii_only=ascii_only)


def _only_run() -> Path:
    from engine.attach.registry import known_runs

    runs = known_runs()
    if len(runs) == 1:
        return runs[0].entry.voice_folder
    if not runs:
        raise InputError("no run of yours is on this host; `voicecoach train` begins one")
    names = ", ".join(str(run.entry.voice_folder) for run in runs)
    raise InputError(f"this host has {len(runs)} runs; say which: {names}")
