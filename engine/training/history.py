"""The losses of a run: every logged step on disk, a few hundred points for the screen."""

import json
from dataclasses import dataclass
from pathlib import Path

from engine.errors import EngineError
from engine.host.files import append_line
from engine.snapshot import LossCurve, Losses

# Points of the curve that the screen draws; a terminal has fewer columns.
_POINTS = 400


class Thinned:
    """A series of any length in at most `_POINTS` points, each the mean of as many values.

    When it is full, neighbours are merged and each point stands for twice as many.
    """

    def __init__(self) -> None:
        self._steps: list[int] = []
        self._values: list[float] = []
        self._per_point = 1
        self._sum = 0.0
        self._count = 0

    def add(self, step: int, value: float) -> None:
        """Append the value of a step."""
        self._sum += value
        self._count += 1
        if self._count < self._per_point:
            return
        self._steps.append(step)
        self._values.append(self._sum / self._count)
        self._sum, self._count = 0.0, 0
        if len(self._steps) >= _POINTS:
            pairs = zip(self._values[::2], self._values[1::2], strict=True)
            self._values = [(a + b) / 2 for a, b in pairs]
            self._steps = self._steps[1::2]
            self._per_point *= 2

    @property
    def points(self) -> tuple[tuple[int, ...], tuple[float, ...]]:
        """Steps and values."""
        return tuple(self._steps), tuple(self._values)


@dataclass(frozen=True)
class Entry:
    """A line of the history."""

    step: int
    losses: Losses
    learning_rate: float
    held_out: float | None


class History:
    """The history of a network: append-only on disk, thinned in memory."""

    def __init__(self, path: Path, up_to: int) -> None:
        """Read what there is up to a step; lines beyond it are of a run that was not saved.

        Raises:
            EngineError: the file cannot be read or written.
        """
        self._path = path
        self._losses = Thinned()
        self._held_out = Thinned()
        self.last_held_out: float | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                self._read(path, up_to)
        except OSError as error:
            raise EngineError(f"The history {path} cannot be used: {error.strerror}.") from error

    def _read(self, path: Path, up_to: int) -> None:
        """Keep the last line of every step: a later run makes an earlier one's steps anew."""
        latest: dict[int, tuple[float, float | None]] = {}
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    said = json.loads(line)
                    step, loss = int(said["step"]), float(said["loss"])
                    held = said.get("held_out")
                except (ValueError, KeyError, TypeError):
                    continue  # the line that a dying process left unfinished
                latest[step] = (loss, None if held is None else float(held))
        for step in sorted(latest):
            if step <= up_to:
                self._remember(step, *latest[step])

    def _remember(self, step: int, loss: float, held_out: float | None) -> None:
        self._losses.add(step, loss)
        if held_out is not None:
            self._held_out.add(step, held_out)
            self.last_held_out = held_out

    def add(self, entry: Entry) -> None:
        """Append a logged step.

        Raises:
            EngineError: it cannot be written; the curve has it all the same.
        """
        self._remember(entry.step, entry.losses.total, entry.held_out)
        line = {
            "step": entry.step,
            "loss": entry.losses.total,
            "l1": entry.losses.l1,
            "divergence": entry.losses.divergence,
            "attention": entry.losses.attention,
            "learning_rate": entry.learning_rate,
            "held_out": entry.held_out,
        }
        append_line(self._path, json.dumps(line))

    @property
    def curve(self) -> LossCurve:
        """The whole run in a few hundred points."""
        steps, losses = self._losses.points
        held_out_steps, held_out = self._held_out.points
        return LossCurve(steps, losses, held_out_steps, held_out)
