"""The training loop. It acts; the tools around it say what to do, and do not know each other.

`CommandHandler` carries out what was asked, `Limits` says that the stop is reached, `Divergence`
that the run is to be rolled back, `Checkpointer` that a checkpoint is due, `Metrics` reports.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from engine.data.batches import Prefetcher
from engine.errors import EngineError
from engine.machine.cloud.machine import SpotNews, SpotNotice
from engine.machine.device import is_out_of_memory, out_of_memory_error, use_in_this_thread
from engine.run.commands import Continue, Inbox, PlotAttention, SaveCheckpoint, ScreenDetached
from engine.run.curves import Losses
from engine.run.options import TrainOptions
from engine.run.publisher import Publisher
from engine.run.snapshot import Phase
from engine.speech.audition import Auditions
from engine.speech.series import Series
from engine.training.budget import Budget
from engine.training.checkpoint_writer import OnSaved
from engine.training.checkpointer import Checkpointer
from engine.training.command_handler import CommandHandler, RunState, TrainingGroup
from engine.training.cost import CostMeter
from engine.training.divergence import ADVICE, DivergedError, Divergence
from engine.training.judging import Judging
from engine.training.limits import Limits
from engine.training.metrics import LOG_EVERY, Metrics
from engine.training.setup import TrainingContext
from engine.training.spend_recorder import SpendRecorder
from engine.training.spot import SpotDeadline, SpotWatch
from engine.training.turns import Turns
from engine.training.watchdog import Watchdog

# Seconds between two looks at how far the last series, and the last evaluation, have come.
_LAST_SECONDS = 0.05


@dataclass(frozen=True)
class Services:
    """What runs alongside the loop, from before the first step to after the last."""

    inbox: Inbox
    cost: CostMeter
    """The network's."""
    budget: Budget
    group: TrainingGroup
    turns: Turns
    """Of the device."""
    auditions: Auditions
    series: Series
    judging: Judging
    spend: SpendRecorder
    spot: SpotWatch
    watchdog: Watchdog
    on_saved: Sequence[OnSaved]


