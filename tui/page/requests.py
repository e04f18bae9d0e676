"""What all answers of the page share: reading a request, and saying what is wrong with it."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request

from engine.errors import InputError, VoicecoachError
from engine.serialization import from_json
from tui.page.security import MAX_BODY

REQUEST_WITHIN = 10.0
"""Seconds that a browser may take to send a request."""

_T = TypeVar("_T")


async def body_of(request: Request, kind: type[_T]) -> _T:
    """Read what a browser sends; raises `HTTPException` where that is something else."""
    content = bytearray()
    try:
        async with asyncio.timeout(REQUEST_WITHIN):
            async for chunk in request.stream():
                content += chunk
                if len(content) > MAX_BODY:
                    raise HTTPException(413, f"Too large (maximum {MAX_BODY:,} bytes).")
        return from_json(bytes(content), kind, "the request")
    except TimeoutError:
        raise HTTPException(408, "The request did not arrive in time.") from None
    except InputError as error:
        raise HTTPException(400, f"Not understood: {error}.") from error


async def attempt(work: Callable[..., _T], *given: object) -> _T:
    """Do something that may read files, in a thread; what is wrong goes to the browser."""
    try:
        return await run_in_threadpool(work, *given)
    except VoicecoachError as error:
        status = 400 if isinstance(error, InputError) else 500
        raise HTTPException(status, str(error)) from error
