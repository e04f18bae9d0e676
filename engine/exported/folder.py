"""The files of an exported voice, and opening them without trusting who made them."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from engine.choices import NetworkName
from engine.errors import InputError

CARD = "voice.json"
"""The card's file name."""


def weights_file(network: NetworkName) -> str:
    """The name of a network's file of weights in an export."""
    return f"{network}.safetensors"


def has_card(folder: Path) -> bool:
    """Whether there is the card of an exported voice in the folder."""
    return (folder / CARD).is_file()


@contextlib.contextmanager
def opened(path: Path) -> Iterator[tuple[IO[bytes], int]]:
    """Open a plain file of an export; yields it with its size in bytes.

    A link could lead anywhere, and reading from a pipe or a device could last for ever: they
    are refused.

    Raises:
        InputError: there is no such file, it is not a plain file, or it cannot be read.
    """
    try:
        # Not to wait for somebody who writes into a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor has no path
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode):
                raise InputError(f"{path} is no plain file; export the voice again.")
            yield file, about.st_size
    except OSError as error:
        link = "; links are not followed" if path.is_symlink() else ""
        raise InputError(f"Cannot read {path}: {error.strerror}{link}.") from error
