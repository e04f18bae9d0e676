"""How the screen came to close."""

from enum import Enum


class ExitReason(Enum):
    """What the supervisor is to do after the screen has closed."""

    QUIT = "quit"
    """The person asked to stop and save; the engine has been told to finish."""
    KEEP_TRAINING = "keep training"
    """The person left; the run goes on without a screen."""
    ENDED = "ended"
    """The engine ended, as asked or by a fault."""
