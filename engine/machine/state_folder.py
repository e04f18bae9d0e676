"""What voicecoach remembers on a host outside any voice: a folder for its owner alone."""

import contextlib
import errno
import os
from pathlib import Path


def state_folder() -> Path:
    """Where it is: below `XDG_STATE_HOME`, by default `~/.local/state`.

    Raises:
        OSError: this account has no home folder, as in some containers.
    """
    state = os.environ.get("XDG_STATE_HOME", "")
    try:
        base = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
    except RuntimeError as error:
        told = "this account has no home folder; give it one in HOME"
        raise FileNotFoundError(errno.ENOENT, told) from error
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

    No other process meets half of it. It is not made to survive a power cut: whoever reads it
    can do without.

    Raises:
        OSError: it cannot be written, or the folder is open to others.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    require_own(path.parent)
    part = path.with_name(f".{path.name}.{os.urandom(4).hex()}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        part.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
