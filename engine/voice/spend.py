"""What a voice has cost: a line for each period of training, or of idle time, and its price.

`spend.jsonl` gets a line when a period is recorded. What is open meanwhile, and what a slow disk
has not taken yet, is in the small file `spend.open`, replaced every few seconds without waiting for
the disk: it outlives a killed process, though perhaps not the machine. The next run adds it to
`spend.jsonl`.
"""

import contextlib
import errno
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from engine.errors import EngineError, InputError
from engine.files import append_line, open_private, read_plain
from engine.run.stop import Step
from engine.serialization import from_json_lines, to_json

_log = logging.getLogger(__name__)

# More than any voice has in its lifetime.
_MAX_BYTES = 2**27
_MAX_OPEN_BYTES = 2**20
# It is too large, a link, or no plain file.
_NOT_A_LOG = (errno.EFBIG, errno.ELOOP, errno.EINVAL)

SpendKind = Literal["training", "idle"]
"""What was paid for: steps, or a machine that waits or prepares them."""


@dataclass(frozen=True)
class SpendEntry:
    """A period of training, or of idle time, at one price."""

    start: str
    """UTC, ISO 8601. For a person to read: no amount is computed from it."""
    end: str
    network: str
    first_step: Step
    last_step: Step
    seconds: Annotated[float, Meta(ge=0, le=1e10)]
    """By a monotonic clock; limited so that all sums are finite."""
    price: Annotated[float, Meta(ge=0, le=1e16)]
    """US dollars an hour."""
    kind: SpendKind = "training"
    """Old lines without it were all of training."""

    @property
    def usd(self) -> float:
        """What the period cost in US dollars."""
        return self.seconds / 3600 * self.price


class SpendLog:
    """The spend of a voice, in an append-only file; sums are of all networks and runs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        """Where the file is; whoever moves the voice changes it here."""

    @cached_property
    def entries(self) -> list[SpendEntry]:
        """All entries, oldest first.

        Raises:
            InputError: the file cannot be a spend log.
            EngineError: it cannot be read.
        """
        return [entry for _, entry in self._lines if entry is not None]

    @property
    def unreadable(self) -> tuple[int, ...]:
        """The numbers, from 1, of damaged lines: what they cost is not counted.

        Raises:
            EngineError: the file cannot be read.
        """
        return tuple(number for number, entry in self._lines if entry is None)

    @property
    def seconds(self) -> float:
        """Training time in seconds."""
        return sum(entry.seconds for entry in self._of("training"))

    @property
    def idle_seconds(self) -> float:
        """Idle time in seconds."""
        return sum(entry.seconds for entry in self._of("idle"))

    @property
    def usd(self) -> float:
        """Spend in US dollars, for training and for idle time."""
        return sum(entry.usd for entry in self.entries)

    @property
    def idle_usd(self) -> float:
        """The part of the spend that was for idle time, in US dollars."""
        return sum(entry.usd for entry in self._of("idle"))

    @property
    def size(self) -> int:
        """Bytes of the file; 0 where there is none."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def add(self, *entries: SpendEntry) -> None:
        """Append entries, all of them at once, and make them safe on disk.

        Raises:
            EngineError: the file cannot be written; none of them was added.
        """
        if not entries:
            return
        known = self.entries
        append_line(self.path, "\n".join(map(_line, entries)), sync=True)
        known.extend(entries)

    def write_open(self, entries: Sequence[SpendEntry], size: int) -> None:
        """Replace what `spend.open` says.

        Args:
            entries: those to be added next, in that order, then the periods that are still open,
                as if they ended now.
            size: bytes of this file before them; if it has grown by some of them when they are
                read, only the others are missing.

        Raises:
            OSError: it cannot be written; what it said before is still there.
        """
        text = "\n".join([str(size), *map(_line, entries)]) + "\n"
        temporary = self._open.with_name(f".{self._open.name}.{os.getpid()}.part")
        try:
            descriptor = open_private(temporary, os.O_WRONLY | os.O_TRUNC)
            with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 (no path)
                file.write(text)
            temporary.replace(self._open)
        finally:
            temporary.unlink(missing_ok=True)

    def remove_open(self) -> None:
        """Remove `spend.open`, once all of it has been added.

        Should it stay: this file has grown since, so it is not added again.
        """
        with contextlib.suppress(OSError):
            self._open.unlink(missing_ok=True)

    def open_entries(self) -> list[SpendEntry]:
        """What `spend.open` says and this file does not have.

        Raises:
            EngineError: this file cannot be read.
        """
        try:
            content = read_plain(self._open, _MAX_OPEN_BYTES)
        except FileNotFoundError:
            return []
        except OSError as error:
            _log.warning("%s cannot be read: %s", self._open, error)
            return []
        size, _, lines = content.decode(errors="replace").partition("\n")
        if not (size.isascii() and size.isdigit() and len(size) <= 12):
            return []
        log = self._read()
        added = log[int(size) :].decode(errors="replace")
        # A line that was cut off counts for nothing.
        added = added[: added.rfind("\n") + 1]
        if int(size) > len(log) or not lines.startswith(added):
            return []
        missing = from_json_lines(lines[len(added) :].encode(), SpendEntry)
        return [entry for entry in missing if entry is not None]

    def add_open_entries(self) -> list[SpendEntry]:
        """Add what a killed process left in `spend.open`, and return it.

        Raises:
            EngineError: this file cannot be read or written.
        """
        entries = self.open_entries()
        self.add(*entries)
        self.remove_open()
        return entries

    @property
    def _open(self) -> Path:
        return self.path.with_name("spend.open")

    @cached_property
    def _lines(self) -> list[tuple[int, SpendEntry | None]]:
        content = self._read().decode(errors="replace").encode()
        numbers = [number for number, line in enumerate(content.split(b"\n"), 1) if line.strip()]
        return [*zip(numbers, from_json_lines(content, SpendEntry), strict=True)]

    def _read(self) -> bytes:
        try:
            return read_plain(self.path, _MAX_BYTES)
        except FileNotFoundError:
            return b""
        except OSError as error:
            kind = InputError if error.errno in _NOT_A_LOG else EngineError
            raise kind(
                f"The spend log {self.path} cannot be read: {error.strerror}; restore it from a "
                f"backup or the voice's mirror, or remove it to count from $0."
            ) from error

    def _of(self, kind: SpendKind) -> list[SpendEntry]:
        return [entry for entry in self.entries if entry.kind == kind]


def _line(entry: SpendEntry) -> str:
    return to_json(entry).decode()
