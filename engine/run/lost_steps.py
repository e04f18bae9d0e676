"""Steps that a killed run had made."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LostSteps:
    """Steps that a run had made and not saved when it was killed; they are made again."""

    since: int
    """The checkpoint from which they are made again."""
    until: int
    """The last of them that is known."""
    seconds: float
    """Of training."""
    usd: float
    damaged: int | None = None
    """The newest checkpoint that was passed over because it is damaged, where one was."""

    @property
    def count(self) -> int:
        """How many."""
        return self.until - self.since
