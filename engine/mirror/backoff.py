"""How long to wait before the next try."""

from random import Random


class Backoff:
    """Waits that double up to a limit, each shortened by chance.

    Chance keeps many hosts that lost the same server from coming back to it all at once; see
    "equal jitter" in M. Brooker, Exponential Backoff And Jitter, AWS Architecture Blog, 2015.
    """

    def __init__(
        self, first: float = 1.0, most: float = 300.0, random: Random | None = None
    ) -> None:
        """Begin with no failures.

        Args:
            first: seconds after the first failure, at most.
            most: seconds after any number of them.
            random: where the chance comes from.
        """
        self._first = first
        self._most = most
        # Not for secrets: it only spreads the tries.
        self._random = random or Random()  # noqa: S311
        self.failures = 0
        """Failures since the last success."""

    def failed(self) -> float:
        """Note a failure; return the seconds to wait, between half the limit and all of it."""
        limit = min(self._most, self._first * 2.0 ** min(self.failures, 60))
        self.failures += 1
        return limit * (0.5 + 0.5 * self._random.random())

    def succeeded(self) -> None:
        """Note a success: the next failure waits briefly again."""
        self.failures = 0
