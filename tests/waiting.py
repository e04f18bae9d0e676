"""Waiting for what a test cannot hurry."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest


def wait_until(true: Callable[[], Any], what: str = "it", deadline: float = 60.0) -> Any:
    """Return what a condition gives as soon as that is true; fail when it does not come to be."""
    end = time.monotonic() + deadline
    pause = threading.Event()
    while not (found := true()):
        if time.monotonic() > end:
            pytest.fail(f"waited {deadline:.0f} s for {what}")
        pause.wait(0.01)
    return found
