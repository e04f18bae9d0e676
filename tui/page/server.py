"""The server of the page: its addresses, its port, and its end."""

import asyncio
import contextlib
import logging
import mimetypes
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from engine.attach.registry import ProcessId
from engine.errors import InputError
from engine.formatting import printable
from engine.run.commands import MAX_SENTENCE_CHARACTERS, Audition
from engine.run.sample import StepChoice
from engine.speech.growing import growing_path
from tui.page import sounds
from tui.page.blind import BlindTests
from tui.page.client import Page, announce, find_page
from tui.page.events import REPLACED, Events
from tui.page.requests import REQUEST_WITHIN, attempt, body_of
from tui.page.security import BEARER, Guard, error_of, unexpected
from tui.page.voices import PageVoice, Voices, voice_id

_log = logging.getLogger(__name__)

DEFAULT_PORT = 8765
_PORTS = 50
"""Ports that are tried from the default one on."""
_STATIC = Path(__file__).with_name("static")
_MAX_CONNECTIONS = 256
_UNUSED_SECONDS = 600.0
"""Without a run and without a browser, after which a page that nobody waits for ends."""
_LOOK_SECONDS = 1.0
_MAX_SHOWN = 64


class _Speak(msgspec.Struct):
    sentence: str = ""
    step: StepChoice | None = None
    ssrn_step: StepChoice | None = None


class _Read(msgspec.Struct):
    text: str


class _Heard(msgspec.Struct):
    file: str


class _Sound(msgspec.Struct):
    tab: str
    on: bool


class _Play(msgspec.Struct):
    voice: str
    path: str
    title: str


class _Show(msgspec.Struct):
    folder: str = ""