class Trainer:
    """Trains one network of one voice until a limit is reached or it is told to end."""

    def __init__(
        self,
        context: TrainingContext,
        options: TrainOptions,
        publisher: Publisher,
        services: Services,
    ) -> None:
        self._context = context
        self._learner = context.learner
        self._options = options
        self._publisher = publisher
        self._inbox = services.inbox
        self._series = services.series
        self._judging = services.judging
        self._spend = spend = services.spend
        self._cost = cost = services.cost
        self._spot = services.spot
        self._watchdog = services.watchdog
        self._watchdog.shares_processor = self._learner.device.type == "cpu"
        self._turns = services.turns
        self._state = RunState(context.step, options, publisher, cost, services.group)
        # The newest checkpoint may be an earlier one than it seemed.
        spend.roll_back(context.step, cost)
        self._metrics = metrics = Metrics(context, publisher, cost)
        self._checkpointer = Checkpointer(
            context,
            publisher,
            cost,
            before_write=(metrics.make_history_safe, spend.flush),
            writers=(*spend.writers, metrics.history_writer),
            on_saved=services.on_saved,
        )
        self._divergence = Divergence(context, publisher)
        self._limits = Limits(context.voice, context.network, publisher, cost, services.budget)
        self._commands = CommandHandler(
            context, publisher, services.inbox, services.auditions, self._limits, cost
        )
        self._deadline = SpotDeadline(publisher, self._run_hook)

    def run(self) -> None:
        """Train until the stop, the budget, `Finish` or a fault; return when all is saved.

        Raises:
            DivergedError: the run diverged again and again, and nobody is there.
            EngineError: the device is out of memory, or the last checkpoint cannot be written.
            InputError: the stop that was asked for lies behind.
        """
        use_in_this_thread(self._learner.device)
        try:
            self._begin()
            try:
                self._train()
            except BaseException as error:
                self._rescue(error)
                raise
            self._finish()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            where = f"at step {self._state.step:,}"
            raise out_of_memory_error(self._learner.device, where, error) from error
        finally:
            self._cost.pause_training()
            self._state.ended = True
            # Nothing may write in the network's folder after this returns. Each is called
            # whatever becomes of the others, the last one first.
            with ExitStack() as stack:
                stack.callback(self._metrics.end)
                stack.callback(self._checkpointer.stop_thread)

    def _begin(self) -> None:
        self._checkpointer.start_thread()
        self._limits.begin(self._options.stop, self._state.step)
        self._metrics.begin(self._checkpointer.saved_step)
        self._spend.record(self._state.step, self._cost)
        self._publisher.update(first_spent=self._cost.spent)

    def _train(self) -> None:
        """The loop, from the first step to the last."""
        state = self._state
        with Prefetcher(self._context.batches, self._learner.device) as batches:
            while not self._process_commands():
                if not state.at_stop and self._limits.reached(state.step):
                    self._stop()
                    continue
                self._save_if_due()
                if state.paused:
                    self._commands.wait(state)
                    continue
                losses = self._make_step(batches)
                logged = state.step % LOG_EVERY == 0
                if logged and (fault := self._divergence.check(state.step, losses)):
                    self._roll_back(fault)

    def _process_commands(self) -> bool:
        """Do what was asked since the last step; return whether it is time to end."""
        state = self._state
        for request in self._commands.process(state):
            match request:
                case SaveCheckpoint():
                    self._checkpointer.request(state.step)
                case ScreenDetached():
                    self._checkpointer.request(state.step, report=False)
                case PlotAttention():
                    self._metrics.draw_attention(state.step)
                case Continue():
                    self._learner.recovery = self._divergence.try_again(state.step)
                case news:
                    self._handle_spot_news(news)
        if state.diverged and (state.ended_because or not state.attended):
            why = f" The run ended because {state.ended_because}." if state.ended_because else ""
            raise DivergedError(f"{state.diverged}{why}")
        if not state.finishing and self._deadline.reached:
            self._publisher.event("the last safe second: saving and ending", "warning")
            state.finishing = True
        self._limits.budget.warn()
        self._series.poll(self._cost.run_training_seconds, waiting=state.paused)
        return state.finishing

    def _make_step(self, batches: Prefetcher) -> Losses | None:
        """Make the next step; return the mean losses where they were logged."""
        step = self._state.step + 1
        self._cost.start_training()
        with self._turns.take(self._context.network, self._publisher.beat), self._watchdog.step():
            batch = batches.next(step, self._learner.recovery.salt)
            losses = self._learner.step(batch, step)
            self._state.step = step
            return self._metrics.add(step, losses)

    def _stop(self) -> None:
        """Save at the stop or the budget; then wait for the person, or end."""
        state, step = self._state, self._state.step
        self._limits.report(step)
        try:
            self._save(draw=True)
        except EngineError:
            pass  # the checkpointer has reported it, and retries while waiting or at the end
        else:
            if state.step != step:
                return  # rolled back: the stop lies ahead again
            state.at_stop = True
            self._limits.store_stop(step, done=state.group.all_at_stop())
        state.at_stop, state.at_budget = True, self._limits.budget.used_up
        if state.attended or not state.others_done:
            state.pause(Phase.AT_STOP)
        else:
            state.finishing = state.ends_at_stop = True

    def _save_if_due(self) -> None:
        """Record the spend, and begin a checkpoint with the attention, where they are due."""
        step = self._state.step
        due = self._checkpointer.due(step)
        if due or self._cost.entry_due:
            self._spend.record(step, self._cost)
        if due and not self._rolled_back_before_save():
            self._checkpointer.start(step, self._metrics.sums.unlogged)
            self._metrics.draw_attention(step)

    def _save(self, *, draw: bool = False, last: bool = False) -> bool:
        """Save this step and wait until it is on disk; return whether there was anything to save.

        The `last` step of a run is worth a longer wait for a disk that refuses it.
        """
        step = self._state.step
        self._spend.record(step, self._cost)
        self._checkpointer.wait()
        if self._checkpointer.is_saved(step) or self._rolled_back_before_save():
            return False
        hurried = self._inbox.hurried if last else None
        self._checkpointer.save(step, self._metrics.sums.unlogged, hurried)
        if draw:
            self._metrics.draw_attention(step)
        return True

    def _rolled_back_before_save(self) -> bool:
        """Check what is to be saved; where it diverged, roll back instead."""
        losses = self._metrics.sums.means()
        fault = self._divergence.check_before_save(self._state.step, losses)
        if fault:
            self._roll_back(fault)
        return bool(fault)

    def _roll_back(self, fault: str) -> None:
        """Return to the last good checkpoint, with a lower learning rate and other batches.

        The checkpoint is written again with what has changed, so that a resumed run has no more
        tries than one that never ended. Imported weights stay as they were imported.
        """
        self._spend.record(self._state.step, self._cost)
        self._checkpointer.wait()
        target = self._divergence.rollback(self._state.step, fault)
        self._learner.restore(target.checkpoint)
        self._learner.recovery = target.recovery
        self._state.step = target.step
        self._publisher.warn(target.text, severity="error")
        waits = "; it waits for you" if target.final and self._state.attended else ""
        self._publisher.notify("diverged", f"{target.text}{waits}")
        self._spend.roll_back(target.step, self._cost)
        self._metrics.roll_back(target.step, target.unlogged, target.text)
        self._checkpointer.roll_back(target.step)
        if target.final:
            self._wait_or_end(f"{target.text}. {ADVICE}")
        elif target.step > self._context.base_step:
            self._checkpointer.start(target.step, target.unlogged)

    def _wait_or_end(self, text: str) -> None:
        """Wait for a person; without one, end."""
        if self._state.finishing:
            return
        if not self._state.attended:
            raise DivergedError(text)
        self._state.wait_after_divergence(text)

    def _handle_spot_news(self, news: SpotNews, *, ending: bool = False) -> None:
        speed = self._cost.steps_per_second
        step_seconds = 1 / speed if speed else None
        self._deadline.handle(news, self._save_at_once, step_seconds, ending=ending)

    def _run_hook(self, notice: SpotNotice) -> None:
        """Run the person's command, once every network that is trained has saved."""
        if self._state.group.all_saved_for(notice, self._state) and self._spot.hook:
            self._spot.hook.run(notice)

    def _save_at_once(self) -> float:
        """Save this step, and have failures retried; return the seconds that the write took."""
        try:
            self._save()
        except EngineError:
            self._checkpointer.request(self._state.step, report=False)
        return self._checkpointer.write_seconds

    def _finish(self) -> None:
        """Save the last step, and keep the stop for the next run unless it is done with."""
        # Waiting for a disk that refuses the last step is not training.
        self._cost.pause_training()
        self._publisher.update(phase=Phase.STOPPING, wait_ends_at=None)
        interrupted = self._is_interrupted()
        try:
            self._save(draw=True, last=not interrupted)
        except EngineError as error:
            if not interrupted:
                raise
            # There is no time to wait for a full disk; the next machine repeats these steps.
            text = f"step {self._state.step:,} is lost with this machine: {error}"
            self._publisher.event(text, "error")
        if self._state.ends_at_stop and not interrupted:
            trained = self._cost.run_training_seconds
            self._series.speak_last(trained, self._may_go_on)
            self._judging.finish(trained, self._may_go_on)
        if self._limits.reached(self._state.step):
            self._judging.report()
        given_up = self._state.gives_up_stop and not interrupted
        done = self._state.group.all_at_stop()
        self._limits.store_stop(self._state.step, done=done, given_up=given_up)
        if interrupted:
            self._publisher.update(interrupted=True)

    def _may_go_on(self) -> bool:
        """Wait a moment for the last series; return whether nothing else ends the run now."""
        self._publisher.beat()
        hurried = self._inbox.hurried.wait(_LAST_SECONDS)
        used_up = self._publisher.snapshot.budget_is_used_up
        return not (hurried or used_up or self._inbox.finish_requested())

    def _is_interrupted(self) -> bool:
        """Whether the run ends because its cloud takes the machine away.

        A run at its stop needs no other machine. What asked it to end may have been the machine
        as it shuts down, before its notice was seen: so the cloud is asked once more.
        """
        if self._limits.reached(self._state.step):
            return False
        if not self._deadline.known and (news := self._spot.check_now(self._inbox)):
            self._handle_spot_news(news, ending=True)
        return self._deadline.known

    def _rescue(self, error: BaseException) -> None:
        """Save what was learned before a fault; the caller reports the fault itself."""
        try:
            if self._save():
                self._publisher.event(f"saved before ending with {type(error).__name__}", "warning")
        except Exception as second:
            # The device may be gone: the newest checkpoint on disk has to do.
            step = self._state.step
            self._publisher.event(f"step {step:,} cannot be saved: {second}", "error")
