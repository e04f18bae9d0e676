"""`voicecoach import`: a voice from checkpoints of the BBC's DC-TTS code."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.formatting import printable
from tui.command_line import app, reports_errors, unwind_on_sigterm

if TYPE_CHECKING:
    from engine.jobs.import_models import Imported


@app.command(
    "import", epilog="Example: voicecoach import ljspeech_model_v1.2.tar.gz --voice voices/base"
)
@reports_errors
def import_models(
    models: Annotated[
        Path,
        typer.Argument(
            help="A folder with TensorFlow checkpoints of both networks, a .tar.gz of one, or "
            "the prefix of one checkpoint, such as models/LJ01-1/model_gs_1450k."
        ),
    ],
    voice: Annotated[Path, typer.Option(help="The voice folder to create.")],
    vocabulary: Annotated[
        str | None,
        typer.Option(
            metavar="SYMBOLS",
            help="All symbols in their order, P (padding) and E (end) first.",
            show_default="the BBC's 34 or Kyubyong's 32",
        ),
    ] = None,
) -> int:
    """Make a voice from models trained with the BBC's DC-TTS code."""
    from engine.jobs.import_models import import_voice
    from tui.reports.progress import progress

    with unwind_on_sigterm(), progress("reading the files, in MB") as show:
        imported = import_voice(
            models,
            voice,
            symbols=vocabulary,
            on_progress=lambda what, done, total: show(done // 10**6, total // 10**6, what),
        )
    _print(imported)
    return 0


def _print(imported: "Imported") -> None:
    for network in imported.networks:
        moments = (
            f"optimizer state of {network.updates:,} steps"
            if network.updates is not None
            else "no optimizer state: it starts empty"
        )
        typer.echo(f"{network.title}  step {network.step:,}  {network.parameters:,} parameters")
        typer.echo(f"  {network.sizes}; {moments}")
        typer.echo(f"  from {printable(network.source)}")
    typer.echo(f"vocabulary  {imported.symbols!r}")
    for note in imported.notes:
        typer.echo(f"note: {printable(note)}")
    folder = shlex.quote(str(imported.voice_folder))
    typer.echo(f"The voice is in {printable(folder)}. Next:")
    if imported.missing == "text2mel":
        typer.echo("  (it cannot speak without Text2Mel: import both networks, or train one)")
    else:
        typer.echo(f'  voicecoach say "It is good to talk." --voice {printable(folder)}')
    if imported.missing == "ssrn":
        typer.echo("  (without SSRN it sounds muffled: import both networks, or train one)")
    for network in imported.networks:
        typer.echo(
            f"  voicecoach train RECORDINGS --voice {printable(folder)} --network {network.network}"
        )
