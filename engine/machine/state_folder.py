"""What voicecoach keeps on a host outside any voice: a folder for its owner alone."""

import errno
import os
from pathlib import Path

from engine.files import make_folder, replacing


def state_folder() -> Path:
    """Where it is: below `XDG_STATE_HOME`, by default `~/.local/state`.

    Raises:
        OSError: this account has no home folder, as in some containers.
    """
    state = os.environ.get("XDG_STATE_HOME", "")
    try:
        base = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
    except RuntimeError as error:
        reason = "this account has no home folder; give it one in HOME"
        raise FileNotFoundError(errno.ENOENT, reason) from error
    return base / "voicecoach"


def require_own(folder: Path) -> None:
    """Refuse a folder in which others could have written.

    Raises:
        OSError: it is not this person's alone, or is not there.
    """
    status = folder.stat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise PermissionError(f"{folder} is not yours alone")


def write_own(path: Path, content: bytes) -> None:
    """Write a file, and its folder where there is none, for their owner alone.

    Raises:
        OSError: it cannot be written, or the folder is open to others.
    """
    make_folder(path.parent)
    require_own(path.parent)
    with replacing(path) as file:
        file.write(content)
