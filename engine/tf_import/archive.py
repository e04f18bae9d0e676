"""Checkpoint files out of a tar archive, compressed or not, and nothing else of it."""

import contextlib
import gzip
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, cast

from engine.errors import EngineError, InputError
from engine.tf_import.files import is_checkpoint_file

SUFFIXES = (".tar", ".tar.gz", ".tgz")
"""How the names of archives end."""

_MAX_BYTES = 4 * 10**9
# Between the contents of two files: headers of tar, which tarfile holds in memory.
_MAX_HEADER = 2**20
_BLOCK = 2**20
_UNPACK = "unpack it yourself and give the folder of the models"


@contextlib.contextmanager
def unpacked(archive: Path, on_read: Callable[[int], None] = lambda done: None) -> Iterator[Path]:
    """Unpack the checkpoint files of an archive into a folder that lasts as long as the block.

    `on_read` is called with the number of bytes of the archive read so far. An `InputError` from
    the block names files as parts of the archive.

    Raises:
        InputError: the archive is damaged, or holds what no archive of checkpoints holds.
        EngineError: there is no room for its files.
    """
    with tempfile.TemporaryDirectory(prefix="voicecoach-") as name:
        folder = Path(name)
        try:
            opened = archive.open("rb")
        except OSError as error:
            raise InputError(f"Cannot read {archive}: {error.strerror}.") from error
        try:
            with opened as file:
                _unpack(_Stream(file, on_read), folder)
        except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, ValueError) as error:
            raise InputError(
                f"{archive} is damaged or not an archive ({str(error).rstrip('.')}); download it "
                f"again."
            ) from error
        except _UnusualError as error:
            raise InputError(f"{archive} {error}.") from error
        except OSError as error:
            raise EngineError(
                f"Cannot unpack {archive} into {folder}: {error.strerror}; free some space, or "
                f"set TMPDIR to a folder that has some."
            ) from error
        try:
            yield folder
        except InputError as error:
            raise InputError(str(error).replace(str(folder), str(archive))) from error


class _UnusualError(Exception):
    """What no archive has that `tar` makes of a folder of models."""


class _Stream:
    """The bytes of a tar, no more than `allowed` of them, which the reader raises file by file."""

    def __init__(self, file: IO[bytes], on_read: Callable[[int], None]) -> None:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        self._source = gzip.GzipFile(fileobj=file, mode="rb") if packed else file
        self._file = file
        self._on_read = on_read
        self._total = 0
        self.allowed = _MAX_HEADER

    def read(self, count: int) -> bytes:
        data = self._source.read(count)
        self._total += len(data)
        self.allowed -= len(data)
        self._on_read(self._file.tell())
        if self._total > _MAX_BYTES:
            raise _UnusualError(f"holds more than {_MAX_BYTES // 10**9} GB; {_UNPACK}")
        if self.allowed < 0:
            raise _UnusualError(f"is not an archive that `tar` makes of a folder; {_UNPACK}")
        return data


def _unpack(stream: _Stream, folder: Path) -> None:
    # Of a file, tarfile needs nothing but `read`.
    with tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r|") as tar:
        for member in tar:
            stream.allowed = member.size + _MAX_HEADER
            path = PurePosixPath(member.name)
            if not member.isreg() or member.issparse() or not is_checkpoint_file(path.name):
                continue
            if path.is_absolute() or ".." in path.parts:
                raise _UnusualError(
                    f"names a file outside its folder ({member.name[:200]!r}), as no archive of a "
                    f"folder of models does"
                )
            target, content = folder / path, tar.extractfile(member)
            assert content is not None
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                shutil.copyfileobj(content, file, _BLOCK)
    # To the end, where gzip keeps its own checksum.
    stream.allowed = _MAX_BYTES
    while stream.read(_BLOCK):
        pass
