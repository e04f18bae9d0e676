"""What training has cost: a ledger with one line a stretch of training."""

import json
import os
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from engine.errors import EngineError


@dataclass(frozen=True)
class Stretch:
    """A stretch of training at one price."""

    start: str
    """UTC, ISO 8601."""
    end: str
    network: str
    first_step: int
    last_step: int
    seconds: float
    """Training time, by a clock that nobody sets."""
    price: float
    """US dollars an hour."""

    @property
    def usd(self) -> float:
        """What the stretch cost in US dollars."""
        return self.seconds / 3600 * self.price


class Ledger:
    """The stretches of a voice, in an append-only file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @cached_property
    def _stretches(self) -> list[Stretch]:
        if not self._path.is_file():
            return []
        lines = self._path.read_text(encoding="utf-8").split("\n")
        return [stretch for line in lines if (stretch := _parse(line)) is not None]

    @property
    def seconds(self) -> float:
        """Training time in seconds."""
        return sum(stretch.seconds for stretch in self._stretches)

    @property
    def usd(self) -> float:
        """Spend in US dollars."""
        return sum(stretch.usd for stretch in self._stretches)

    def add(self, stretch: Stretch) -> None:
        """Append a stretch and make it safe on disk.

        Raises:
            EngineError: the file cannot be written.
        """
        known = self._stretches
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(stretch)) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise EngineError(
                f"The spend ledger {self._path} cannot be written: {error.strerror}."
            ) from error
        known.append(stretch)


def _parse(line: str) -> Stretch | None:
    """A line of the ledger; None for one that a dying process left unfinished."""
    try:
        return Stretch(**json.loads(line))
    except (ValueError, TypeError):
        return None
