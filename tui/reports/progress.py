"""A progress bar on stderr, where that is a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Show(Protocol):
    """Shows progress."""

    def __call__(self, done: int, total: int, what: str = ..., /) -> None:
        """Show how much of `what` is done."""
        ...


@contextmanager
def progress(what: str, *, in_lines: bool = False) -> Iterator[Show]:
    """Give a function that takes how much is done, out of how much, and of what, if it changes.

    With `in_lines` a stderr that is no terminal gets a line for each part that begins.
    """
    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task(what, total=None)
        last = what

        def show(done: int, total: int, what: str = what) -> None:
            nonlocal last
            if in_lines and bar.disable and what != last:
                console.print(what)
            last = what
            # A bar without a total is in motion.
            bar.update(task, description=what, completed=done, total=total or None)

        yield show
