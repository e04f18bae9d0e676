"""Two networks on one device make their steps in turns, half of the time each.

Each step then has the whole device, with as many threads as if it were trained alone, and its bits
do not depend on whether the other one is.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Seconds that a network may catch up on after it made no steps for a while.
_MAX_BEHIND = 1.0
# Seconds between two signs of life of one that waits.
_BEAT_SECONDS = 1.0


class Turns:
    """Says whose turn it is: that of the network which has had less of the time."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._seconds: dict[str, float] = {}
        self._waiting: set[str] = set()
        self._taken = False

    @contextmanager
    def take(self, network: str, beat: Callable[[], None]) -> Iterator[None]:
        """Have the device for the block; until it is free, `beat` shows that nothing hangs."""
        with self._changed:
            most = max(self._seconds.values(), default=0.0)
            self._seconds[network] = max(self._seconds.get(network, 0.0), most - _MAX_BEHIND)
            self._waiting.add(network)
            while not self._changed.wait_for(lambda: self._is_next(network), _BEAT_SECONDS):
                beat()
            self._waiting.remove(network)
            self._taken = True
        start = time.monotonic()
        try:
            yield
        finally:
            with self._changed:
                self._seconds[network] += time.monotonic() - start
                self._taken = False
                self._changed.notify_all()

    def _is_next(self, network: str) -> bool:
        return not self._taken and network == min(self._waiting, key=self._seconds.__getitem__)
