"""`voicecoach export`: a voice for use elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from engine.run.sample import parse_step
from tui.command_line import app, checkpoint_option, reports_errors
from tui.process.streams import print_error


@app.command(epilog="Example: voicecoach export voices/alice --out alice-1.0")
@reports_errors
def export(
    voice: Annotated[Path, typer.Argument(help="The voice folder.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to create.")],
    step: Annotated[
        str | None,
        checkpoint_option("The Text2Mel checkpoint to export: a step, best or base."),
    ] = None,
    ssrn_step: Annotated[
        str | None, checkpoint_option("The SSRN checkpoint to export, likewise.")
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="16-bit weights: half the size.")] = False,
) -> int:
    """Write a small copy of a voice for use elsewhere: settings, weights and a README."""
    from engine.jobs.export import export_voice

    choice = None if step is None else parse_step(step, "--step")
    ssrn_choice = None if ssrn_step is None else parse_step(ssrn_step, "--ssrn-step")
    done = export_voice(voice, out, step=choice, ssrn_step=ssrn_choice, half=half)
    ssrn = "no SSRN yet: it speaks from the mel alone"
    if done.ssrn_step is not None:
        ssrn = f"SSRN at step {done.ssrn_step:,}"
    typer.echo(f"{done.folder}  Text2Mel at step {done.step:,}, {ssrn}; {done.size / 1e6:.1f} MB")
    for reason in done.chosen:
        typer.echo(reason)
    if done.lacking:
        print_error("a voice needs two networks: {}; train it: {}".format(*done.lacking))
    return 0
