"""How a file on this host reaches the person's own machine."""

import getpass
import shlex
import socket
from pathlib import Path

from engine.files import absolute_path


def address() -> str:
    """Return `user@host` as seen from here; the name may differ from outside."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that no password file knows.
        return socket.gethostname()
    return f"{user}@{socket.gethostname()}"


def scp_line(where: str, path: Path) -> str:
    """Write the command that copies a file from `where` to the current folder."""
    return f"scp {shlex.quote(f'{where}:{absolute_path(path)}')} ."
