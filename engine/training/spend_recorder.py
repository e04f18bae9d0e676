"""Records what a run costs in the voice's spend log, and reports what idle time costs.

One thread looks at the cost once a second: the engine's own cannot tell how long it waits, prepares
or was suspended. Two more write to the disk, which may hang: the spend log, and what a killed
process would hide.
"""

import contextlib
import logging
import threading
from collections.abc import Iterator

from engine.choices import NetworkName
from engine.errors import EngineError
from engine.formatting import dollars, plural, whole_minutes
from engine.machine.background import BackgroundThread
from engine.machine.cloud.machine import NewPrice
from engine.machine.lock import FolderLostError
from engine.run.publisher import Publisher
from engine.run.snapshot import Phase
from engine.training.cost import CostMeter
from engine.voice.folder import Voice
from engine.voice.spend import SpendEntry

_log = logging.getLogger(__name__)

_POLL_SECONDS = 1.0
# A killed process hides at most so much of its cost.
_OPEN_SECONDS = 10.0
# The figures of idle time on the screen: a still screen sends next to nothing, but in the first
# minutes of a wait somebody is there who looks whether they move.
_FIGURES_SECONDS = 60.0
_FIRST_FIGURES_SECONDS = 10.0
_FIRST_SECONDS = 300.0
_REMINDER_SECONDS = 3600.0

_IDLE = (Phase.PREPARING, Phase.CHECKED, Phase.PAUSED, Phase.AT_STOP)


class SpendRecorder:
    """Closes periods of training and idle time and adds them to the spend log, off the loop."""

    def __init__(self, publisher: Publisher, voice: Voice, network: NetworkName) -> None:
        """Begin to count; what a killed process had left open is added to the spend log.

        Raises:
            EngineError: the spend log cannot be read or written.
        """
        self._publisher = publisher
        self._voice = voice
        self._spend_log = voice.spend
        self._recovered = self._spend_log.add_open_entries()
        step, price = publisher.snapshot.step, voice.settings.price
        self.cost = CostMeter(network, step, price, self._spend_log)
        """What the run and the voice cost up to this moment; the meter of the first network."""
        self._meters = [self.cost]
        publisher.update(**self.cost.figures())
        # Held while the log is written, which may take long; not needed to close a period.
        self._writing = threading.Lock()
        # Held to change what is closed, and what waits for the log.
        self._closing = threading.Lock()
        self._waiting: list[SpendEntry] = []
        self._log_size = self._spend_log.size
        self.ended = False
        """Whether the spend log is closed, and counting has ended."""
        self._idle = _IdleReport(publisher, self.cost)
        self._suspended = self._open_written = 0.0
        report = publisher.event
        self._tracking = BackgroundThread("cost tracking", self.check, report, every=_POLL_SECONDS)
        self._log_writer = BackgroundThread("writing the spend log", self._write_log, report)
        self._open_writer = BackgroundThread(
            "writing the latest spend", self._write_open, lambda text, _: _log.warning(text)
        )

    @property
    def writers(self) -> tuple[BackgroundThread, ...]:
        """What brings the spend to the disk."""
        return self._log_writer, self._open_writer

    def start(self) -> None:
        """Report what a killed process left, and begin to watch the cost; returns at once."""
        for writer in self.writers:
            writer.start()
        if self._recovered:
            seconds = whole_minutes(sum(entry.seconds for entry in self._recovered))
            usd = sum(entry.usd for entry in self._recovered)
            amount = f"{seconds} ({dollars(usd)}) were" if usd else f"{seconds} were"
            self._publisher.event(f"previous run was killed; its last {amount} added to the spend")
        damaged = self._spend_log.unreadable
        if damaged:
            which = f"line {damaged[0]:,}" if len(damaged) == 1 else plural(len(damaged), "line")
            self._publisher.warn(
                f"spend.jsonl is damaged: {which} cannot be read, and what was paid then is "
                f"missing from all sums"
            )
        self._tracking.start()

    def meter_of(self, network: NetworkName, step: int) -> CostMeter:
        """What counts the steps of a network, the first one or another that is trained too."""
        if network == self.cost.network:
            return self.cost
        with self._closing:
            self._meters.append(self.cost.for_network(network, step))
            return self._meters[-1]

    def record(self, step: int, cost: CostMeter | None = None) -> None:
        """Have the spend up to this step on the disk soon; of the first network, or another's."""
        with self._closing:
            self._waiting += (cost or self.cost).close(step)
        self._log_writer.request()

    def change_price(self, new: NewPrice) -> None:
        """Let the machine cost something else from here on; called from any thread.

        What was before keeps the price that it had, unless none was known: then the open periods
        are taken to have cost as much all along.
        """
        with self._closing:
            if self.ended:
                return
            if self.cost.price > 0 and self.cost.price != new.usd:
                self._waiting += self._close_all()
            self.cost.price = new.usd
            if self._log_writer.running:  # without, the next period takes it along
                self._log_writer.request()
        self._publisher.event(f"price: ${new.usd:.4g}/h ({new.source})")
        self._publisher.update(price=new.usd, price_source=new.source, **self.cost.figures())

    def _steps(self) -> Iterator[tuple[CostMeter, int]]:
        """Every network's meter, and the step that it has made."""
        steps = {one.network: one.step for one in self._publisher.snapshot.both}
        yield from ((one, steps[one.network]) for one in self._meters)

    def _close_all(self) -> list[SpendEntry]:
        return [entry for one, step in self._steps() for entry in one.close(step, last=True)]

    def roll_back(self, step: int, cost: CostMeter | None = None) -> None:
        """Begin the next entry at an earlier step, whose steps are made anew."""
        with self._closing:
            (cost or self.cost).roll_back(step)

    def flush(self) -> None:
        """Write what waits for the spend log, and wait until it is safe on the disk.

        Raises:
            EngineError: it cannot be written, and goes on waiting.
        """
        with self._writing:
            self._locate()
            entries = self._waiting[:]
            self._spend_log.add(*entries)
            with self._closing:
                del self._waiting[: len(entries)]
                self._log_size = self._spend_log.size

    def end(self) -> None:
        """Stop watching and close the spend log; report a failure to write it."""
        with self._closing:
            if self.ended:
                return
            self.ended = True
        self._tracking.stop()
        # The time that the log takes to be written is not counted: the sums are those in it.
        self.cost.end()
        with self._closing:
            self._waiting += self._close_all()
        for writer in self.writers:
            writer.stop()
        try:
            self.flush()
            self._spend_log.remove_open()
        except EngineError as error:
            # The next run adds what the log does not take.
            with contextlib.suppress(EngineError):
                self._write_open()
            if not isinstance(error, FolderLostError):  # which the folder watch reports
                self._publisher.event(f"{error}{self._spent_so_far()}", "error")
        self._publisher.update(**self.cost.figures())

    def check(self) -> None:
        """Look once at the clock and at what the run does."""
        now = self.cost.run_seconds
        self._report_suspended()
        if now - self._open_written >= _OPEN_SECONDS:
            self._open_written = now
            self._open_writer.request()
        if self._idle.check(now):
            self._publisher.update(**self.cost.figures())

    def _locate(self) -> None:
        """Follow a voice folder that was moved; raise `EngineError` where it is gone."""
        self._voice.locate()
        self._spend_log.path = self._voice.spend.path

    def _write_log(self) -> None:
        try:
            self.flush()
        except FolderLostError:
            raise
        except EngineError as error:
            raise EngineError(f"{error}{self._spent_so_far()}") from error
        # What is open comes after another size of the log: a killed process hides it otherwise.
        self._open_writer.request()

    def _write_open(self) -> None:
        with self._closing:
            entries = [*self._waiting]
            for one, step in self._steps():
                entries += one.open_entries(step, idle=one is self.cost)
            size = self._log_size
        try:
            self._locate()
            self._spend_log.write_open(entries, size)
        except OSError as error:
            raise EngineError(f"spend.open cannot be written: {error}") from error

    def _spent_so_far(self) -> str:
        spent = self.cost.spent
        return f" Spent so far: {dollars(spent)}." if spent > 0 else ""

    def _report_suspended(self) -> None:
        suspended = self.cost.clock.suspended
        if suspended == self._suspended:
            return
        seconds, self._suspended = suspended - self._suspended, suspended
        price = self.cost.price
        usd = f", which cost {dollars(seconds / 3600 * price)}" if price > 0 else ""
        self._publisher.event(
            f"this process was suspended for {whole_minutes(seconds)}{usd}", "warning"
        )


