"""Folders that are there complete or not at all."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from engine.errors import EngineError, InputError, VoicecoachError
from engine.files import PRIVATE_FOLDER, sync_folder

_FULL = (errno.ENOSPC, errno.EDQUOT)


def without_detours(target: Path) -> Path:
    """Where a path with `..` leads: what it passes by need not be there, and is not made.

    Raises:
        InputError: it leads round and round.
    """
    try:
        return target.resolve() if ".." in target.parts else target
    except (OSError, RuntimeError) as error:
        raise InputError(f"{target} leads nowhere: {error}. Name another folder.") from error


def require_makeable(target: Path) -> None:
    """Refuse a folder that can never be made, before time goes into what it would hold.

    Raises:
        InputError: there can be no such folder.
        EngineError: the disk is full.
    """
    with _made(target, PRIVATE_FOLDER):
        pass


def unusable(target: Path, error: OSError) -> VoicecoachError:
    """How to tell that what a person named cannot be made or written, before work is done there.

    It is the place that is wrong, and so the input, unless the disk is full.
    """
    message = (
        f"{target} cannot be made or written: {error.strerror or error}. {_what_to_do(error)}."
    )
    return (EngineError if error.errno in _FULL else InputError)(message)


@contextlib.contextmanager
def new_folder(target: Path, mode: int = 0o777) -> Iterator[Path]:
    """Make a folder that appears under its name only when the block has ended well.

    When the block raises, nothing is left of it, nor of the folders made above it. `mode` is its
    permissions, less the umask.

    Raises:
        InputError: there can be no such folder.
        EngineError: it cannot be written.
    """
    with _made(target, mode) as temporary:
        try:
            yield temporary
            temporary.rename(target)
            sync_folder(target.parent)
        except OSError as error:
            raise EngineError(
                f"{target} cannot be written: {error.strerror or error}; nothing of it is left. "
                f"{_what_to_do(error)}."
            ) from error


@contextlib.contextmanager
def _made(target: Path, mode: int) -> Iterator[Path]:
    """A temporary folder beside the target, and what is above it, until the block ends.

    Folders above that hold something then stay: the target itself, if it got its name.
    """
    target = target.absolute()
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    absent: list[Path] = []
    try:
        try:
            # The deepest first.
            absent += [parent for parent in target.parents if not parent.exists()]
            temporary.mkdir(mode, parents=True)
        except OSError as error:
            raise unusable(target, error) from error
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        for parent in absent:
            with contextlib.suppress(OSError):  # it is not empty, or was not made
                parent.rmdir()


def _what_to_do(error: OSError) -> str:
    full = error.errno in _FULL
    return "Free some space, or choose another place" if full else "Choose another place"
