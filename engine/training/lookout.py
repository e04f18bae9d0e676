"""Looks again and again beside a run, in threads that no fault of ours may end unnoticed."""

import logging
import threading
from collections.abc import Callable

from engine.run.publisher import Publisher

_log = logging.getLogger(__name__)


def look_every(
    seconds: float,
    ended: threading.Event,
    look: Callable[[], None],
    publisher: Publisher,
    *,
    first: float | None = None,
) -> None:
    """Look every so many seconds until it has `ended`, the `first` time sooner; never raises.

    A look that fails is told, the first time with where in the log, and the next one is made all
    the same: whoever looks watches over money, or over a run that hangs.
    """
    told = ""
    pause = seconds if first is None else first
    while not ended.wait(pause):
        pause = seconds
        try:
            look()
        except Exception as error:
            told = _tell(error, told, publisher)


def _tell(error: Exception, told: str, publisher: Publisher) -> str:
    """Tell a failure unless it was told last; return what was told."""
    try:
        name = threading.current_thread().name
        text = f"{name} failed: {type(error).__name__}: {error}"
        if text != told:
            _log.exception("%s failed", name)
            publisher.event(text, "error")
        return text
    except MemoryError:
        # There is none left to tell it with, and the next look is still needed.
        return told
