"""The server of the page: its port, its life and its end."""

import asyncio
import contextlib
import os
import secrets
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from engine.attach.registry import ProcessId
from engine.errors import InputError
from tui.page.app import PageApp
from tui.page.client import Page, announce, find_page
from tui.page.requests import REQUEST_WITHIN
from tui.page.security import Guard

DEFAULT_PORT = 8765
_PORTS = 50
"""Ports that are tried from the default one on."""
_MAX_CONNECTIONS = 256
_UNUSED_SECONDS = 600.0
"""Without a run and without a browser, after which a page that nobody waits for ends."""


class _Protocol(H11Protocol):
    """Closes a connection on which no request arrives in time, as uvicorn does after the first."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
        self._deadline = self.loop.time() + REQUEST_WITHIN
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Wait on for the rest of a request, but no longer."""
        super().data_received(data)
        self._wait()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._deadline = self.loop.time() + REQUEST_WITHIN
        super().on_response_complete()

    def _wait(self) -> None:
        idle = self.cycle is None or self.cycle.response_complete
        if idle and self.timeout_keep_alive_task is None and not self.transport.is_closing():
            close = self.timeout_keep_alive_handler
            self.timeout_keep_alive_task = self.loop.call_at(self._deadline, close)


class _Server(uvicorn.Server):
    """Ends at once at a signal; uvicorn would wait for streams that never end by themselves."""

    def __init__(self, page: PageApp, app: ASGIApp, *, until_unused: bool) -> None:
        self._page, self._until_unused = page, until_unused
        super().__init__(
            uvicorn.Config(
                app,
                http=_Protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=_MAX_CONNECTIONS,
                timeout_keep_alive=int(REQUEST_WITHIN),
                timeout_graceful_shutdown=1,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End at a signal as at any other time: with 0."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.end)
        yield

    async def on_tick(self, counter: int) -> bool:
        """Return whether to end; uvicorn asks ten times a second."""
        if self._until_unused and self._page.unused_seconds > _UNUSED_SECONDS:
            self.end()
        return await super().on_tick(counter)

    def end(self) -> None:
        """End; the second time without waiting for anything."""
        if self.should_exit:
            os._exit(0)
        self.should_exit = True
        self._page.events.close()


def open_port(port: int | None) -> socket.socket:
    """Bind a port of 127.0.0.1, or the first free one from the default on.

    Raises:
        InputError: it cannot be bound.
    """
    first = DEFAULT_PORT if port is None else port
    for number in range(first, first + (_PORTS if port is None else 1)):
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind(("127.0.0.1", number))
            # Two that bind at once both succeed; only one of them can listen.
            bound.listen(_MAX_CONNECTIONS)
        except OSError as error:
            bound.close()
            trouble = error.strerror
        else:
            return bound
    raise InputError(
        f"port {first} of 127.0.0.1 cannot be used ({trouble}); give another --port"
        if port is not None
        else f"no port from {first} to {first + _PORTS - 1} is free; give one with --port"
    )


def serve(
    bound: socket.socket,
    voice: Path | None,
    ready: Callable[[Page], None],
    *,
    until_unused: bool = False,
) -> None:
    """Serve the page until a signal ends it.

    Args:
        bound: the port, as `open_port` gives it.
        voice: a voice folder to show, besides those that are being trained.
        ready: is called with the page once it is served and can be found.
        until_unused: whether to end after ten minutes without a run and without a browser.

    Raises:
        InputError: there is no such voice, or no place for the page's file.
        EngineError: the file cannot be written.
    """
    page = PageApp()
    if voice is not None:
        page.voices.name(voice)
    port = bound.getsockname()[1]
    announced = Page(port, secrets.token_hex(16), ProcessId.of_this())
    file = announce(announced)
    try:
        ready(announced)
        server = _Server(page, Guard(page.app(), announced.token, port), until_unused=until_unused)
        asyncio.run(_serve(page, server, bound))
    finally:
        page.voices.close()
        if find_page() == announced:
            file.unlink(missing_ok=True)


async def _serve(page: PageApp, server: _Server, bound: socket.socket) -> None:
    tasks = [asyncio.create_task(page.follow_runs()), asyncio.create_task(page.events.run())]

    def end(_: object) -> None:
        if not server.should_exit:
            server.end()

    for task in tasks:
        # A page that stands still must not look like runs that do.
        task.add_done_callback(end)
    try:
        await server.serve([bound])
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
