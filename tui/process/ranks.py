"""Training in several processes: `--gpus` starts torchrun, and torchrun starts `train` many times.

Rank 0 trains without a screen of its own; a screen attaches to it, as any other does.
"""

import os
from collections.abc import Callable
from pathlib import Path

from engine.errors import RankLostError, VoicecoachError
from engine.jobs.ranks import Place, run_rank, without_source
from engine.run.options import TrainOptions
from tui.process.headless import train_headless
from tui.process.streams import print_error

_OUTCOME = "VOICECOACH_OUTCOME"
"""Names the file in which rank 0 leaves its exit code for the process that started torchrun."""


def train_as_rank(here: Place, make_options: Callable[[], TrainOptions], device: str) -> int:
    """Be one of the processes that torchrun started; return the exit code.

    torchrun starts all of them again where one fails. Whoever has started torchrun in order to
    hear how training ended is told elsewhere, so that torchrun does so only where one was lost.
    """

    def train() -> int:
        make = (lambda: without_source(make_options())) if here.restarts else make_options
        return train_headless(make)

    code, lost = 1, True
    try:
        code, lost = run_rank(here, device, train)
    except VoicecoachError as error:
        code, lost = error.exit_code, isinstance(error, RankLostError)
        if here.rank == 0:
            print_error(str(error))
    outcome = os.environ.get(_OUTCOME)
    if outcome is None or here.rank or lost:
        return code
    Path(outcome).write_text(str(code))
    return 0
