"""The watch over the machine: notices of its end and its price, beside the run."""

import logging
import threading
from collections.abc import Callable

from engine.board import Board
from engine.control import Inbox
from engine.host.cloud.aws_spot_price import PriceError, aws_spot_price
from engine.host.cloud.connect import connect, metadata_base
from engine.host.cloud.machine import Machine, SpotNotice
from engine.host.cloud.news import Interruption, NewPrice, NoticeGone, SpotWarning
from engine.host.cloud.prices import Price, table_price
from engine.host.cloud.watcher import Watcher
from engine.host.hook import Hook
from engine.order import TrainOrder
from engine.plan import Plan
from engine.training.interruption import tell

_log = logging.getLogger(__name__)

_PRICE_SECONDS = 3600.0
"""Seconds between two readings of the price."""


class MachineWatch:
    """Two threads of no consequence to a step: one looks for notices, one reads the price."""

    def __init__(self, order: TrainOrder, plan: Plan, board: Board, inbox: Inbox) -> None:
        """Prepare to watch; where the plan names no cloud, nothing is ever asked.

        Raises:
            InputError: the environment names no address of a metadata service.
        """
        self._board = board
        self._inbox = inbox
        self._price_auto = plan.settings.price_auto
        self.hook: Hook | None = None
        """What the person wants to be run when the machine is taken away."""
        if order.on_interrupt is not None:
            self.hook = Hook(order.on_interrupt, order.voice_folder, board.event)
        self._ended = threading.Event()
        self._watcher: Watcher | None = None
        if plan.cloud is not None:
            self._base = metadata_base(plan.cloud, order.metadata_url)
            self._watcher = Watcher(plan.cloud, connect(plan.cloud, self._base), self)

    def start(self) -> None:
        """Begin to watch; returns at once."""
        if self._watcher is not None:
            self._begin("machine", lambda: self._watch(self._ended.wait))
        elif self._price_auto:
            self._board.event("no price: this machine is of no cloud; give --price", "warning")

    def heed_before_training(self) -> None:
        """Tell of an interruption that ended the preparation, where nothing is to be saved."""
        news = self._inbox.interruption()
        if news is not None:
            tell(self._board, news.notice, "ending")
            self._board.update(interrupted=True)
            if self.hook is not None:
                self.hook.start(news.notice)

    def wait_for_hook(self) -> None:
        """Let the person's command come to its end, once all is saved; its deadline bounds it."""
        if self.hook is not None:
            self.hook.wait()

    def end(self) -> None:
        """Watch no more; returns at once."""
        self._ended.set()

    def _watch(self, wait: Callable[[float], bool]) -> None:
        assert self._watcher is not None
        self._watcher.run(wait)

    def _begin(self, name: str, work: Callable[[], None]) -> None:
        threading.Thread(target=work, name=name, daemon=True).start()

    # What the watcher tells, in its thread.

    def machine_known(self, machine: Machine) -> None:
        """Show which machine this is, and begin to read its price where that is asked for."""
        self._board.update(machine=machine)
        self._board.event(f"machine: {machine.words}")
        if self._price_auto:
            self._begin("price", lambda: self._read_prices(machine))

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
        self._board.event(text, severity)

    # The price.

    def _read_prices(self, machine: Machine) -> None:
        """Read the price every hour; what AWS said once is kept where it says nothing later."""
        told, asked = "", False
        while True:
            price, trouble = _asked_price(machine, self._base)
            if price is not None:
                asked = True
            elif asked:
                trouble = f"{trouble}: the price stays as it was"
            else:
                price, trouble = _tabled_price(machine, trouble)
            if price is not None:
                self._inbox.send(NewPrice(price.usd, price.source))
            if trouble and trouble != told:
                self._board.event(trouble, "warning")
            told = trouble
            if self._ended.wait(_PRICE_SECONDS):
                return


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
