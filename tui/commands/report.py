"""`voicecoach report`: one page about a voice, to hand over."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from engine.errors import InputError
from tui.command_line import app, reports_errors
from tui.process.streams import print_error


@app.command(epilog="Example: voicecoach report voices/alice --out alice.html")
@reports_errors
def report(
    voice: Annotated[Path, typer.Argument(help="The voice folder.")],
    out: Annotated[Path, typer.Option(metavar="FILE.html", help="The file to write.")],
) -> int:
    """Write one HTML file about a voice: curves, samples, recordings, evaluation, spend."""
    from engine.files import SHARED, write_whole
    from engine.formatting import format_bytes
    from engine.jobs.report import report_on
    from tui.reports.html.page import html_of

    _require_html(out)
    with TemporaryDirectory(prefix="voicecoach-") as spoken:
        content = html_of(report_on(voice, Path(spoken), print_error)).encode(errors="replace")
    write_whole(out, content, SHARED)
    typer.echo(f"{out}  {format_bytes(len(content))}")
    return 0


def _require_html(out: Path) -> None:
    """Refuse a file that cannot be written before time goes into what it would hold."""
    if out.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"--out {out}: give a name that ends in .html.")
    if out.is_dir():
        raise InputError(f"--out {out} is a folder; name a file in it.")
    if out.parent.exists() and not out.parent.is_dir():
        raise InputError(f"--out {out}: {out.parent} is a file, not a folder.")
    if not out.parent.is_dir():
        raise InputError(f"--out {out}: there is no folder {out.parent}; make it first.")