class _IdleReport:
    """Shows and reports what the wait under way costs."""

    def __init__(self, publisher: Publisher, cost: CostMeter) -> None:
        self._publisher = publisher
        self._cost = cost
        self._phase: Phase | None = None
        self._before = (0.0, 0.0)
        self._shown = self._reminded = 0.0

    def check(self, now: float) -> bool:
        """Look at the run's phase; say whether the sums on the screen are due."""
        phases = [one.phase for one in self._publisher.snapshot.both]
        phase = next((one for one in phases if one not in _IDLE), phases[0])
        if phase not in _IDLE:
            # Steps publish the sums as well, but not while one hangs, and that costs as much.
            self._phase = None
            return True
        if phase is not self._phase:
            self._begin(phase, now)
            return False
        seconds = self._cost.run_idle_seconds - self._before[0]
        usd = self._cost.idle_usd - self._before[1]
        if now - self._reminded >= _REMINDER_SECONDS:
            self._reminded = now
            self._warn(f"{phase.value} for {whole_minutes(seconds)} ({dollars(usd)})")
        every = _FIRST_FIGURES_SECONDS if seconds < _FIRST_SECONDS else _FIGURES_SECONDS
        if phase is Phase.PREPARING:
            every = 0.0  # a screen that shows its progress is not still
        if now - self._shown < every:
            return False
        self._shown = now
        self._publisher.update(wait_seconds=seconds, wait_usd=usd)
        return True

    def _begin(self, phase: Phase, now: float) -> None:
        self._phase = phase
        self._before = (self._cost.run_idle_seconds, self._cost.idle_usd)
        self._shown = self._reminded = now
        self._publisher.update(wait_seconds=0.0, wait_usd=0.0)
        if phase is not Phase.PREPARING:  # which is work, though it is paid for
            self._warn(phase.value)

    def _warn(self, text: str) -> None:
        if self._cost.price > 0:
            price = f"the machine still costs {dollars(self._cost.price)}/h"
            self._publisher.event(f"{text}; {price}", "warning")
