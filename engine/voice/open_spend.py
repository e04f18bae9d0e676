"""What the ledger has not yet, written down beside it for the case that the process is killed.

The ledger gets a line when a stretch is closed; what is open meanwhile, and what a slow disk has
not taken yet, stands in a small file that is replaced every few seconds, without waiting for the
disk: it outlives the process, though perhaps not the machine. The next run takes it over.
"""

import contextlib
import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path

from engine.files import open_private, plain_file
from engine.voice.spend import Ledger, SpendEntry, line_of, parse_stretch

_log = logging.getLogger(__name__)

# Far more than two lines need; more is not ours.
_MAX_BYTES = 16 * 1024
_SIZE = re.compile(r"[0-9]{1,12}", re.ASCII)


class OpenSpend:
    """The file of what the ledger has not: the ledger's size, then a line each stretch."""

    def __init__(self, path: Path) -> None:
        self.path = path
        """Where the file is; whoever moves it says so here."""

    def write(self, stretches: Sequence[SpendEntry], ledger_size: int) -> None:
        """Replace what it says.

        Args:
            stretches: those on their way to the ledger, in the order in which it gets them, and
                those under way, as if they ended now.
            ledger_size: bytes of the ledger that they come after; of a ledger that is longer,
                only what it does not have is taken over.

        Raises:
            OSError: it cannot be written; what it said before is still there.
        """
        text = "\n".join([str(ledger_size), *map(line_of, stretches)]) + "\n"
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        try:
            descriptor = open_private(temporary, os.O_WRONLY | os.O_TRUNC)
            with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 (no path)
                file.write(text)
            temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)

    def remove(self) -> None:
        """Forget it: the ledger has all."""
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()

    def take_over(self, ledger: Ledger) -> list[SpendEntry]:
        """Add to the ledger what a killed process left open, and return it.

        Raises:
            EngineError: the ledger cannot be read or written.
        """
        stretches = self.left(ledger)
        ledger.add(*stretches)
        try:
            self.remove()
        except OSError as error:
            # The ledger has grown: it is not taken over again.
            _log.warning("%s cannot be removed: %s", self.path, error)
        return stretches

    def left(self, ledger: Ledger) -> list[SpendEntry]:
        """What was written down last and is not in the ledger.

        Raises:
            EngineError: the ledger cannot be read.
        """
        try:
            with plain_file(self.path) as file:
                content = file.read(_MAX_BYTES + 1)
        except FileNotFoundError:
            return []
        except OSError as error:
            _log.warning("%s cannot be read: %s", self.path, error)
            return []
        size, _, rest = content.decode(errors="replace").partition("\n")
        if len(content) > _MAX_BYTES or not _SIZE.fullmatch(size):
            return []
        lines = rest.split("\n")
        count = _how_many(ledger.since(int(size)), lines)
        if count is None:
            return []
        read = [parse_stretch(line) for line in lines[count:]]
        return [stretch for stretch in read if stretch is not None]


def _how_many(grown: str | None, lines: Sequence[str]) -> int | None:
    """With how many of the lines a ledger has grown; None where it has grown with others."""
    if grown is None:
        return None
    count = place = 0
    while place < len(grown):
        if count == len(lines) or not grown.startswith(f"{lines[count]}\n", place):
            return None
        place += len(lines[count]) + 1
        count += 1
    return count
