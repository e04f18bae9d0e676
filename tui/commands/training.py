"""Training as ordered, with a screen where there is a terminal."""

from collections.abc import Callable

from engine.run.options import TrainOptions


def run_training(
    make_options: Callable[[], TrainOptions], *, headless: bool, ascii_only: bool
) -> int:
    """Train as ordered; return the exit code."""
    if not headless:
        from tui.process.terminal import has_terminal

        if has_terminal():
            from tui.process.foreground import train_with_screen

            return train_with_screen(make_options, ascii_only=ascii_only)
    from tui.process.headless import train_headless

    why = "" if headless else "no screen, because this is not a terminal: training with --headless"
    return train_headless(make_options, first_line=why)
