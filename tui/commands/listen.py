"""`voicecoach listen`: serves the listening page."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.errors import InputError
from tui.command_line import app, reports_errors

if TYPE_CHECKING:
    from tui.page.client import Page

_NICE = 5


@app.command(epilog="Example: voicecoach listen")
@reports_errors
def listen(
    voice: Annotated[
        Path | None,
        typer.Argument(
            help="A voice folder to show besides the runs of this host.", show_default=False
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=65_535,
            help="Port of 127.0.0.1 to serve the page on.",
            show_default="8765, or the next free one",
        ),
    ] = None,
    detached: Annotated[bool, typer.Option("--detached", hidden=True)] = False,
) -> int:
    """Serve the listening page: hear your voices in a browser on your own machine.

    Prints the page's address, then how to reach it from your machine: it listens on this host's
    127.0.0.1 only. If a page is already running, prints its address.
    """
    from tui.page.client import find_page, page_folder, running_page, wait_for_turn
    from tui.page.server import open_port, serve
    from tui.process.logs import open_log

    starting = wait_for_turn()
    _require_port(find_page(), port)
    page = running_page(voice)
    if page is not None:
        _print_address(page)
        return 0
    if detached and os.fork():
        # Whoever started this process waits for it, and not for the page.
        os._exit(0)

    def ready(page: "Page") -> None:
        open_log(page_folder())
        # Training comes before what is drawn and heard of it.
        os.nice(_NICE)
        os.close(starting)
        (_detach if detached else _print_address)(page)

    serve(open_port(port), voice, ready, until_unused=detached)
    sys.stdout.flush()
    # A thread may still be loading torch, which takes seconds and cannot be cut short.
    os._exit(0)


def _require_port(page: "Page | None", port: int | None) -> None:
    """Refuse a port other than that of the page that is running."""
    if page is not None and port not in (None, page.port):
        raise InputError(
            f"the listening page is already running on port {page.port}; leave out --port to use "
            f"it, or end it first: kill {page.process.pid}"
        )


def _print_address(page: "Page") -> None:
    from tui.process.remote import ssh_connection, tunnel_to_page

    print(page.address)
    if line := tunnel_to_page(page.port):
        where = "Run this on your own machine, then open the address in its browser:"
        print(f"{where if ssh_connection() else 'On another computer, run this first:'}\n  {line}")
    sys.stdout.flush()


def _detach(page: "Page") -> None:
    """Say where the page is to whoever started it, and leave their streams."""
    print(page.address, flush=True)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nothing, stream.fileno())
    os.close(nothing)
