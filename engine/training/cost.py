"""The time that is paid for, from the start of a run to its end: a thread that looks once a second.

The engine's own thread counts training; it cannot tell how long it waits, prepares or was stopped
while it does so. This thread says what idle time costs, and writes down what would be lost with
the process.
"""

import logging

from engine.choices import NetworkName
from engine.errors import EngineError
from engine.formatting import whole_minutes
from engine.machine.background import DiskWriter, Poller
from engine.machine.lock import FolderLostError
from engine.run.publisher import Publisher
from engine.run.snapshot import Phase
from engine.training.clock import RunningTime, TrainingClock
from engine.training.ledger_keeper import SpendRecorder
from engine.voice.folder import Voice

_log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
# A killed process hides so much of its cost at most.
_NOTE_SECONDS = 10.0
# The figures of idle time on the screen: a still screen sends next to nothing, but in the first
# minutes of a wait somebody is there who looks whether they move.
_FIGURES_SECONDS = 60.0
_FIRST_FIGURES_SECONDS = 10.0
_FIRST_SECONDS = 300.0
_REMINDER_SECONDS = 3600.0

_IDLE = (Phase.PREPARING, Phase.CHECKED, Phase.PAUSED, Phase.AT_STOP)
# To prepare the steps is work: it is paid for, and nobody has to be warned of it at once.
_WAITING = (Phase.CHECKED, Phase.PAUSED, Phase.AT_STOP)


