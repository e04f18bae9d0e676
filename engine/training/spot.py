"""The end that a cloud sets: saved at once, trained to the last safe second, saved again."""

import math
import time
from collections.abc import Callable
from datetime import datetime

from engine.machine.cloud.machine import SpotNotice
from engine.machine.cloud.news import Interruption, NoticeGone, SpotWarning
from engine.machine.hook import Hook
from engine.run.publisher import Publisher

_SHORTEST_MARGIN = 10.0
"""Seconds before the deadline at which the last checkpoint is begun, at least: of the half minute
that some clouds give, a third."""
# A write beside a hook that copies the voice away may take that much longer than the one before.
_WRITES = 3.0


def margin(write_seconds: float, step_seconds: float | None) -> float:
    """Seconds before the deadline at which no further step may begin.

    Args:
        write_seconds: what the last checkpoint took to be written.
        step_seconds: what a step takes, where that is known.
    """
    return max(_SHORTEST_MARGIN, _WRITES * write_seconds + 2 * (step_seconds or 0.0))


class Interruptions:
    """What the cloud has said, and what is left of the time until then."""

    def __init__(
        self,
        publisher: Publisher,
        hook: Hook | None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with no notice.

        Args:
            publisher: where all of it is told.
            hook: the person's command for an interruption.
            monotonic: the clock of deadlines, in seconds.
        """
        self._publisher = publisher
        self._hook = hook
        self._monotonic = monotonic
        self._end = math.inf

    @property
    def standing(self) -> bool:
        """Whether the cloud is going to take the machine away."""
        return self._end < math.inf

    @property
    def over(self) -> bool:
        """Whether the last safe second has come."""
        return self._monotonic() >= self._end

    def hear(
        self,
        news: SpotWarning | Interruption | NoticeGone,
        save: Callable[[], float],
        step_seconds: float | None,
        *,
        ending: bool = False,
    ) -> None:
        """Do at once what the news calls for.

        Args:
            news: what the cloud said.
            save: writes a checkpoint of this moment, and returns, once it is safe on the disk,
                the seconds that the last write took.
            step_seconds: what a step takes, where that is known.
            ending: whether the run ends anyway, before any last safe second.
        """
        # Of several the last one holds: a warning takes the place of a notice with a time.
        self._end = math.inf
        if isinstance(news, NoticeGone):
            self._publisher.update(spot_notice=None)
            self._publisher.event(
                "the cloud has taken its notice back: training goes on", "warning"
            )
            return
        tell(self._publisher, news.notice)
        write_seconds = save()
        if isinstance(news, Interruption):
            self._set_end(news.notice, margin(write_seconds, step_seconds))
            left = self._end - self._monotonic()
            if left > 0 and not ending:
                self._publisher.event(f"training goes on for {left:.0f} s, to the last safe second")
            if self._hook is not None:
                self._hook.start(news.notice)

    def _set_end(self, notice: SpotNotice, before: float) -> None:
        """End so many seconds before the deadline, and before what the way to a mirror takes."""
        assert notice.last_second is not None
        self._end = notice.last_second - before
        self._end -= self._seconds_to_mirror(self._end - self._monotonic())

    def _seconds_to_mirror(self, left: float) -> float:
        """What the last checkpoint takes to the mirror; nothing where it would not arrive.

        The one that was saved at once is on its way first: with less time `left` than for both,
        no further one comes through, and the steps at least go on.
        """
        mirror = self._publisher.snapshot.mirror
        if mirror is None or mirror.trouble or mirror.seconds is None:
            return 0.0
        return mirror.seconds if 2 * mirror.seconds <= left else 0.0


def tell(publisher: Publisher, notice: SpotNotice, doing: str = "saving") -> None:
    """Put a notice in the snapshot, with the time of the end where there is one."""
    publisher.update(spot_notice=notice)
    when = ""
    if notice.deadline is not None:
        when = f" at {datetime.fromtimestamp(notice.deadline):%H:%M:%S}"
    publisher.event(f"{notice.text}{when}: {doing} at once", "warning")
