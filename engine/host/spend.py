"""What training has cost: a ledger with one line a stretch of training."""

import json
import math
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from engine.errors import EngineError
from engine.host.files import append_line


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

    def __post_init__(self) -> None:
        for number in (self.seconds, self.price):
            if not (math.isfinite(number) and number >= 0):
                raise ValueError(f"{number} is neither time nor money")

    @property
    def usd(self) -> float:
        """What the stretch cost in US dollars."""
        return self.seconds / 3600 * self.price


class Ledger:
    """The stretches of a voice, in an append-only file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @cached_property
    def stretches(self) -> list[Stretch]:
        """All stretches, oldest first.

        Raises:
            EngineError: the file cannot be read.
        """
        try:
            text = self._path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise EngineError(
                f"The spend ledger {self._path} cannot be read: {error.strerror}."
            ) from error
        return [stretch for line in text.split("\n") if (stretch := _parse(line)) is not None]

    @property
    def seconds(self) -> float:
        """Training time in seconds."""
        return sum(stretch.seconds for stretch in self.stretches)

    @property
    def usd(self) -> float:
        """Spend in US dollars."""
        return sum(stretch.usd for stretch in self.stretches)

    def add(self, stretch: Stretch) -> None:
        """Append a stretch and make it safe on disk.

        Raises:
            EngineError: the file cannot be written; the stretch is not in the ledger.
        """
        known = self.stretches
        append_line(self._path, json.dumps(asdict(stretch)), sync=True)
        known.append(stretch)


def _parse(line: str) -> Stretch | None:
    """A line of the ledger; None for one that a dying process left unfinished."""
    try:
        return Stretch(**json.loads(line))
    except (ValueError, TypeError):
        return None
