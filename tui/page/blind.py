"""Blind comparisons in the browser: two sounds without names, an answer, and what it adds up to."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from engine.evaluation.blind_test import BlindTest, Round, steps_to_compare
from engine.formatting import printable
from engine.run.snapshot import Snapshot
from engine.voice.comparisons import Answer
from tui.page import sounds
from tui.page.requests import attempt, body_of
from tui.page.voices import PageVoice

_MAX_TESTS = 16
_LOOK_SECONDS = 0.1
_READY_WITHIN = 60.0
"""Seconds that a browser waits for two samples to be spoken."""

_KEPT = "Answer saved. Which was which is revealed once the answers decide."


class _Answered(msgspec.Struct):
    trial: str
    answer: Answer


class _Test:
    """A blind test in some browser."""

    def __init__(self, voice: PageVoice, snapshot: Snapshot, steps: tuple[int, ...]) -> None:
        self.round = Round(BlindTest(snapshot, steps), voice.speak)
        self.turn = asyncio.Lock()
        """Held by whoever changes the round."""
        self.heard: set[str] = set()
        """Which sounds of the trial a browser has fetched."""


class BlindTests:
    """The page's answers about blind comparisons."""

    def __init__(self, voice_of: Callable[[Request], PageVoice]) -> None:
        """Take what finds the voice that a request is about."""
        self._voice_of = voice_of
        self._tests: dict[tuple[str, str, tuple[int, ...]], _Test] = {}

    def routes(self, place: str) -> list[Route]:
        """The addresses, below `place`."""
        return [
            Route(place, self.next_trial),
            Route(place, self.answer, methods=["POST"]),
            Route(place + "/{trial}/{side}", self.sound),
        ]

    async def next_trial(self, request: Request) -> Response:
        """What is to be compared now, once both are spoken: of `first` and `second`, or of all."""
        voice = self._voice_of(request)
        chosen = [_step(request.query_params.get(name)) for name in ("first", "second")]
        test = await self._test(voice, [step for step in chosen if step is not None])
        deadline = time.monotonic() + _READY_WITHIN
        while not await self._ready(test, voice):
            if time.monotonic() > deadline:
                raise HTTPException(503, "The samples are still being spoken; try again.")
            await asyncio.sleep(_LOOK_SECONDS)
        trial, standing = test.round.trial, test.round.test.standing
        place = f"{request.url.path}/{trial.name}"
        return JSONResponse(
            {
                "trial": trial.name,
                "sentence": printable(trial.sentence),
                "a": f"{place}/a",
                "b": f"{place}/b",
                "answered": standing.answers,
                "standing": standing.words,
            }
        )

    async def _test(self, voice: PageVoice, chosen: list[int]) -> _Test:
        snapshot = _snapshot(voice)
        steps = await attempt(steps_to_compare, snapshot, chosen)
        key = (voice.id, snapshot.network, steps)
        if key not in self._tests:
            self._tests[key] = await attempt(_Test, voice, snapshot, steps)
            for oldest in list(self._tests)[:-_MAX_TESTS]:
                del self._tests[oldest]
        return self._tests[key]

    async def _ready(self, test: _Test, voice: PageVoice) -> bool:
        async with test.turn:
            return await attempt(test.round.follow, _snapshot(voice))

    async def sound(self, request: Request) -> Response:
        """One of the two sounds."""
        side = request.path_params["side"]
        test = self._of_trial(request.path_params["trial"])
        if test is None or test.round.sounds is None or side not in ("a", "b"):
            raise HTTPException(404, "This comparison is over.")
        test.heard.add(side)
        content = test.round.sounds[side == "b"]
        return sounds.ranged(request, content, "audio/wav", f"{side}.wav")

    async def answer(self, request: Request) -> Response:
        """Keep an answer, and say what all answers so far mean."""
        asked = await body_of(request, _Answered)
        test = self._of_trial(asked.trial)
        if test is None:
            raise HTTPException(409, "This pair was answered already.")
        async with test.turn:
            return JSONResponse(await self._keep(test, asked))

    async def _keep(self, test: _Test, asked: _Answered) -> dict[str, Any]:
        trial = test.round.trial
        if trial.name != asked.trial:
            raise HTTPException(409, "This pair was answered already.")
        if test.heard != {"a", "b"}:
            raise HTTPException(400, "Listen to both of them first.")
        await attempt(test.round.answer, asked.answer)
        test.heard.clear()
        standing = test.round.test.standing
        told = f"A was {trial.a:,}, B was {trial.b:,}."
        return {
            "revealed": told if standing.decided else _KEPT,
            "decided": standing.decided,
            "best": standing.best,
            "answered": standing.answers,
            "standing": standing.words,
        }

    def _of_trial(self, name: str) -> _Test | None:
        tests = self._tests.values()
        return next((test for test in tests if test.round.trial.name == name), None)


def _snapshot(voice: PageVoice) -> Snapshot:
    if voice.snapshot is None:
        raise HTTPException(503, voice.ended or "The run has not answered yet; try again.")
    return voice.snapshot


def _step(text: str | None) -> int | None:
    if not text:
        return None
    if text.isascii() and text.isdecimal() and len(text) < 12:
        return int(text)
    raise HTTPException(400, f"{printable(text, 20)} is not a step; give a number such as 12000.")
