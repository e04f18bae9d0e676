"""What divergence has done to a run: part of every later checkpoint."""

from dataclasses import dataclass, replace
from typing import Annotated

from msgspec import Meta

from engine.run.stop import MAX_STEPS

RATE_FACTOR = 0.5
"""What the learning rate is multiplied by at each rollback."""
FORGIVEN_AFTER = 5000
"""Steps after a rollback from which on it no longer counts. The learning rate stays lowered."""

_Count = Annotated[int, Meta(ge=0, le=10**6)]


@dataclass(frozen=True, slots=True)
class Recovery:
    """What is different in a run since it diverged."""

    rate_factor: Annotated[float, Meta(gt=0, le=1)] = 1.0
    """The learning rate of the recipe is multiplied by this."""
    rollbacks: _Count = 0
    """How often the run was rolled back, of the `MAX_ROLLBACKS` that are allowed."""
    salt: _Count = 0
    """Part of the seed of batches and dropout where it is not 0: the very same steps would diverge
    again."""
    sick_step: Annotated[int, Meta(ge=0, le=MAX_STEPS)] = 0
    """The step at which the last divergence was noticed; named as in files of version 0.1."""

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
