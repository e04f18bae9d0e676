"""Files that are there whole or not at all."""

import os
import threading
from pathlib import Path

from engine.errors import EngineError


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that no reader, and no power cut, ever meets half of it.

    Raises `EngineError` naming the file when it cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise EngineError(
            f"{path} cannot be written: {error.strerror}. Free some space or choose another place."
        ) from error
