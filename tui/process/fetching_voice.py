"""What the person sees while a voice is fetched from its mirror, before there is a screen."""

from collections.abc import Callable
from contextlib import ExitStack

from engine.mirror.take_up import Manners, take_up
from engine.run.options import TrainOptions
from tui.reports.progress import progress

_MEGABYTE = 1_000_000


def with_mirror(options: TrainOptions) -> TrainOptions:
    """Bring the voice of an order to where its mirror stands; return the order for the run.

    Raises:
        InputError: the mirror is of no use for this voice.
        EngineError: it cannot be reached, or the voice folder cannot be written.
    """
    from tui.process.headless import Lines

    with ExitStack() as stack:
        bar: list[Callable[[int, int], None]] = []

        def show(done: int, total: int) -> None:
            # No bar for the usual case, in which there is nothing to fetch.
            if not bar:
                bar.append(stack.enter_context(progress("fetching, in MB")))
            bar[0](done // _MEGABYTE, max(1, total // _MEGABYTE))

        return take_up(options, Manners(tell=Lines().write, progress=show))
