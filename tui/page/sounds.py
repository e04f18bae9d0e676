"""Sounds as browsers get them: whole with ranges, or growing while they are made."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from engine.data.audio import RecordingFile, wav_header
from engine.errors import InputError
from engine.files import open_plain, read_plain

_MAX_BYTES = 2**26
"""Of a sample: 25 minutes."""
_CHUNK = 64 * 1024
_LOOK_SECONDS = 0.02
"""From one look at a growing file to the next."""
_STILL_SECONDS = 30.0
"""After which a file that has stopped growing is given up: whoever made it was killed."""


async def whole(request: Request, path: Path, kind: str) -> Response:
    """Answer with a file of a voice, or the part of it that was asked for.

    Raises:
        HTTPException: there is no such file, or it is a link.
    """
    try:
        content = await run_in_threadpool(read_plain, path, _MAX_BYTES)
    except FileNotFoundError:
        raise HTTPException(404, f"{path.name} is no longer there.") from None
    except OSError as error:
        raise HTTPException(404, f"{path.name} cannot be read: {error.strerror}.") from error
    return ranged(request, content, kind, path.name)


def ranged(request: Request, content: bytes, kind: str, name: str) -> Response:
    """Answer with bytes, or with the range of them that was asked for."""
    headers = {"Accept-Ranges": "bytes", **_as_download(request, name)}
    asked = range_of(request.headers.get("range", ""), len(content))
    if asked is None:
        return Response(content, media_type=kind, headers=headers)
    if not asked:
        raise HTTPException(416, f"{name} has {len(content):,} bytes.")
    headers["Content-Range"] = f"bytes {asked.start}-{asked.stop - 1}/{len(content)}"
    return Response(content[asked.start : asked.stop], 206, headers, media_type=kind)


def range_of(header: str, size: int) -> range | None:
    """Read a Range header for so many bytes; empty outside of them.

    None for no header, one that cannot be read, or more than one range: all is sent then.
    """
    unit, _, text = header.partition("=")
    first, dash, last = (part.strip() for part in text.partition("-"))
    numbers = [number for number in (first, last) if number]
    digits = all(number.isascii() and number.isdecimal() for number in numbers)
    if unit.strip() != "bytes" or not dash or not numbers or not digits:
        return None
    if not first:
        return range(max(0, size - int(last)), size)
    if last and int(last) < int(first):
        return None
    return range(int(first), min(size, int(last) + 1 if last else size))


async def growing(request: Request, part: Path, final: Path) -> Response | None:
    """Answer with a sound as it is made, up to its end; None where it is not being made.

    Args:
        request: what is answered.
        part: the file that grows.
        final: its name once it is whole.
    """
    descriptor = await run_in_threadpool(_open_growing, part, final)
    if descriptor is None:
        return None
    headers = _as_download(request, final.name)
    return StreamingResponse(_grown(descriptor, final), media_type="audio/wav", headers=headers)


def _open_growing(part: Path, final: Path) -> int | None:
    try:
        return None if final.exists() else open_plain(part)
    except OSError:
        return None


async def _grown(descriptor: int, final: Path) -> AsyncIterator[bytes]:
    """The bytes of an open file until it has its final name; fails if it is removed."""
    grew = time.monotonic()
    try:
        while True:
            # In a thread: its disk may hang, and this page with it.
            content, complete, removed = await run_in_threadpool(_read_grown, descriptor, final)
            if content:
                grew = time.monotonic()
                yield content
            elif complete:
                return
            elif removed or time.monotonic() - grew > _STILL_SECONDS:
                # The connection ends without the end of the answer: a browser sees that.
                raise InputError(f"{final.name} was not finished")
            else:
                await asyncio.sleep(_LOOK_SECONDS)
    finally:
        os.close(descriptor)


def _read_grown(descriptor: int, final: Path) -> tuple[bytes, bool, bool]:
    """Read on; return also whether the file is whole, and whether it was removed."""
    # Before the read: what is written until it has its name is read, too.
    known = os.fstat(descriptor)
    try:
        complete = os.path.samestat(known, final.lstat())
    except FileNotFoundError:
        complete = False
    return os.read(descriptor, _CHUNK), complete, not known.st_nlink


async def recording(request: Request, path: Path) -> Response:
    """Answer with a recording as mono WAV of 16 bits.

    Raises:
        HTTPException: it cannot be read.
    """
    try:
        content = await run_in_threadpool(_as_wav, path)
    except InputError as error:
        raise HTTPException(404, str(error)) from error
    return ranged(request, content, "audio/wav", f"{path.stem}.wav")


def _as_wav(path: Path) -> bytes:
    with RecordingFile(path) as file:
        rate = file.length()[1]
        samples = file.mono(rate)
    # A recording of 16 bits keeps its very samples.
    samples = np.clip(samples * 32_768, -32_768, 32_767)
    return wav_header(rate, len(samples)) + samples.round().astype("<i2").tobytes()


def _as_download(request: Request, name: str) -> dict[str, str]:
    if "download" not in request.query_params:
        return {}
    return {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}