class CostMeter:
    """The clock and the ledger of a run, and what is told of the time that makes no steps."""

    def __init__(self, publisher: Publisher, voice: Voice, network: NetworkName) -> None:
        """Begin to count; what a killed process had left open comes into the ledger.

        Raises:
            EngineError: the ledger cannot be read or written.
        """
        self._publisher = publisher
        self._running = RunningTime()
        self._began = self._running.look()
        self._final: float | None = None
        self.clock = TrainingClock(self._running.look)
        """Counts training."""
        step = publisher.snapshot.step
        self.ledger = SpendRecorder(voice, network, self.clock, step, self._seconds)
        """Counts what all of it costs."""
        self._stopped = 0.0
        self._noted = 0.0
        self._note_failed = False
        self._waits: Phase | None = None
        self._idle_before = (0.0, 0.0)
        self._shown = self._reminded = 0.0
        self._ended = False
        self._poller = Poller("cost tracking", _LOOK_SECONDS, self.look, publisher.event)
        self._ledger_failed = False
        self._ledger_writer = DiskWriter("the account", self._write_ledger, publisher.event)
        self._note_writer = DiskWriter("the open account", self._note, publisher.event)

    def _seconds(self) -> float:
        """Seconds since the run began, those included in which the process was stopped."""
        if self._final is not None:
            return self._final
        return self._running.look() - self._began + self._running.stopped

    def start(self) -> None:
        """Show what was spent, and begin to look; returns at once."""
        for writer in self.writers:
            writer.start()
        kept = self.ledger.taken_over
        if kept:
            seconds, usd = sum(one.seconds for one in kept), sum(one.usd for one in kept)
            self._publisher.event(
                f"the run before was killed: its last {whole_minutes(seconds)}, ${usd:.2f}, are in "
                f"the ledger"
            )
        lost = self.ledger.unreadable
        if lost:
            which = f"line {lost[0]:,}" if len(lost) == 1 else f"{len(lost):,} lines"
            self._publisher.warn(
                f"spend.jsonl is damaged: {which} cannot be read, and what was paid then is "
                f"missing from all sums"
            )
        self.tell()
        self._poller.start()

    @property
    def ended(self) -> bool:
        """Whether the ledger is closed, and nothing is counted any more."""
        return self._ended

    @property
    def writers(self) -> tuple[DiskWriter, ...]:
        """What brings the account to the disk."""
        return self._ledger_writer, self._note_writer

    def close_stretch(self, step: int) -> None:
        """Bring the ledger up to date, soon; what it cannot take now is part of the next try."""
        self.ledger.close_stretch(step)
        self._ledger_writer.request()

    def change_price(self, usd: float, step: int) -> None:
        """Let the machine cost something else from here on, in US dollars an hour."""
        self.ledger.change_price(usd, step)
        self._ledger_writer.request()

    def settle(self) -> None:
        """Wait until what was to be written has been tried."""
        for writer in self.writers:
            writer.wait()

    def _write_ledger(self) -> None:
        try:
            self.ledger.flush()
        except FolderLostError:
            self._ledger_failed = True  # whoever watches over the folder tells it
        except EngineError as error:
            if not self._ledger_failed:
                spent = self.ledger.spent
                self._publisher.event(f"{error} ${spent:.2f} are spent so far.", "warning")
            self._ledger_failed = True
        else:
            self._ledger_failed = False
            # What is open comes after another ledger: a process that is killed hides it otherwise.
            self._note_writer.request()

    def end(self, step: int) -> None:
        """Look no more, and close the ledger.

        Raises:
            EngineError: the ledger cannot be written.
        """
        if self._ended:
            return
        self._ended = True
        self._poller.stop(wait=True)
        self.clock.pause()
        # What the ledger takes to be written is not counted: the sums are those that it has.
        self._final = self._seconds()
        self.ledger.close_stretch(step, last=True)
        for writer in self.writers:
            writer.stop()
        try:
            self.ledger.flush()
        except EngineError:
            # The next run takes over what the ledger does not take.
            self._note()
            raise
        try:
            self.ledger.end()
        except (OSError, EngineError) as error:
            # The ledger has grown since: nobody takes it over.
            _log.warning("the file of open stretches cannot be removed: %s", error)
        self.tell()

    def tell(self) -> None:
        """Put the sums in the snapshot."""
        ledger = self.ledger
        self._publisher.update(
            spent=ledger.spent,
            idle_usd=ledger.idle_usd,
            idle_seconds=ledger.idle_seconds,
            voice_seconds=ledger.voice_seconds,
        )

    def look(self) -> None:
        """Look once at the clock and at what the run does."""
        now = self._running.look()
        self._tell_stopped()
        if now - self._noted >= _NOTE_SECONDS:
            self._noted = now
            self._note_writer.request()
        self._tell_idle(self._seconds())

    def _note(self) -> None:
        try:
            self.ledger.note_open(self._publisher.snapshot.step)
        except (OSError, EngineError) as error:
            if not self._note_failed:
                _log.warning("what is under way cannot be written down: %s", error)
            self._note_failed = True
        else:
            self._note_failed = False

    def _tell_stopped(self) -> None:
        stopped = self._running.stopped
        if stopped == self._stopped:
            return
        seconds, self._stopped = stopped - self._stopped, stopped
        price = self.ledger.price
        cost = f", which cost ${seconds / 3600 * price:.2f}" if price > 0 else ""
        self._publisher.event(
            f"this process was stopped for {whole_minutes(seconds)}{cost}", "warning"
        )
        self.tell()

    def _tell_idle(self, now: float) -> None:
        phase = self._publisher.snapshot.phase
        if phase not in _IDLE:
            # Steps tell it as well, but not while one hangs, and that costs as much.
            self._waits = None
            self.tell()
            return
        ledger = self.ledger
        if phase is not self._waits:
            self._waits = phase
            self._idle_before = (ledger.idle_seconds, ledger.idle_usd)
            self._shown = self._reminded = now
            self._publisher.update(wait_seconds=0.0, wait_usd=0.0)
            if phase in _WAITING and ledger.price > 0:
                self._publisher.event(f"{phase.value}: {still_costs(ledger.price)}", "warning")
            return
        seconds = ledger.idle_seconds - self._idle_before[0]
        usd = ledger.idle_usd - self._idle_before[1]
        every = _FIRST_FIGURES_SECONDS if seconds < _FIRST_SECONDS else _FIGURES_SECONDS
        if now - self._shown >= every:
            self._shown = now
            self._publisher.update(wait_seconds=seconds, wait_usd=usd)
            self.tell()
        if now - self._reminded >= _REMINDER_SECONDS and ledger.price > 0:
            self._reminded = now
            text = f"{phase.value} for {whole_minutes(seconds)}, which cost ${usd:.2f}"
            self._publisher.event(f"{text}: {still_costs(ledger.price)}", "warning")


def still_costs(price: float) -> str:
    """Say what a machine that makes no steps costs, in US dollars an hour."""
    return f"this machine still costs ${price:,.2f}/h"
