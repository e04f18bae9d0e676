"""The loop: obey, step, tell, save; and stop exactly where the person said."""

from collections.abc import Sequence
from contextlib import ExitStack

from engine.data.batches import Prefetcher
from engine.errors import EngineError
from engine.machine.device import is_out_of_memory
from engine.machine.lock import FolderLostError
from engine.run.commands import Inbox
from engine.run.options import TrainOptions
from engine.run.publisher import Publisher
from engine.run.snapshot import Phase
from engine.speech.audition import Auditions
from engine.training.checkpoint_writer import OnSaved
from engine.training.checkpointer import Keeper
from engine.training.corpus_change import CorpusWatch
from engine.training.cost import CostMeter
from engine.training.limits import Stopping
from engine.training.machine_watch import MachineWatch
from engine.training.metrics import LOG_EVERY, Teller
from engine.training.microbatch import micro_batches_notice, out_of_memory_message
from engine.training.rollback import SickError
from engine.training.setup import TrainingContext
from engine.training.sickness import Sickness
from engine.training.spot import Interruptions
from engine.training.standing import Standing
from engine.training.steering import Steering
from engine.training.tending import Tending
from engine.training.watchdog import Watchdog


class Trainer:
    """Trains one network of one voice until it is told to stop."""

    def __init__(
        self,
        prepared: TrainingContext,
        options: TrainOptions,
        publisher: Publisher,
        inbox: Inbox,
        auditions: Auditions,
        paid: CostMeter,
        machine: MachineWatch,
        watchdog: Watchdog,
        on_saved: Sequence[OnSaved] = (),
    ) -> None:
        self._prepared = prepared
        self._learner = prepared.learner
        self._options = options
        self._publisher = publisher
        self._paid = paid
        voice, ledger = prepared.voice, paid.ledger
        self._standing = Standing(
            prepared.step, publisher, paid.clock, attended=options.attended, hold=options.hold
        )
        # The newest checkpoint may be an earlier one than it seemed.
        ledger.go_back(prepared.step)
        self._teller = teller = Teller(prepared, publisher, paid.clock, ledger)
        beside = (*paid.writers, teller.history_writer)
        first = (teller.make_history_safe, ledger.flush)
        self._keeper = Keeper(
            prepared, publisher, paid.clock, first, beside, on_saved, inbox.hurried
        )
        kept = (self._standing, paid, self._keeper, self._teller)
        self._sickness = Sickness(prepared, publisher, *kept)
        self._tending = Tending(publisher, *kept, self._sickness)
        self._stopping = Stopping(prepared, publisher, ledger, self._standing, self._tending)
        self._steering = Steering(
            prepared,
            publisher,
            inbox,
            auditions,
            paid,
            self._standing,
            self._stopping,
            self._tending,
            self._sickness,
            Interruptions(publisher, machine.hook),
            machine.look_for_notice,
        )
        recordings = (clip.path for clip in prepared.store.clips)
        self._corpus_watch = CorpusWatch(voice.dataset, recordings, publisher)
        self._watchdog = watchdog
        watchdog.shares_processor = self._learner.device.type == "cpu"

    def run(self) -> None:
        """Train until the stop, `Finish`, or a fault; the last checkpoint is safe on return.

        Raises:
            EngineError: the run fell sick again and again with nobody there, the device lacks
                memory, or the last checkpoint cannot be written.
            InputError: the stop that was ordered lies behind.
        """
        try:
            self._keeper.start()
            self._steering.hear_price()
            # What the preparation cost may have used up the sum at which to stop.
            self._stopping.begin(self._options.stop, self._paid.ledger.spent_before)
            self._teller.begin(self._keeper.saved_step)
            self._paid.close_stretch(self._standing.step)
            self._publisher.update(first_spent=self._paid.ledger.spent)
            self._corpus_watch.start()
            try:
                self._make_steps()
            finally:
                self._corpus_watch.stop()
            # To wait for a disk that refuses the last step is no training.
            self._paid.clock.pause()
            self._publisher.update(phase=Phase.STOPPING, wait_ends_at=None)
            cut_short = self._steering.ends_cut_short()
            self._end_on_disk(cut_short=cut_short)
            self._stopping.end(cut_short=cut_short)
            self._publisher.update(interrupted=cut_short)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            where = f"at step {self._standing.step:,}"
            device = self._learner.device
            raise EngineError(out_of_memory_message(device, where, error)) from error
        finally:
            self._paid.clock.pause()
            # Whoever takes the voice folder next must find nobody writing in it. Whatever becomes
            # of one of these, the others are done: the last to be named is the first.
            with ExitStack() as last:
                last.callback(self._end_paid_time)
                last.callback(self._teller.end)
                last.callback(self._keeper.end)

    def _make_steps(self) -> None:
        try:
            with Prefetcher(self._prepared.batches, self._learner.device) as batches:
                while self._make_steps_in_order(batches):
                    pass
        except BaseException as error:
            self._rescue(error)
            raise

    def _make_steps_in_order(self, batches: Prefetcher) -> bool:
        """Make one step after the other; False when it is time to end, True where a run went back.

        Batches that were made ahead are of no use then.
        """
        standing = self._standing
        restarts = standing.restarts
        batches.restart(standing.step + 1, self._learner.recovery.salt)
        while self._steering.obey():
            if standing.restarts > restarts:
                return True
            self._paid.clock.start()
            self._make_step(batches)
        return False

    def _make_step(self, batches: Prefetcher) -> None:
        step = self._standing.step + 1
        whole = self._learner.micro_batches
        with self._watchdog.step():
            parts = self._learner.step(batches.next(), step)
            self._standing.step = step
            losses = self._teller.tell(step, parts)
        if self._learner.micro_batches > whole:
            told = micro_batches_notice(self._learner.micro_batches, self._learner.device)
            self._publisher.event(told, "warning")
        if step % LOG_EVERY == 0:
            loss = None if losses is None else losses.total
            if self._sickness.falls_back_after(loss):
                return
        if self._paid.ledger.due:
            self._paid.close_stretch(step)
        self._tending.tend()
        if self._stopping.reached:
            self._stopping.arrive()

    def _end_on_disk(self, *, cut_short: bool) -> None:
        """Save the last step; a run that is `cut_short` has no time to wait for a full disk.

        What such a run cannot save the next machine makes again.

        Raises:
            EngineError: the checkpoint cannot be written, and the machine stays.
        """
        try:
            self._tending.save_and_draw(last=not cut_short)
        except SickError:
            raise
        except EngineError as error:
            if not cut_short:
                raise
            step = self._standing.step
            self._publisher.event(f"step {step:,} is lost with this machine: {error}", "error")

    def _rescue(self, error: BaseException) -> None:
        """Save what was learned before a fault; the fault itself is told by whoever catches it."""
        try:
            kept = self._tending.save()
        except Exception as second:
            # The device may be gone: the newest checkpoint on disk has to do.
            step = self._standing.step
            self._publisher.event(f"step {step:,} cannot be saved: {second}", "error")
        else:
            if kept:
                self._publisher.event(f"saved before the end by {type(error).__name__}", "warning")

    def _end_paid_time(self) -> None:
        try:
            self._paid.end(self._standing.step)
        except FolderLostError:
            pass  # whoever watches over the folder tells it
        except EngineError as error:
            spent = self._paid.ledger.spent
            self._publisher.event(f"{error} ${spent:.2f} are spent in all.", "error")
