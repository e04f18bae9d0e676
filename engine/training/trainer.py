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
from engine.training.limits import Stopping
from engine.training.machine_watch import MachineWatch
from engine.training.metrics import LOG_EVERY, Teller
from engine.training.microbatch import micro_batches_notice, out_of_memory_message
from engine.training.rollback import SickError
from engine.training.setup import TrainingContext
from engine.training.sickness import Sickness
from engine.training.spend_recorder import SpendRecorder, spent_so_far
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
        order: TrainOptions,
        publisher: Publisher,
        inbox: Inbox,
        auditions: Auditions,
        spend: SpendRecorder,
        machine: MachineWatch,
        watchdog: Watchdog,
        on_saved: Sequence[OnSaved] = (),
    ) -> None:
        self._prepared = prepared
        self._learner = prepared.learner
        self._order = order
        self._publisher = publisher
        self._spend = spend
        voice, cost = prepared.voice, spend.cost
        self._standing = Standing(
            prepared.step, publisher, cost, attended=order.attended, hold=order.hold
        )
        # The newest checkpoint may be an earlier one than it seemed.
        spend.roll_back(prepared.step)
        self._teller = teller = Teller(prepared, publisher, cost)
        beside = (*spend.writers, teller.history_writer)
        first = (teller.make_history_safe, spend.flush)
        self._keeper = Keeper(prepared, publisher, cost, first, beside, on_saved, inbox.hurried)
        kept = (self._standing, spend, self._keeper, self._teller)
        self._sickness = Sickness(prepared, publisher, *kept)
        self._tending = Tending(publisher, *kept, self._sickness)
        self._stopping = Stopping(prepared, publisher, cost, self._standing, self._tending)
        self._steering = Steering(
            prepared,
            publisher,
            inbox,
            auditions,
            spend,
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
            self._stopping.begin(self._order.stop, self._spend.cost.spent_before)
            self._teller.begin(self._keeper.saved_step)
            self._spend.record(self._standing.step)
            self._publisher.update(first_spent=self._spend.cost.spent)
            self._corpus_watch.start()
            try:
                self._make_steps()
            finally:
                self._corpus_watch.stop()
            # To wait for a disk that refuses the last step is no training.
            self._spend.cost.pause_training()
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
            self._spend.cost.pause_training()
            # Whoever takes the voice folder next must find nobody writing in it. Whatever becomes
            # of one of these, the others are done: the last to be named is the first.
            with ExitStack() as last:
                last.callback(self._end_spend)
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
            self._spend.cost.start_training()
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
        if self._spend.cost.entry_due:
            self._spend.record(step)
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

    def _end_spend(self) -> None:
        try:
            self._spend.end(self._standing.step)
        except FolderLostError:
            pass  # whoever watches over the folder tells it
        except EngineError as error:
            self._publisher.event(f"{error}{spent_so_far(self._spend.cost)}", "error")
