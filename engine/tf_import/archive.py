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


@contextlib.contextmanager
def unpacked(archive: Path, on_bytes: Callable[[int], None] = lambda count: None) -> Iterator[Path]:
    """Unpack the checkpoint files of an archive into a folder that lasts as long as the block.

    `on_bytes` is called with the number of bytes of the archive read since its last call. An
    `InputError` from the block names files as parts of the archive.

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
                packed = file.read(2) == b"\x1f\x8b"
                file.seek(0)
                source = gzip.GzipFile(fileobj=file, mode="rb") if packed else file
                _unpack(_Stream(source, file, archive, on_bytes), archive, folder)
        except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, ValueError) as error:
            raise InputError(
                f"{archive} is damaged or not an archive ({str(error).rstrip('.')}); download it "
                f"again."
            ) from error
        except OSError as error:
            raise EngineError(
                f"Cannot unpack {archive} into {folder}: {error.strerror}; free some space, or "
                f"set TMPDIR to a folder that has some."
            ) from error
        try:
            yield folder
        except InputError as error:
            raise InputError(str(error).replace(str(folder), str(archive))) from error


class _Stream:
    """The bytes of a tar, no more than `allowed` of them, which the reader raises file by file."""

    def __init__(
        self,
        source: IO[bytes] | gzip.GzipFile,
        file: IO[bytes],
        archive: Path,
        on_bytes: Callable[[int], None],
    ) -> None:
        self._source = source
        self._file = file
        self._archive = archive
        self._on_bytes = on_bytes
        self._total = self._reported = 0
        self.allowed = _MAX_HEADER

    def read(self, count: int) -> bytes:
        data = self._source.read(count)
        self._total += len(data)
        self.allowed -= len(data)
        read = self._file.tell()
        self._on_bytes(read - self._reported)
        self._reported = read
        if self._total > _MAX_BYTES:
            raise InputError(
                f"{self._archive} holds more than {_MAX_BYTES // 10**9} GB; unpack it yourself "
                f"and give the folder of the models."
            )
        if self.allowed < 0:
            raise InputError(
                f"{self._archive} is not an archive that `tar` makes of a folder of models; "
                f"unpack it yourself and give the folder."
            )
        return data


def _unpack(stream: _Stream, archive: Path, folder: Path) -> None:
    # Of a file, tarfile needs nothing but `read`.
    with tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r|") as tar:
        for member in tar:
            stream.allowed = member.size + _MAX_HEADER
            target = _target(member, archive, folder)
            content = tar.extractfile(member) if target else None
            if target is None or content is None:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                shutil.copyfileobj(content, file, _BLOCK)
    # To the end, where gzip keeps its own checksum.
    stream.allowed = _MAX_BYTES
    while stream.read(_BLOCK):
        pass


def _target(member: tarfile.TarInfo, archive: Path, folder: Path) -> Path | None:
    """Where a file of the archive is written; None for one that belongs to no checkpoint.

    Raises:
        InputError: it would lie outside the folder.
    """
    path = PurePosixPath(member.name)
    parts = [part for part in path.parts if part != "."]
    if not member.isreg() or member.issparse() or not parts or not is_checkpoint_file(parts[-1]):
        return None
    if path.is_absolute() or ".." in parts:
        raise InputError(
            f"{archive} names a file outside its folder ({member.name[:200]!r}); an archive of a "
            f"folder of models has only names such as models/LJ01-1/model_gs_1450k.index."
        )
    return folder.joinpath(*parts)
