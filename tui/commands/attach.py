"""`voicecoach attach`: opens a screen on a run."""

import gc
from pathlib import Path
from typing import Annotated

import typer

from engine.errors import InputError
from tui.command_line import AsciiOption, BellOption, app, reports_errors


@app.command(epilog="Example: voicecoach attach voices/alice")
@reports_errors
def attach(
    voice: Annotated[
        Path | None,
        typer.Argument(
            help="The voice folder. Optional if this host has one run.",
            show_default=False,
        ),
    ] = None,
    read_only: Annotated[
        bool,
        typer.Option(
            "--read-only",
            help="Watch only; a run that is paused or at its stop does not wait for you.",
        ),
    ] = False,
    bell: BellOption = True,
    ascii_only: AsciiOption = None,
) -> int:
    """Open a screen on a running training; up to 32 screens can be open at once."""
    gc.disable()  # until the first picture
    from tui.process.run import attach_with_screen
    from tui.process.terminal import has_terminal

    folder = _only_run() if voice is None else voice
    if not has_terminal():
        raise InputError("attach needs a terminal; scripts can use `voicecoach ps --json`")
    return attach_with_screen(folder, reading=read_only, ascii_only=ascii_only)


def _only_run() -> Path:
    from engine.attach.registry import known_runs

    runs = [run for run in known_runs() if not run.killed]
    if len(runs) == 1:
        return runs[0].voice_folder
    if not runs:
        raise InputError("you have no run on this host; `voicecoach train` starts one")
    names = ", ".join(str(run.voice_folder) for run in runs)
    raise InputError(f"you have {len(runs)} runs on this host; name one: {names}")
