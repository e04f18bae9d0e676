"""Where a run stands: at which step, for whom, and whether it makes steps or waits."""

from engine.board import Board
from engine.snapshot import Phase
from engine.training.clock import TrainingClock


class Standing:
    """What the loop, the person's commands and a sickness of the run have in common."""

    def __init__(self, step: int, board: Board, clock: TrainingClock, *, attended: bool) -> None:
        """Stand at a global step, ready to make the next."""
        self._board = board
        self._clock = clock
        self.step = step
        """The global step that was made last."""
        self.restarts = 0
        """How often the run went back, or on with other batches: those made ahead are of no use
        then."""
        self.attended = attended
        """Whether a person is waited for."""
        self.paused = False
        """Whether no steps are made, for whatever reason."""
        self.at_stop = False
        """Whether that is because the stop is reached."""
        self.finishing = False
        """Whether it is time to end."""
        self.given_up = False
        """Whether that is because a person, who has seen where the run stands, wants no more."""

    def wait(self, phase: Phase) -> None:
        """Make no more steps until `go_on`; the phase says why."""
        self.paused = True
        self._clock.pause()
        self._board.update(phase=phase, steps_per_second=None)

    def go_on(self) -> None:
        """Make steps again."""
        self.paused = self.at_stop = False
        self._board.update(phase=Phase.TRAINING)
