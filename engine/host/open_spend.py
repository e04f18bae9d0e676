"""The stretches under way, written down beside the ledger for the case that the process is killed.

The ledger gets a line when a stretch is closed; what is open meanwhile stands in a small file
that is replaced every few seconds, without waiting for the disk: it outlives the process, though
perhaps not the machine. The next run takes it over.
"""

import contextlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from engine.host.spend import Ledger, Stretch, line_of, parse_stretch
from engine.plain_files import plain_file

_log = logging.getLogger(__name__)

# Far more than two lines need; more is not ours.
_MOST_BYTES = 16 * 1024


class OpenSpend:
    """The file of the stretches under way: the ledger's size, then a line each."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, stretches: Sequence[Stretch], ledger_size: int) -> None:
        """Replace what it says.

        Args:
            stretches: those under way, as if they ended now.
            ledger_size: bytes of the ledger that they come after; a ledger that is longer has
                them already.

        Raises:
            OSError: it cannot be written; what it said before is still there.
        """
        text = "\n".join([str(ledger_size), *map(line_of, stretches)]) + "\n"
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}.part")
        try:
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(self._path)
        finally:
            temporary.unlink(missing_ok=True)

    def remove(self) -> None:
        """Forget it: the ledger has all."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()

    def take_over(self, ledger: Ledger) -> list[Stretch]:
        """Add to the ledger what a killed process left open, and return it.

        Raises:
            EngineError: the ledger cannot be read or written.
        """
        stretches = self._left(ledger.size)
        for stretch in stretches:
            ledger.add(stretch)
        try:
            self.remove()
        except OSError as error:
            # The ledger has grown: it is not taken over again.
            _log.warning("%s cannot be removed: %s", self._path, error)
        return stretches

    def _left(self, ledger_size: int) -> list[Stretch]:
        try:
            with plain_file(self._path) as file:
                content = file.read(_MOST_BYTES + 1)
        except FileNotFoundError:
            return []
        except OSError as error:
            _log.warning("%s cannot be read: %s", self._path, error)
            return []
        size, _, lines = content.decode(errors="replace").partition("\n")
        if len(content) > _MOST_BYTES or size != str(ledger_size):
            return []
        read = [parse_stretch(line) for line in lines.splitlines()]
        return [stretch for stretch in read if stretch is not None]
