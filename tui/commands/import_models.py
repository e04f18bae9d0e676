"""`voicecoach import`: a voice from checkpoints of the BBC's DC-TTS code."""

import contextlib
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.formatting import printable
from tui.command_line import app, reports_errors, unwind_on_sigterm

if TYPE_CHECKING:
    from engine.jobs.import_models import Imported

_ShowProgress = Callable[[str, int, int], None]


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

    with unwind_on_sigterm(), _progress() as show:
        imported = import_voice(models, voice, symbols=vocabulary, on_progress=show)
    _print(imported)
    return 0


@contextlib.contextmanager
def _progress() -> Iterator[_ShowProgress]:
    """Show a bar on stderr where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    console = Console(stderr=True, markup=False, highlight=False)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("reading the files", total=None)

        def show(what: str, done: int, total: int) -> None:
            # Without a total, which only writing has, the bar is in motion instead.
            progress.update(task, description=what, completed=done, total=total or None)

        yield show


def _print(imported: "Imported") -> None:

    for network in imported.networks:
        moments = (
            f"optimizer state of {network.updates:,} steps"
            if network.moments
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
