"""What the screen needs of whatever makes a sample audible."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class PlayerStatus:
    """How it stands with sound; replaced as a whole, so it can be read at any moment."""

    playing: Path | None
    """The file that sounds now."""
    unavailable: str = ""
    """Why there is no sound on this host; empty where there is."""
    last_error: str = ""
    """Why the last file could not be played to its end."""


class Player(Protocol):
    """A way to play a sound that never keeps its caller waiting."""

    def play(self, path: Path) -> None:
        """Begin to play a file and return at once; what sounded before falls silent."""
        ...

    def stop(self) -> None:
        """Fall silent."""
        ...

    @property
    def status(self) -> PlayerStatus:
        """How it stands with sound now."""
        ...