class PageApp:
    """What the page answers."""

    def __init__(self) -> None:
        self.voices = Voices(lambda: self.events.notice())
        self.events = Events(self.voices.as_json, self.voices.marks)
        self._shown: dict[str, Path] = {}
        """Sounds that a terminal has asked for, by their names in addresses, oldest first."""

    def app(self) -> ASGIApp:
        """The app to serve, for those that a guard lets through."""
        app = Starlette(
            routes=self.routes(), exception_handlers={HTTPException: error_of, 500: unexpected}
        )
        app.router.redirect_slashes = False
        return app

    def routes(self) -> list[Route]:
        """All addresses."""
        voice = "/voices/{voice}"
        return [
            Route("/", self.index),
            Route("/static/{name}", self.static),
            Route("/events", self.stream),
            Route(voice + "/samples/{file}", self.sample),
            Route(voice + "/clips/{clip:path}", self.clip),
            Route(voice + "/speak", self.speak, methods=["POST"]),
            Route(voice + "/read", self.read, methods=["POST"]),
            Route(voice + "/heard", self.heard, methods=["POST"]),
            *BlindTests(self._voice).routes(voice + "/blind"),
            Route("/sound", self.sound, methods=["POST"]),
            Route("/play", self.play, methods=["POST"]),
            Route("/played/{name}", self.played),
            Route("/voices", self.show, methods=["POST"]),
        ]

    async def index(self, request: Request) -> Response:
        """The page itself."""
        return await self._file("index.html")

    async def static(self, request: Request) -> Response:
        """A file of the page."""
        return await self._file(request.path_params["name"])

    async def _file(self, name: str) -> Response:
        path = _STATIC / name
        if path not in _STATIC.glob("*.*"):
            raise HTTPException(404, "There is no such file.")
        kind = mimetypes.guess_type(name)[0]
        return Response(await run_in_threadpool(path.read_bytes), media_type=kind)

    async def stream(self, request: Request) -> Response:
        """The state of all voices, as server-sent events; `?tab=` names who listens."""
        name = request.query_params.get("tab", "")[:64]
        tab = self.events.open(name, request.scope["browser"])
        if tab is None:
            return Response(REPLACED, media_type="text/event-stream")
        return StreamingResponse(self.events.stream(tab), media_type="text/event-stream")

    async def sample(self, request: Request) -> Response:
        """A sample's sound, growing while it is made, or the picture of its attention."""
        voice, name = self._voice(request), request.path_params["file"]
        if name.endswith(".png"):
            path = voice.sound(f"{name.removesuffix('.png')}.wav")
            if path is not None:
                return await sounds.whole(request, path.with_suffix(".png"), "image/png")
        elif (path := voice.sound(name)) is not None:
            part = growing_path(path)
            if part.exists() and not path.exists():
                return sounds.growing(request, part, path)
            return await sounds.whole(request, path, "audio/wav")
        raise HTTPException(404, "This voice has no such sample.")

    async def clip(self, request: Request) -> Response:
        """A recording of a voice's corpus."""
        voice, clip = self._voice(request), request.path_params["clip"]
        return await sounds.recording(request, await attempt(voice.recording, clip))

    async def speak(self, request: Request) -> Response:
        """Have a sentence spoken."""
        voice, asked = self._voice(request), await body_of(request, _Speak)
        if len(asked.sentence) > MAX_SENTENCE_CHARACTERS:
            raise HTTPException(
                400, f"The sentence is too long (maximum {MAX_SENTENCE_CHARACTERS:,})."
            )
        command = Audition(asked.sentence.strip(), asked.step, asked.ssrn_step)
        await attempt(voice.speak, command)
        return JSONResponse({}, 202)

    async def read(self, request: Request) -> Response:
        """How a voice reads a text."""
        voice, asked = self._voice(request), await body_of(request, _Read)
        return JSONResponse(await attempt(voice.read, asked.text[:MAX_SENTENCE_CHARACTERS]))

    async def heard(self, request: Request) -> Response:
        """Somebody has played a sample."""
        voice, asked = self._voice(request), await body_of(request, _Heard)
        await attempt(voice.mark_heard, asked.file)
        return JSONResponse({})

    async def sound(self, request: Request) -> Response:
        """A tab says whether it can be heard; it was used just now."""
        asked = await body_of(request, _Sound)
        self.events.switch_sound(asked.tab[:64], asked.on)
        return JSONResponse({})

    async def play(self, request: Request) -> Response:
        """A terminal asks for a sound, which may be any file of this user's, or who listens."""
        _require_token(request)
        asked = await body_of(request, _Play)
        if not asked.path:
            return JSONResponse({"listeners": len(self.events.listening)})
        path, voice = Path(asked.path), voice_id(Path(asked.voice))
        url = f"/played/{self._show_sound(path)}"
        known, name = self.voices.find(voice), printable(path.name)
        if known is not None and known.sound(name) == path:
            url = f"/voices/{voice}/samples/{quote(name, safe='')}"
        sound = {"voice": voice, "url": url, "title": printable(asked.title)}
        return JSONResponse({"listeners": self.events.play(sound)})

    def _show_sound(self, path: Path) -> str:
        """Give a sound a name in addresses, for as long as it is among the newest."""
        name = secrets.token_hex(8)
        self._shown[name] = path
        while len(self._shown) > _MAX_SHOWN:
            del self._shown[next(iter(self._shown))]
        return name

    async def played(self, request: Request) -> Response:
        """A sound that a terminal has asked for."""
        path = self._shown.get(request.path_params["name"])
        if path is None:
            raise HTTPException(404, "This sound was asked for too long ago.")
        return await sounds.recording(request, path)

    async def show(self, request: Request) -> Response:
        """A terminal asks whether the page is there, and may name a voice that it is to show."""
        _require_token(request)
        asked = await body_of(request, _Show)
        if asked.folder:
            await attempt(self.voices.name, Path(asked.folder))
        return JSONResponse({})

    def _voice(self, request: Request) -> PageVoice:
        voice = self.voices.find(request.path_params["voice"])
        if voice is None:
            raise HTTPException(404, "There is no such voice on this page.")
        return voice

    async def follow_runs(self) -> None:
        """Look for runs that begin and end, for ever."""
        while True:
            try:
                await asyncio.to_thread(self.voices.look)
            except Exception:
                # The page goes on with what it knows.
                _log.exception("the runs of this host cannot be followed")
            await asyncio.sleep(_LOOK_SECONDS)

    @property
    def unused_seconds(self) -> float:
        """How long no run has been there, and no browser."""
        return time.monotonic() - max(self.voices.last_running, self.events.last_watched)


def _require_token(request: Request) -> None:
    if request.scope["browser"] != BEARER:
        raise HTTPException(403, "Only a terminal may ask for this.")


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
