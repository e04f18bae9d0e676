"""What a voice has cost: a ledger with one line a stretch of training, or of idle time."""

import errno
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

from engine.errors import EngineError, InputError
from engine.files import append_line, read_plain
from engine.run.stop import MAX_STEPS

# More than any voice has in its lifetime; a file that is longer is no ledger.
_MAX_BYTES = 2**27
# It is too large, a link, or no plain file.
_NO_LEDGER = (errno.EFBIG, errno.ELOOP, errno.EINVAL)
# More than any training takes, so that no sum of them is beyond what can be counted.
_MAX_SECONDS = 1e10
_MAX_PRICE = 1e16

StretchKind = Literal["training", "idle"]
"""What a stretch was paid for: steps, or a machine that waits or prepares them."""


@dataclass(frozen=True)
class SpendEntry:
    """A stretch of training, or of idle time, at one price."""

    start: str
    """UTC, ISO 8601. For a person to read: no amount is computed from it."""
    end: str
    network: str
    first_step: int
    last_step: int
    seconds: float
    """By a clock that nobody sets."""
    price: float
    """US dollars an hour."""
    kind: StretchKind = "training"
    """Lines that do not say it were all of training."""

    def __post_init__(self) -> None:
        if self.kind not in get_args(StretchKind):
            raise ValueError(f"{self.kind} is no kind of stretch")
        for text in (self.start, self.end, self.network):
            if not isinstance(text, str):
                raise TypeError(f"{text!r} is no text")
        for step in (self.first_step, self.last_step):
            if type(step) is not int or not 0 <= step <= MAX_STEPS:
                raise ValueError(f"{step!r} is no step")
        for number, most in ((self.seconds, _MAX_SECONDS), (self.price, _MAX_PRICE)):
            # What is no number is in no range either.
            if type(number) not in (int, float) or not 0 <= number <= most:
                raise ValueError(f"{number!r} is neither time nor money")

    @property
    def usd(self) -> float:
        """What the stretch cost in US dollars."""
        return self.seconds / 3600 * self.price


class Ledger:
    """The stretches of a voice, in an append-only file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        """Where the file is; whoever moves it says so here."""

    @cached_property
    def stretches(self) -> list[SpendEntry]:
        """All stretches, oldest first.

        Raises:
            InputError: the file is no ledger.
            EngineError: it cannot be read.
        """
        return [stretch for _, stretch in self._lines if stretch is not None]

    @property
    def unreadable(self) -> tuple[int, ...]:
        """The numbers, from 1, of lines that say no stretch: what they cost is not counted.

        Raises:
            EngineError: the file cannot be read.
        """
        return tuple(number for number, stretch in self._lines if stretch is None)

    @cached_property
    def _lines(self) -> list[tuple[int, SpendEntry | None]]:
        """Every line that is not empty, by its number."""
        lines = self._read().decode(errors="replace").split("\n")
        return [
            (number, parse_stretch(line)) for number, line in enumerate(lines, 1) if line.strip()
        ]

    def _read(self) -> bytes:
        """The file; nothing where there is none."""
        try:
            return read_plain(self.path, _MAX_BYTES)
        except FileNotFoundError:
            return b""
        except OSError as error:
            kind = InputError if error.errno in _NO_LEDGER else EngineError
            raise kind(
                f"The spend ledger {self.path} cannot be read: {error.strerror}; restore it from a "
                f"backup or the voice's mirror, or remove it to count from $0."
            ) from error

    @property
    def seconds(self) -> float:
        """Training time in seconds."""
        return sum(stretch.seconds for stretch in self._of("training"))

    @property
    def idle_seconds(self) -> float:
        """Idle time in seconds."""
        return sum(stretch.seconds for stretch in self._of("idle"))

    @property
    def usd(self) -> float:
        """Spend in US dollars, for training and for idle time."""
        return sum(stretch.usd for stretch in self.stretches)

    @property
    def idle_usd(self) -> float:
        """What of the spend was for idle time, in US dollars."""
        return sum(stretch.usd for stretch in self._of("idle"))

    @property
    def size(self) -> int:
        """Bytes of the file; 0 where there is none."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def _of(self, kind: StretchKind) -> list[SpendEntry]:
        return [stretch for stretch in self.stretches if stretch.kind == kind]

    def since(self, size: int) -> str | None:
        """Return what the file has beyond its first `size` bytes; None where it has fewer.

        Raises:
            EngineError: the file cannot be read.
        """
        content = self._read()
        return content[size:].decode(errors="replace") if size <= len(content) else None

    def add(self, *stretches: SpendEntry) -> None:
        """Append stretches, all of them at once, and make them safe on disk.

        Raises:
            EngineError: the file cannot be written; none of them is in the ledger.
        """
        if not stretches:
            return
        known = self.stretches
        append_line(self.path, "\n".join(map(line_of, stretches)), sync=True)
        known.extend(stretches)


def line_of(stretch: SpendEntry) -> str:
    """Return a stretch as a line of the ledger, without the end of the line."""
    return json.dumps(asdict(stretch))


def parse_stretch(line: str) -> SpendEntry | None:
    """Read a line of the ledger; None for one that a dying process left unfinished."""
    try:
        return SpendEntry(**json.loads(line))
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None
