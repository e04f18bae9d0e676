"""The watch over the machine: notices of its end and its price, beside the run."""

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

from engine.choices import CloudName
from engine.machine.background import Poller
from engine.machine.cloud.aws_spot_price import PriceError, aws_spot_price
from engine.machine.cloud.connect import connect, metadata_base
from engine.machine.cloud.machine import Machine, SpotNotice
from engine.machine.cloud.news import Interruption, NewPrice, NoticeGone, SpotWarning
from engine.machine.cloud.prices import Price, table_price
from engine.machine.cloud.watcher import Watcher
from engine.machine.hook import Hook
from engine.run.commands import Inbox
from engine.run.options import TrainOptions
from engine.run.publisher import Publisher
from engine.training.spot import tell
from engine.voice.settings import VoiceSettings

_log = logging.getLogger(__name__)

_PRICE_SECONDS = 3600.0
"""Seconds between two readings of the price."""
# Seconds that the end of a run waits for an answer about a notice; one takes milliseconds.
_ASK_SECONDS = 3.0
# Seconds between two signs of life while the person's command is waited for.
_BEAT_SECONDS = 1.0


class MachineWatch:
    """Two threads of no consequence to a step: one looks for notices, one reads the price."""

    def __init__(
        self,
        options: TrainOptions,
        cloud: CloudName | None,
        settings: VoiceSettings,
        publisher: Publisher,
        inbox: Inbox,
    ) -> None:
        """Prepare to watch; where there is no cloud, nothing is ever asked.

        Raises:
            InputError: the environment names no address of a metadata service.
        """
        self._publisher = publisher
        self._inbox = inbox
        self._price_auto = settings.price_auto
        self.hook: Hook | None = None
        """What the person wants to be run when the machine is taken away."""
        if options.on_interrupt is not None:
            self.hook = Hook(options.on_interrupt, options.voice_folder, publisher.event)
        self._ended = threading.Event()
        self._known: SimpleQueue[Machine] = SimpleQueue()
        self._turn = threading.Condition()
        # How many looks were asked for, in all; before the one under way; before the last one.
        self._asked = self._looking = self._looked = 0
        self._watcher: Watcher | None = None
        self._price_poller: Poller | None = None
        if cloud is not None:
            self._base = metadata_base(cloud, options.metadata_url)
            self._watcher = Watcher(cloud, connect(cloud, self._base), self)

    def start(self) -> None:
        """Begin to watch; returns at once."""
        if self.hook is not None:
            self.hook.prepare()
        if self._watcher is not None:
            watcher = self._watcher
            self._begin("machine", lambda: watcher.run(self._wait_for_turn))
            if self._price_auto:
                self._begin("price lookup", self._watch_price)
        elif self._price_auto:
            self._publisher.event("no price: this machine is of no cloud; give --price", "warning")

    def look_for_notice(self) -> Interruption | None:
        """Ask the cloud at once, for a few seconds at most; return what waits in the inbox.

        A machine that goes down asks its processes to end, and may do so before the next look at
        what its cloud says.
        """
        if self._watcher is not None:
            with self._turn:
                self._asked += 1
                wanted = self._asked
                self._turn.notify_all()
                self._turn.wait_for(lambda: self._looked >= wanted, _ASK_SECONDS)
        return self._inbox.interruption()

    def heeds_before_training(self) -> bool:
        """Tell of an interruption that ended the preparation, where nothing is to be saved.

        Returns whether there is one.
        """
        news = self.look_for_notice()
        if news is None:
            return False
        tell(self._publisher, news.notice, "ending")
        self._publisher.update(interrupted=True)
        if self.hook is not None:
            self.hook.start(news.notice)
        return True

    def wait_for_hook(self) -> None:
        """Let the person's command come to its end, once all is saved; its deadline bounds it."""
        while self.hook is not None and not self.hook.wait(_BEAT_SECONDS):
            self._publisher.beat()

    def end(self) -> None:
        """Watch no more; returns at once."""
        self._ended.set()
        if self._price_poller is not None:
            self._price_poller.stop()
        with self._turn:
            self._turn.notify_all()

    def _wait_for_turn(self, seconds: float) -> bool:
        """Wait between two looks, or until one is asked for; say whether to end."""
        with self._turn:
            self._looked = self._looking
            self._turn.notify_all()
            self._turn.wait_for(lambda: self._ended.is_set() or self._asked > self._looked, seconds)
            self._looking = self._asked
        return self._ended.is_set()

    def _begin(self, name: str, work: Callable[[], None]) -> None:
        threading.Thread(target=work, name=name, daemon=True).start()

    # What the watcher tells, in its thread.

    def machine_known(self, machine: Machine) -> None:
        """Show which machine this is; where that is asked for, its price is read from now on."""
        self._publisher.update(machine=machine)
        self._publisher.event(f"machine: {machine.words}")
        self._known.put(machine)

    def _watch_price(self) -> None:
        """Read the price again and again, once it is known which machine this is."""
        machine = self._known.get()
        prices = _Prices(machine, self._base, self._publisher, self._inbox)
        self._price_poller = Poller(
            "price lookup", _PRICE_SECONDS, prices.look, self._publisher.event, first=0.0
        )
        self._price_poller.start()

    def noticed(self, notice: SpotNotice) -> None:
        """Tell the trainer."""
        self._inbox.send(
            SpotWarning(notice) if notice.last_second is None else Interruption(notice)
        )

    def notice_gone(self) -> None:
        """Tell the trainer."""
        self._inbox.send(NoticeGone())

    def happened(self, text: str, severity: str) -> None:
        """Tell the person."""
        self._publisher.event(text, severity)


class _Prices:
    """Reads what a machine costs; what AWS said once is kept where it says nothing later."""

    def __init__(self, machine: Machine, base: str, publisher: Publisher, inbox: Inbox) -> None:
        self._machine = machine
        self._base = base
        self._publisher = publisher
        self._inbox = inbox
        self._told = ""
        self._asked = False

    def look(self) -> None:
        """Read the price once, and tell the trainer."""
        price, trouble = _asked_price(self._machine, self._base)
        if price is not None:
            self._asked = True
        elif self._asked:
            trouble = f"{trouble}: the price stays as it was"
        else:
            price, trouble = _tabled_price(self._machine, trouble)
        if price is not None:
            self._inbox.send(NewPrice(price.usd, price.source))
        if trouble and trouble != self._told:
            self._publisher.event(trouble, "warning")
        self._told = trouble


def _asked_price(machine: Machine, base: str) -> tuple[Price | None, str]:
    """The spot price that AWS says, or why it says none; neither for another machine."""
    if machine.cloud != "aws" or not machine.spot:
        return None, ""
    try:
        return aws_spot_price(machine, base), ""
    except PriceError as error:
        return None, f"AWS does not say the spot price ({error})"
    except Exception as error:
        # boto3 reads files of the person's own, which can hold anything.
        _log.exception("reading the price failed")
        return None, f"AWS does not say the spot price ({type(error).__name__}: {error})"


def _tabled_price(machine: Machine, trouble: str) -> tuple[Price | None, str]:
    """The price that the table has, and what is to be said about it."""
    price = table_price(machine)
    words = machine.instance_type or "this machine"
    if price is not None:
        said = [f"{trouble}: taking the table's"] if trouble else []
        if price.upper_limit:
            said.append(
                f"no spot price is known for {words}: what it costs on demand is counted, the most "
                f"that it can be; give --price in $ an hour"
            )
        return price, "; ".join(said)
    missing = f"no price is known for {words}; give --price in $ an hour"
    return None, f"{trouble}; {missing}" if trouble else missing
