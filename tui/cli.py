"""The command `voicecoach`: every module of `tui.commands` adds its own."""

# isort: off
from tui.command_line import app, standard_streams

# In the order in which the help lists them.
from tui.commands import demo, check, clean, train, attach, ps, import_models  # noqa: F401
from tui.commands import say, export, info, bench  # noqa: F401
# isort: on

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line; the installed script calls this."""
    with standard_streams():
        app()
