"""The command `voicecoach`: every module of `tui.commands` adds its own command."""

import gc
import logging
import os
import sys
import threading
from importlib import import_module

# Imports leave nothing to collect, and looking for it would take a fifth of their time.
gc.disable()

from tui.command_line import app  # noqa: E402
from tui.process.streams import standard_streams  # noqa: E402

_COMMANDS = (
    "demo", "check", "clean", "train", "attach", "listen", "ps",
    "import", "say", "export", "evaluate", "report", "info", "bench",
)  # fmt: skip
"""In the order in which the help lists them."""

# Of a command that is named, its module alone: it is to start at once.
for _name in [name for name in sys.argv[1:2] if name in _COMMANDS] or _COMMANDS:
    import_module(f"tui.commands.{'import_models' if _name == 'import' else _name}")

gc.freeze()
gc.enable()

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line; the installed script calls this."""
    try:
        with standard_streams():
            app()
    except SystemExit as end:
        if isinstance(end.code, int) and "torch" in sys.modules:
            _end_at_once(end.code)
        raise


def _end_at_once(code: int) -> None:
    """End with an exit code, unless threads of ours still have work to do.

    What torch does at a normal exit can abort the process when memory is used up; its exit code
    would then not say how the run ended.
    """
    others = (one for one in threading.enumerate() if one is not threading.main_thread())
    if all(one.daemon for one in others):
        logging.shutdown()
        os._exit(code)
