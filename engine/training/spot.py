"""Spot machines: what the cloud announces, and what is done until it takes the machine away.

The step at hand is saved at once; training goes on to the last safe second and is saved again.
"""

import math
import time
from collections.abc import Callable
from datetime import datetime

from engine.choices import CloudName
from engine.machine.background import BackgroundThread
from engine.machine.cloud.machine import (
    Interruption,
    Machine,
    NewPrice,
    NoticeGone,
    SpotNews,
    SpotNotice,
)
from engine.machine.cloud.notices import NoticeWatcher
from engine.machine.cloud.prices import PriceLookup
from engine.machine.cloud.providers import connect, metadata_base
from engine.machine.hook import Hook
from engine.run.commands import Inbox
from engine.run.options import TrainOptions
from engine.run.publisher import Publisher
from engine.voice.settings import VoiceSettings

# Seconds before the deadline at which the last checkpoint is begun, at least: of the half minute
# that some clouds give, a third.
_MIN_MARGIN_SECONDS = 10.0
# A write beside a hook that copies the voice away may take that much longer than the one before.
_WRITE_FACTOR = 3.0
_PRICE_SECONDS = 3600.0
# Seconds that the end of a run waits for an answer about a notice; one takes milliseconds.
_CHECK_SECONDS = 3.0
# Seconds between two signs of life while the hook is waited for.
_BEAT_SECONDS = 1.0


class SpotWatch:
    """Polls the cloud for notices and prices, in threads that a slow service may hold up."""

    def __init__(
        self,
        options: TrainOptions,
        cloud: CloudName | None,
        settings: VoiceSettings,
        publisher: Publisher,
        send: Callable[[SpotNews], None],
        on_price: Callable[[NewPrice], None],
    ) -> None:
        """Prepare to watch; outside of clouds, nothing is ever asked.

        Raises `InputError` where the environment names no address of a metadata service.
        """
        self._publisher = publisher
        self._price_auto = settings.price_auto
        self._on_price = on_price
        self.hook: Hook | None = None
        """The person's command for when the machine is taken away."""
        if options.on_interrupt is not None:
            self.hook = Hook(options.on_interrupt, options.voice_folder, publisher.event)
        self._pollers: list[BackgroundThread] = []
        if cloud is not None:
            self._base = metadata_base(cloud, options.metadata_url)
            service = connect(cloud, self._base)
            notices = NoticeWatcher(service, send, self._on_machine, publisher.event)
            self._pollers.append(notices.poller)

    def start(self) -> None:
        """Begin to watch; returns at once."""
        if self.hook is not None:
            self.hook.start()
        for poller in self._pollers:
            poller.start()
            poller.request()
        if self._price_auto and not self._pollers:
            self._publisher.event("no price: not a cloud machine; set one with --price", "warning")

    def stop(self) -> None:
        """Stop watching; returns at once."""
        for poller in self._pollers:
            poller.stop(wait=False)

    def check_now(self, inbox: Inbox) -> Interruption | None:
        """Ask the cloud at once, for a few seconds at most; return an interruption in an inbox.

        A machine that goes down asks its processes to end, and may do so before the next check.
        """
        if self._pollers:
            self._pollers[0].request()
            self._pollers[0].wait(_CHECK_SECONDS)
        return inbox.find(Interruption)

    def ended_preparation(self, inbox: Inbox) -> bool:
        """Whether the cloud ended the preparation; if so, report it: there is nothing to save."""
        notice = self.check_now(inbox)
        if notice is None:
            return False
        _report_notice(self._publisher, notice, "ending")
        self._publisher.update(interrupted=True)
        if self.hook is not None:
            self.hook.run(notice)
        return True

    def wait_for_hook(self) -> None:
        """Let the person's command come to its end, once all is saved; its deadline bounds it."""
        while self.hook is not None and not self.hook.wait(_BEAT_SECONDS):
            self._publisher.beat()

    def _on_machine(self, machine: Machine) -> None:
        """Show which machine this is; with `--price auto`, look up its price from now on."""
        self._publisher.update(machine=machine)
        self._publisher.event(f"machine: {machine.words}")
        if self._price_auto:
            report = self._publisher.event
            lookup = PriceLookup(machine, self._base, self._on_price, report)
            poller = BackgroundThread("price lookup", lookup.check, report, every=_PRICE_SECONDS)
            self._pollers.append(poller)
            poller.start()
            poller.request()


class SpotDeadline:
    """The last safe second before the cloud takes the machine away, if it does."""

    def __init__(
        self,
        publisher: Publisher,
        run_hook: Callable[[SpotNotice], None] = lambda notice: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with no notice; `run_hook` runs the person's command for an interruption."""
        self._publisher = publisher
        self._run_hook = run_hook
        self._monotonic = monotonic
        self._end = math.inf

    @property
    def known(self) -> bool:
        """Whether the cloud is going to take the machine away."""
        return self._end < math.inf

    @property
    def reached(self) -> bool:
        """Whether the last safe second has come."""
        return self._monotonic() >= self._end

    def handle(
        self,
        news: SpotNews,
        save: Callable[[], float],
        step_seconds: float | None,
        *,
        ending: bool = False,
    ) -> None:
        """Do at once what the news calls for.

        Args:
            news: what the cloud announced.
            save: writes a checkpoint of this moment, and returns, once it is safe on the disk,
                the seconds that the last write took.
            step_seconds: what a step takes, where that is known.
            ending: whether the run ends anyway, before any last safe second.
        """
        # The last news holds: a warning takes the place of a notice with a time.
        self._end = math.inf
        shown = self._publisher.snapshot.spot_notice
        if isinstance(news, NoticeGone):
            if shown is None:
                return  # another network's trainer has said so
            self._publisher.update(spot_notice=None)
            self._publisher.event("the cloud withdrew its notice: training goes on", "warning")
            return
        if news != shown:
            _report_notice(self._publisher, news, "saving")
        write_seconds = save()
        if news.last_second is not None:
            self._end = news.last_second - margin(write_seconds, step_seconds)
            self._end -= self._mirror_seconds(self._end - self._monotonic())
            left = self._end - self._monotonic()
            if left > 0 and not ending:
                self._publisher.event(f"training goes on for {left:.0f} s, to the last safe second")
            self._run_hook(news)

    def _mirror_seconds(self, left: float) -> float:
        """What the last checkpoint takes to the mirror; nothing where it would not arrive.

        The one that was saved at once is uploaded first: with less time `left` than for both, no
        further one comes through, and the steps at least go on.
        """
        mirror = self._publisher.snapshot.mirror
        if mirror is None or mirror.trouble or mirror.seconds is None:
            return 0.0
        return mirror.seconds if 2 * mirror.seconds <= left else 0.0


def margin(write_seconds: float, step_seconds: float | None) -> float:
    """Seconds before the deadline at which no further step may begin.

    They come from what the last write took, and what a step takes, where that is known.
    """
    return max(_MIN_MARGIN_SECONDS, _WRITE_FACTOR * write_seconds + 2 * (step_seconds or 0.0))


def _report_notice(publisher: Publisher, notice: SpotNotice, doing: str) -> None:
    """Put a notice in the snapshot, with the time of the end where there is one."""
    publisher.update(spot_notice=notice)
    when = ""
    if notice.deadline is not None:
        when = f" at {datetime.fromtimestamp(notice.deadline):%H:%M:%S}"
    text = f"{notice.text}{when}: {doing} at once"
    publisher.event(text, "warning")
    publisher.notify("spot", text)
