"""WAV files: written whole, or growing while they are played.

A sound that is being made grows in a hidden file beside the one that it will be: a header with
open sizes, then samples as they come. At its end it gets its true header and its name; not a
sample changes. Nothing here imports torch.
"""

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from engine.data.audio import pcm16, wav_bytes, wav_header
from engine.errors import EngineError
from engine.files import PRIVATE, fsync, open_plain, open_private, remove_all, write_whole

_SUFFIX = ".part"


def growing_path(final: Path) -> Path:
    """Where the sound grows that will be the file `final`."""
    return final.with_name(f".{final.name}{_SUFFIX}")


def write_wav(
    path: Path, waveform: NDArray[np.float32], sample_rate: int, mode: int = PRIVATE
) -> None:
    """Write samples `(n,)` in [−1, 1] as a mono WAV of 16 bits, whole or not at all.

    Its folder has to be there; `mode` is less the umask. Raises `EngineError` where it cannot be.
    """
    write_whole(path, wav_bytes(waveform, sample_rate), mode, make_folders=False)


class GrowingWav:
    """A WAV file that others play while it is written; a context manager.

    The block ends with `finish`, or nothing is left.
    """

    def __init__(self, path: Path, sample_rate: int) -> None:
        """Begin the file that will be `path`; its folder has to be there.

        Raises:
            EngineError: it cannot be written.
        """
        self.path = path
        self.samples = 0
        """How many have been written."""
        self._sample_rate = sample_rate
        self._part = growing_path(path)
        with self._reporting():
            # One that a dead process left, or that leads elsewhere, is not written into.
            self._part.unlink(missing_ok=True)
            self._file = os.fdopen(
                open_private(self._part, os.O_RDWR | os.O_EXCL), "wb", buffering=0
            )
            # Tells `sweep_growing` that somebody is at it, unless the file system has no locks.
            with contextlib.suppress(OSError):
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._put(wav_header(sample_rate))

    def __enter__(self) -> Self:
        """Return the file."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove what was not finished."""
        if not self._file.closed:
            self._file.close()
            self._part.unlink(missing_ok=True)

    def write(self, waveform: NDArray[np.float32]) -> None:
        """Append samples `(n,)` in [−1, 1], for readers to see at once; raises `EngineError`."""
        with self._reporting():
            self._put(pcm16(waveform))
        self.samples += len(waveform)

    def finish(self) -> None:
        """Write the true header and give the file its name; raises `EngineError`."""
        with self._reporting():
            os.pwrite(self._file.fileno(), wav_header(self._sample_rate, self.samples), 0)
            os.fsync(self._file.fileno())
            self._part.rename(self.path)
            self._file.close()
            fsync(self.path.parent)

    def _put(self, content: bytes) -> None:
        # A full disk takes a part of it.
        if self._file.write(content) != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    @contextlib.contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise EngineError(
                f"{self.path} cannot be written: {error.strerror}. Free some space or choose "
                f"another place."
            ) from error


def sweep_growing(folder: Path) -> dict[Path, OSError]:
    """Remove sounds that killed processes left unfinished; returns as `remove_all`."""
    found = folder.glob(f".*.wav{_SUFFIX}")
    return remove_all(path for path in found if not _is_being_written(path))


def _is_being_written(path: Path) -> bool:
    try:
        descriptor = open_plain(path)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # a file system without locks
    finally:
        os.close(descriptor)
    return False
