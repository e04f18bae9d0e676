"""A run that makes no steps although it should."""

from datetime import datetime

from engine.run.snapshot import Phase, Snapshot

_WORTH_SAYING = 15.0
"""Seconds; a checkpoint or an evaluation takes less."""


class Silence:
    """Watches the step counter and says how long it has stood still."""

    def __init__(self) -> None:
        self._step: int | None = None
        self._since: datetime | None = None

    def look(self, snapshot: Snapshot, now: datetime) -> float | None:
        """Return the seconds without a step, in coarse strides; None while all is well."""
        moved = snapshot.step != self._step or snapshot.phase is not Phase.TRAINING
        if moved or self._since is None:
            self._step, self._since = snapshot.step, now
            return None
        still = (now - self._since).total_seconds()
        usual = 20 / snapshot.steps_per_second if snapshot.steps_per_second else 0.0
        if still < max(_WORTH_SAYING, usual):
            return None
        # Coarse, so that the line is not drawn anew four times a second.
        stride = 5 if still < 60 else 60
        return still // stride * stride
