"""Event files, as TensorBoard reads them: events one after the other, each with its checksums.

A reader comes no further than an event that is cut off, so that none is left half written.
"""

import importlib.util
import os
import re
import socket
import struct
import time
from collections.abc import Iterable
from pathlib import Path

from engine.errors import InputError
from engine.files import make_folder, open_private

_NAME = re.compile(r"events\.out\.tfevents\.([0-9]{10})\..*")


def can_write_events() -> bool:
    """Whether the library that knows the events is installed."""
    return importlib.util.find_spec("tensorboardX") is not None


def require_event_writer() -> None:
    """Raise `InputError` where that library is not installed."""
    if not can_write_events():
        raise InputError(
            "--tensorboard needs a library that is not installed: "
            "pip install 'voicecoach[tensorboard]'."
        )


class EventFile:
    """A new event file of a network, which comes after those that its folder has."""

    def __init__(self, folder: Path, within: Path) -> None:
        """Make the file, and the folder in the voice folder `within`; raises `OSError`."""
        make_folder(folder, within=within)
        before = [path for path in folder.iterdir() if _NAME.fullmatch(path.name)]
        self.is_first = not before
        """Whether the folder had none."""
        self.last_write = max((path.stat().st_mtime for path in before), default=0.0)
        """When the one before was last written, in seconds since the epoch."""
        self.folder_bytes = sum(path.stat().st_size for path in before)
        """The size of all in the folder."""
        # Readers go by the names; the clock of another machine may have been ahead.
        number = max([int(time.time()), *(int(path.name.split(".")[3]) + 1 for path in before)])
        name = f"events.out.tfevents.{number:010d}.{socket.gethostname()}.{os.getpid()}"
        self._file = open_private(folder / name, os.O_WRONLY | os.O_EXCL | os.O_APPEND)

    @property
    def is_gone(self) -> bool:
        """Whether somebody deleted the file."""
        return os.fstat(self._file).st_nlink == 0

    def append(self, events: Iterable[bytes]) -> None:
        """Append events, all or none of them; raises `OSError`."""
        content = b"".join(map(_record, events))
        size = os.fstat(self._file).st_size
        left = memoryview(content)
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError:
            os.ftruncate(self._file, size)
            raise
        self.folder_bytes += len(content)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def _record(event: bytes) -> bytes:
    """An event in TFRecord's format: its length, a checksum of that, the event, its checksum."""
    from engine.tf_import.table import masked_crc  # late: the screen needs none

    length = struct.pack("<Q", len(event))
    checksums = (struct.pack("<I", masked_crc(part)) for part in (length, event))
    return length + next(checksums) + event + next(checksums)
