"""How long a clip is to the networks."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClipShape:
    """The lengths of a clip that decide what a step with it takes."""

    characters: int
    """Symbols of the text, its E included."""
    frames: int
    """Coarse frames."""
