"""Keys in the order in which they were typed, however fast they come."""

import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from textual import events
from textual.app import App
from textual.message_pump import MessagePump

_PATIENCE = 1.0
"""Seconds after which a key counts as dealt with although nobody said so: what had it is gone."""
_TRIPS = 2
"""Ways up from what has focus to the app: on the first a key finds its binding, on the second what
the binding asked for, such as the end of a dialog, is done."""


class KeyOrder:
    """Hands keys and pastes on one at a time.

    Textual hands each to what has focus when it arrives, and looks for its binding once it has
    come back from there. A key that opens a dialog, or deletes, would then act after the
    characters that were typed behind it.
    """

    def __init__(
        self,
        app: App[Any],
        hand_on: Callable[[events.Event], Awaitable[None]],
        may_hand_on: Callable[[], bool],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep keys until it is their turn.

        Args:
            app: whose keys they are.
            hand_on: gives one to what has focus.
            may_hand_on: whether what is on top can take one.
            monotonic: tells how long one has been under way, in seconds.
        """
        self._app = app
        self._hand_on = hand_on
        self._may_hand_on = may_hand_on
        self._monotonic = monotonic
        self._waiting: deque[events.Event] = deque()
        self._under_way: events.Event | None = None
        self._since = 0.0

    async def take(self, event: events.Event) -> None:
        """Take a key or a paste, and hand it on once those before it have been dealt with."""
        self._waiting.append(event)
        await self.go_on()

    async def go_on(self) -> None:
        """Hand on the next one, where that may be; call it again when it may."""
        if self._under_way is not None and self._monotonic() - self._since > _PATIENCE:
            self._under_way = None
        if not self._waiting or self._under_way is not None or not self._may_hand_on():
            return
        event = self._waiting.popleft()
        self._under_way, self._since = event, self._monotonic()
        await self._hand_on(event)
        self._follow(event, self._lowest, _TRIPS)

    @property
    def _lowest(self) -> MessagePump:
        return self._app.focused or self._app.screen

    def _follow(self, event: events.Event, node: MessagePump, trips: int) -> None:
        """Go the way of a key: behind it through the queue of each node that it comes to."""
        if node is self._app or not node.call_later(self._rise, event, node, trips):
            self._app.call_later(self._arrive, event, trips)

    def _rise(self, event: events.Event, node: MessagePump, trips: int) -> None:
        self._follow(event, node._parent or self._app, trips)

    async def _arrive(self, event: events.Event, trips: int) -> None:
        if self._under_way is not event:
            return
        if trips > 1:
            self._follow(event, self._lowest, trips - 1)
            return
        self._under_way = None
        await self.go_on()
