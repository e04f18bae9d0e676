"""Checkpoint files out of a tar archive, compressed or not: those, and nothing else of it."""

import contextlib
import gzip
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
_MAX_MEMBERS = 20_000
# Bytes between the contents of two files: headers of tar, which may be longer than usual for
# long names, but which are held in memory.
_LONGEST_HEADER = 2**20
_BLOCK = 2**20
_LONGEST_NAME = 255
_DEEPEST = 16


@contextlib.contextmanager
def unpacked(archive: Path, on_bytes: Callable[[int], None] = lambda count: None) -> Iterator[Path]:
    """Unpack the checkpoint files of an archive into a folder that lasts as long as the block.

    Of other files nothing is written. `on_bytes` is told how many bytes of the archive have
    been read since it was last told. An `InputError` from the block names files as parts of the
    archive.

    Raises:
        InputError: the archive is damaged, or holds what no archive of checkpoints holds.
        EngineError: there is no room for its files.
    """
    with tempfile.TemporaryDirectory(prefix="voicecoach-") as name:
        folder = Path(name)
        _unpack(archive, folder, on_bytes)
        try:
            yield folder
        except InputError as error:
            raise InputError(str(error).replace(str(folder), str(archive))) from error


class _Stream:
    """The bytes of a tar, as many as are allowed before they are asked for."""

    def __init__(self, source: IO[bytes] | gzip.GzipFile, archive: Path) -> None:
        self._source = source
        self._archive = archive
        self._total = 0
        self.allowed = _LONGEST_HEADER

    def read(self, count: int = -1) -> bytes:
        """Read on.

        Raises:
            InputError: there is more of it than an archive of checkpoints has.
        """
        data = self._source.read(_BLOCK if count < 0 else count)
        self._total += len(data)
        self.allowed -= len(data)
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


class _Counted:
    """A file that tells how much of it has been read."""

    def __init__(self, file: IO[bytes], on_bytes: Callable[[int], None]) -> None:
        self._file = file
        self._on_bytes = on_bytes

    def read(self, count: int = -1) -> bytes:
        data = self._file.read(count)
        self._on_bytes(len(data))
        return data


def _unpack(archive: Path, folder: Path, on_bytes: Callable[[int], None]) -> None:
    try:
        opened = archive.open("rb")
    except OSError as error:
        raise InputError(f"Cannot read {archive}: {error.strerror}.") from error
    try:
        with opened as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            # Of a file, these two and `tarfile` want nothing but `read`.
            counted = cast("IO[bytes]", _Counted(file, on_bytes))
            source = gzip.GzipFile(fileobj=counted, mode="rb") if packed else counted
            _take_files(_Stream(source, archive), archive, folder)
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, ValueError) as error:
        raise InputError(
            f"{archive} is damaged or not an archive ({str(error).rstrip('.')}); download it again."
        ) from error
    except OSError as error:
        raise EngineError(
            f"Cannot unpack {archive} into {folder}: {error.strerror}; free some space, or set "
            f"TMPDIR to a folder that has some."
        ) from error


def _take_files(stream: _Stream, archive: Path, folder: Path) -> None:
    members = 0
    with tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r|") as tar:
        while True:
            stream.allowed = _LONGEST_HEADER
            member = tar.next()
            if member is None:
                break
            members += 1
            if members > _MAX_MEMBERS:
                raise InputError(
                    f"{archive} holds more than {_MAX_MEMBERS:,} files; unpack it yourself and "
                    f"give the folder of the models."
                )
            if not member.isreg() or member.issparse():
                continue
            content = tar.extractfile(member)
            assert content is not None
            target = _target(member.name, archive, folder)
            stream.allowed = member.size + _LONGEST_HEADER
            _copy(content, member.size, target, archive)
    # To the end, where gzip keeps its own checksum.
    stream.allowed = _MAX_BYTES
    while stream.read(_BLOCK):
        pass


def _copy(content: IO[bytes], size: int, target: Path | None, archive: Path) -> None:
    """Read a file of the archive to its end, and write it where there is a place for it."""
    with contextlib.ExitStack() as stack:
        file = None
        if target is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():
                raise InputError(
                    f"{archive} holds {target.name} twice in one folder; unpack it yourself."
                )
            file = stack.enter_context(target.open("xb"))
        while size:
            block = content.read(min(size, _BLOCK))
            if not block:
                raise EOFError("it ends within a file")
            size -= len(block)
            if file is not None:
                file.write(block)


def _target(name: str, archive: Path, folder: Path) -> Path | None:
    """Where a file of the archive is written; None for one that is no checkpoint's.

    Raises:
        InputError: it would lie outside the folder.
    """
    path = PurePosixPath(name)
    parts = [part for part in path.parts if part != "."]
    if not parts or not is_checkpoint_file(parts[-1]):
        return None
    sound = all(
        part != ".." and "\0" not in part and len(part.encode(errors="replace")) <= _LONGEST_NAME
        for part in parts
    )
    if path.is_absolute() or not sound or len(parts) > _DEEPEST:
        raise InputError(
            f"{archive} names a file outside its folder ({name[:200]!r}); an archive of a folder "
            f"of models has only names such as models/LJ01-1/model_gs_1450k.index."
        )
    return folder.joinpath(*parts)
