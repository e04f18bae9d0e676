"""What the page answers at each of its addresses."""

import asyncio
import logging
import mimetypes
import secrets
import time
from pathlib import Path
from urllib.parse import quote

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from engine.formatting import printable
from engine.run.commands import MAX_SENTENCE_CHARACTERS, Audition
from engine.run.sample import StepChoice
from engine.speech.growing import growing_path
from tui.page import sounds
from tui.page.blind import BlindTests
from tui.page.client import path_from_text
from tui.page.events import REPLACED, Events
from tui.page.requests import attempt, body_of
from tui.page.security import BEARER, error_of, unexpected
from tui.page.voices import PageVoice, Voices, voice_id

_log = logging.getLogger(__name__)

_STATIC = Path(__file__).with_name("static")
_LOOK_SECONDS = 1.0
"""From one look at the runs of this host to the next."""
_MAX_SHOWN = 64
"""Sounds that a terminal has asked for."""


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
            growing = await sounds.growing(request, growing_path(path), path)
            return growing or await sounds.whole(request, path, "audio/wav")
        raise HTTPException(404, "This voice has no such sample.")

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
        path, voice = path_from_text(asked.path), voice_id(path_from_text(asked.voice))
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
            raise HTTPException(404, "This sound has expired; play it again in the terminal.")
        return await sounds.recording(request, path)

    async def show(self, request: Request) -> Response:
        """A terminal asks whether the page is there, and may name a voice that it is to show."""
        _require_token(request)
        asked = await body_of(request, _Show)
        if asked.folder:
            await attempt(self.voices.name, path_from_text(asked.folder))
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
