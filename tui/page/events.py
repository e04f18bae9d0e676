"""What browsers are told without asking: the state of all voices, and what a terminal plays."""

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

_log = logging.getLogger(__name__)

_EVERY = 0.5
"""Seconds from one look at the runs to the next."""
_ALIVE_AFTER = 15.0
"""Seconds of silence after which a browser is told that the page is there."""
_MAX_TABS = 4
"""Open tabs of one browser that are told: it makes six connections to an address at most."""
_MAX_PLAYS = 8


@dataclass
class Tab:
    """A browser's tab that is told what happens."""

    name: str
    browser: str
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    plays: deque[bytes] = field(default_factory=lambda: deque(maxlen=_MAX_PLAYS))
    gone: bool = False
    """Whether a newer tab of the same browser took its place."""


class Events:
    """Sends one state to all tabs, the newest when they are ready for it."""

    def __init__(self, state: Callable[[], bytes], marks: Callable[[], object]) -> None:
        """Take what returns the state as JSON, and what changes with news that cannot wait.

        `marks` must return at once; `state` may read files, and is called in a thread.
        """
        self._state, self._marks = state, marks
        self._frame = b""
        self._told: object = None
        self._urgent = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tabs: list[Tab] = []
        """Oldest first."""
        self._replaced: deque[tuple[str, str]] = deque(maxlen=1_000)
        self._sounds: dict[str, float] = {}
        """When tabs whose sound is on were used last."""
        self.closing = False
        self.last_watched = time.monotonic()
        """When a tab was there last."""

    def notice(self) -> None:
        """Have news that cannot wait told at once; may be called from any thread."""
        if self._loop is not None and self._marks() != self._told:
            self._loop.call_soon_threadsafe(self._urgent.set)

    async def run(self) -> None:
        """Look at the runs for ever, and tell all tabs what changed."""
        self._loop = asyncio.get_running_loop()
        while True:
            self._told = self._marks()
            if self._tabs:
                self.last_watched = time.monotonic()
                await self._renew()
            try:
                await asyncio.wait_for(self._urgent.wait(), _EVERY)
            except TimeoutError:
                continue
            self._urgent.clear()

    async def _renew(self) -> None:
        try:
            frame = _frame("state", await asyncio.to_thread(self._state))
        except Exception:
            # What tabs were told before stands; the next look may go well.
            _log.exception("the state cannot be told")
            return
        if frame != self._frame:
            self._frame = frame
            for tab in self._tabs:
                tab.wake.set()

    def close(self) -> None:
        """End all streams."""
        self.closing = True
        for tab in self._tabs:
            tab.wake.set()

    def open(self, name: str, browser: str) -> Tab | None:
        """Add a tab; None for one whose place a newer one has taken, and that comes again.

        Without that, more tabs than are told would push each other out for ever.
        """
        if (name, browser) in self._replaced:
            return None
        tab = Tab(name, browser)
        for other in self._of(browser):
            # A tab that comes again has lost its connection without our knowledge.
            if name and other.name == name:
                self._drop(other)
        for other in self._of(browser)[: -(_MAX_TABS - 1)]:
            if other.name:
                self._replaced.append((other.name, browser))
            self._drop(other)
        self._tabs.append(tab)
        return tab

    def _of(self, browser: str) -> list[Tab]:
        return [tab for tab in self._tabs if tab.browser == browser]

    def _drop(self, tab: Tab) -> None:
        tab.gone = True
        tab.wake.set()
        if tab in self._tabs:
            self._tabs.remove(tab)

    async def stream(self, tab: Tab) -> AsyncIterator[bytes]:
        """What a tab is sent, until it closes."""
        sent = b""
        try:
            yield b"retry: 1000\n\n"
            await self._renew()
            while not self.closing and not tab.gone:
                tab.wake.clear()
                if sent != self._frame:
                    sent = self._frame
                    yield sent
                while tab.plays:
                    yield tab.plays.popleft()
                try:
                    await asyncio.wait_for(tab.wake.wait(), _ALIVE_AFTER)
                except TimeoutError:
                    yield b": alive\n\n"
            if tab.gone:
                yield REPLACED
        finally:
            self._drop(tab)

    def switch_sound(self, tab: str, on: bool) -> None:
        """Note that a tab can be heard, and was used just now, or that it cannot."""
        self._sounds.pop(tab, None)
        if on:
            self._sounds[tab] = time.monotonic()
        while len(self._sounds) > 1_000:
            del self._sounds[next(iter(self._sounds))]

    @property
    def listening(self) -> list[Tab]:
        """The tabs that can be heard."""
        return [tab for tab in self._tabs if tab.name in self._sounds]

    def play(self, sound: dict[str, Any]) -> int:
        """Have the tab that was used last play a sound; return how many can be heard."""
        listening = self.listening
        if listening:
            tab = max(listening, key=lambda one: self._sounds[one.name])
            tab.plays.append(_frame("play", json.dumps(sound).encode()))
            tab.wake.set()
        return len(listening)


def _frame(event: str, data: bytes) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (event.encode(), data)


REPLACED = _frame("replaced", b"{}")
"""Tells a tab that newer ones have its place."""
