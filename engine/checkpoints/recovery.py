"""What divergence has done to a run: part of every later checkpoint."""

from dataclasses import dataclass, replace
from typing import Any

from engine.run.stop import MAX_STEPS

RATE_FACTOR = 0.5
"""What the learning rate is multiplied by at each rollback."""
FORGIVEN_AFTER = 5000
"""Steps after a rollback from which on it no longer counts. The learning rate stays lowered."""
# Rollbacks that a run may have had in all.
_MAX_COUNT = 10**6


@dataclass(frozen=True, slots=True)
class Recovery:
    """What is different in a run since it diverged."""

    rate_factor: float = 1.0
    """The learning rate of the recipe is multiplied by this."""
    rollbacks: int = 0
    """How often the run was rolled back, of the `MAX_ROLLBACKS` that are allowed."""
    salt: int = 0
    """Part of the seed of batches and dropout where it is not 0: the very same steps would diverge
    again."""
    sick_step: int = 0
    """The step at which the last divergence was noticed."""

    def after(self, step: int) -> "Recovery":
        """Return what holds after another rollback, from divergence at a step."""
        return Recovery(self.rate_factor * RATE_FACTOR, self.rollbacks + 1, self.salt + 1, step)

    def tried_again(self) -> "Recovery":
        """Return what holds where a person wants another try after the last one."""
        return replace(self.after(self.sick_step), rollbacks=1)

    def forgiven(self, step: int) -> "Recovery":
        """Return what holds at a step: rollbacks long ago no longer count."""
        if self.rollbacks and step >= self.sick_step + FORGIVEN_AFTER:
            return replace(self, rollbacks=0)
        return self


def recovery_from(said: dict[str, Any]) -> Recovery:
    """Read what `state.json` says; nothing means that the run never diverged.

    Raises:
        ValueError, TypeError: it says nonsense.
    """
    recovery = Recovery(**said)
    for name, most in (("rollbacks", _MAX_COUNT), ("salt", _MAX_COUNT), ("sick_step", MAX_STEPS)):
        count = getattr(recovery, name)
        if type(count) is not int or not 0 <= count <= most:
            raise ValueError(f"recovery.{name} in state.json is no whole number up to {most:,}")
    if type(recovery.rate_factor) not in (int, float) or not 0 < recovery.rate_factor <= 1:
        raise ValueError("recovery.rate_factor in state.json is no number above 0, up to 1")
    return recovery
