"""The log of a voice: what the engine and the screen say while nobody looks."""

import logging
import os
import tempfile
from logging.handlers import RotatingFileHandler
from pathlib import Path

NAME = "voicecoach.log"
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_MOST_BYTES = 1_000_000
_OLD_ONES = 3


def open_log(voice_folder: Path) -> Path:
    """Send all logging of this process, and Python's warnings, to the voice's log.

    The root logger gets it, so that no library's message finds its way onto the screen.
    """
    path = voice_folder / NAME
    voice_folder.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(
        path, maxBytes=_MOST_BYTES, backupCount=_OLD_ONES, encoding="utf-8"
    )
    handler.setFormatter(logging.Formatter(_FORMAT))
    root = logging.getLogger()
    root.addHandler(handler)
    for ours in ("engine", "tui"):
        logging.getLogger(ours).setLevel(logging.INFO)
    logging.captureWarnings(True)
    # A full disk must not print tracebacks onto the screen.
    logging.raiseExceptions = False
    return path


def log_of_this_process() -> Path:
    """Return the log that this process writes; without one, open one among the temporary files."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, RotatingFileHandler):
            return Path(handler.baseFilename)
    descriptor, name = tempfile.mkstemp(prefix="voicecoach-", suffix=".log")
    os.close(descriptor)
    handler = RotatingFileHandler(name, encoding="utf-8")
    handler.setFormatter(logging.Formatter(_FORMAT))
    logging.getLogger().addHandler(handler)
    return Path(name)
