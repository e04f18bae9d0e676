"""Training in several processes that torchrun starts: what each of them does."""

import signal
from collections.abc import Callable
from dataclasses import replace

from engine.errors import InputError
from engine.machine.torchrun import Place, place
from engine.run.options import TrainOptions
from engine.voice.folder import Voice

__all__ = ["Place", "cores_for_processes", "place", "run_rank", "usable_gpus", "without_source"]


def cores_for_processes() -> int:
    """Return how many processes may compute at once on this machine's or container's CPU."""
    from engine.machine.device import usable_cores

    return max(1, int(usable_cores()))


def usable_gpus() -> int:
    """Return how many GPUs of this machine torch can use."""
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def run_rank(here: Place, device: str, train: Callable[[], int]) -> tuple[int, bool]:
    """Be one of the processes that train together; return the exit code, and if one was lost.

    Rank 0 trains as a process alone does; the others follow it, and let it say when all end.

    Args:
        here: this process's place.
        device: `auto` or `cpu`.
        train: trains, as rank 0; returns the exit code.

    Raises:
        InputError: the machines cannot train together.
        EngineError: another process has ended, or this one cannot do its share.
    """
    from engine.machine.ranks import Ranks
    from engine.training.following import follow

    try:
        met = Ranks(here, device)
    except InputError:
        if here.rank == 0:
            raise
        return 0, False  # rank 0 says it for all
    with met as ranks:
        if ranks.leads:
            return train(), ranks.lost
        for ending in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # Rank 0 gets it too, saves, and says when all end.
            signal.signal(ending, signal.SIG_IGN)
        follow(ranks)
    return 0, ranks.lost


def without_source(options: TrainOptions) -> TrainOptions:
    """Return the options with which a run that torchrun has restarted continues its voice."""

    folder = options.voice_folder
    if not Voice.exists(folder) or not Voice.open(folder).checkpoints(options.network):
        return options
    return replace(options, source=None, source_step=None)
