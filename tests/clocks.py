"""Clocks that a test moves."""

import time


class FakeClock:
    """Stands still unless the test moves it; takes the place of the module `time`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


class LateClock:
    """The machine's clock, and what the test adds to it."""

    def __init__(self) -> None:
        self.added = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.added
