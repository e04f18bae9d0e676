"""Keys in the order in which they were typed, however fast they come."""

import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from textual import events
from textual.app import App
from textual.message_pump import MessagePump

_PATIENCE = 1.0
"""Seconds after which a key counts as handled: the widget that had it is gone."""
_TRIPS = 2
"""Ways up from the focused widget to the app: on the first a key finds its binding, on the second
the binding's action, such as the end of a dialog, is done."""


class KeyOrder:
    """Passes keys and pastes on one at a time.

    Textual hands each to what has focus when it arrives, and looks for its binding once it has
    come back from there. A key that opens a dialog, or deletes, would then act after the
    characters that were typed behind it.
    """

    def __init__(
        self,
        app: App[Any],
        hand_on: Callable[[events.Event], Awaitable[None]],
        may_hand_on: Callable[[], bool],
    ) -> None:
        """Take what passes a key to the focused widget, and whether that can take one now."""
        self._app = app
        self._hand_on = hand_on
        self._may_hand_on = may_hand_on
        self._waiting: deque[events.Event] = deque()
        self._under_way: events.Event | None = None
        self._since = 0.0

    async def take(self, event: events.Event) -> None:
        """Take a key or a paste, and pass it on once those before it have been handled."""
        self._waiting.append(event)
        await self.go_on()

    async def go_on(self) -> None:
        """Pass on the next one if possible; call it again when it may be."""
        lost = self._under_way is not None and time.monotonic() - self._since > _PATIENCE
        if not self._waiting or not self._may_hand_on() or (self._under_way and not lost):
            return
        event = self._waiting.popleft()
        self._under_way, self._since = event, time.monotonic()
        await self._hand_on(event)
        self._rise(event, self._app.focused or self._app.screen, _TRIPS)

    def _rise(self, event: events.Event, node: MessagePump, trips: int) -> None:
        """Follow a key through the queue of each node on its way up."""
        above = node._parent or self._app
        if node is self._app or not node.call_later(self._rise, event, above, trips):
            self._app.call_later(self._arrive, event, trips)

    async def _arrive(self, event: events.Event, trips: int) -> None:
        if self._under_way is not event:
            return
        if trips > 1:
            self._rise(event, self._app.focused or self._app.screen, trips - 1)
            return
        self._under_way = None
        await self.go_on()
