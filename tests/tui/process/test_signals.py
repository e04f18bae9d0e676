"""The watch over a process's end, which must hear signals whatever else fails."""

import subprocess
import sys

FAILING = """
import os, signal, sys, threading
from types import SimpleNamespace
from engine.run.snapshot import Phase
from tui.process import signals
from tui.process.headless import Lines

heard, looked = threading.Event(), threading.Event()

class Outlet(Lines):
    @property
    def lost(self):
        looked.set()
        raise ZeroDivisionError("nobody thought of it")

session = SimpleNamespace(
    error=None,
    join=lambda timeout: False,
    snapshot=lambda: SimpleNamespace(
        phase=Phase.TRAINING, interrupted=False, end_waits_for=""
    ),
    send=lambda command: heard.set(),
)
one = signals.SignalWatch(session, Outlet())
one.handle_signals()
one.start()
assert looked.wait(60)
os.kill(os.getpid(), signal.SIGTERM)
sys.exit(0 if heard.wait(60) else 3)
"""


def test_a_watch_that_failed_once_still_hears_the_signal_to_end():
    done = subprocess.run(
        [sys.executable, "-c", FAILING], timeout=150, capture_output=True, text=True
    )
    assert (done.returncode, "Traceback" in done.stdout) == (0, False), done.stderr
