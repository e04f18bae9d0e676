"""When a checkpoint is due, and how it gets to disk: the steps wait for a copy, never for the disk.

A checkpoint is due every so many steps and after so many minutes of training. It is copied between
two steps and written by a thread. While one is being written no other is copied: what falls due
meanwhile is made of the first step after it, so that one copy is enough. Where the disk is full or
refuses, training goes on, the screen says so, and the write is retried.
"""

import re
import threading
import time
from collections.abc import Callable, Sequence

from engine.checkpoints.checkpoint import Checkpoint
from engine.checkpoints.state import Unlogged
from engine.errors import EngineError
from engine.formatting import whole_minutes
from engine.machine.background import BackgroundThread
from engine.machine.lock import FolderLostError
from engine.run.publisher import Publisher
from engine.training.checkpoint_writer import CheckpointWriter, OnSaved, StateCopy
from engine.training.cost import CostMeter
from engine.training.setup import TrainingContext

# Seconds before a failed write is retried; the last one holds for all further retries.
RETRY_SECONDS = (5.0, 10.0, 20.0, 40.0, 60.0)
# Seconds for which the end of a run tries to save its last step.
END_SECONDS = 120.0
# Seconds between two checks of a write that is waited for.
_CHECK_SECONDS = 1.0
# Seconds after which a disk is called slow.
_SLOW_SECONDS = 60.0


class Checkpointer:
    """Says when a checkpoint is due, has it written, and reports how that went."""

    def __init__(
        self,
        context: TrainingContext,
        publisher: Publisher,
        cost: CostMeter,
        before_write: Sequence[Callable[[], None]],
        writers: Sequence[BackgroundThread],
        on_saved: Sequence[OnSaved],
    ) -> None:
        """Take the memory for a copy of what the network has learned.

        `before_write` bring to the disk what has to be there before a checkpoint; `writers` are
        those of other files on the same disk, to notice that it is slow; `on_saved` are called
        with each checkpoint that is safe.
        """
        self._context = context
        self._voice = context.voice
        self._network = context.network
        self._publisher = publisher
        self._cost = cost
        self._copy = StateCopy(context.learner)
        self._writer = CheckpointWriter(
            self._voice, self._network, context.base_step, on_saved, before_write
        )
        self._writers = (*writers, self._writer.thread)
        self.saved_step = context.step if self._voice.checkpoints(self._network) else None
        """The newest good checkpoint on disk."""
        self._copied_at = cost.run_training_seconds
        self.write_seconds = 0.0
        """How long the last write took."""
        self._requested = False
        self._retry_at = 0.0
        self._failures = 0
        self._last_failure = ""
        self._refusal = ""
        self._slow = ""

    def start_thread(self) -> None:
        """Start the thread that writes, before there is anything to write."""
        self._writer.thread.start()

    def stop_thread(self) -> None:
        """Wait until nothing is being written, and end that thread."""
        self.wait()
        self._writer.thread.stop()

    def request(self, step: int, *, report: bool = True) -> None:
        """Have a step saved now, or the first one after the write under way; report if it is."""
        if not self.is_saved(step):
            self._requested = True
            self._retry_at = 0.0
        elif report:
            saved = f"step {step:,} is already saved" if step else "nothing to save at step 0"
            self._publisher.event(saved)

    def is_saved(self, step: int) -> bool:
        """Whether there is nothing to save: a checkpoint has this step, or nothing was learned."""
        return step in (0, self.saved_step)

    def due(self, step: int) -> bool:
        """Whether this step is to be saved now; reports how the last write went."""
        self._take_outcome()
        if self.is_saved(step):
            self._requested = False
            return False
        if step != self._writer.step and self._interval_over(step):
            self._requested = True
        idle = self._writer.step is None
        return self._requested and idle and time.monotonic() >= self._retry_at

    def _interval_over(self, step: int) -> bool:
        settings = self._voice.settings
        if step % settings.checkpoint_every == 0:
            return True
        # What is trained while the checkpoint is being written is at risk as well.
        at_risk = self._cost.run_training_seconds - self._copied_at + self.write_seconds
        return at_risk >= settings.checkpoint_minutes * 60

    def start(self, step: int, unlogged: Unlogged) -> None:
        """Copy the step that the learner has made, and begin to write it.

        `unlogged` are the losses since the last logged step.
        """
        tensors, wait_for_copy = self._copy.take()
        self._copied_at = self._cost.run_training_seconds
        self._requested = False
        learner = self._context.learner
        checkpoint = Checkpoint(
            network=self._network,
            spec=learner.spec,
            symbols=self._voice.settings.symbols,
            step=step,
            base_step=self._context.base_step,
            recipe=learner.recipe.name,
            seed=self._voice.settings.seed,
            optimizer_start_step=learner.optimizer_start_step,
            weights=tensors["weights"],
            ema=tensors["ema"],
            optimizer=tensors["optimizer"],
            unlogged=unlogged,
            corpus=self._context.store.content.key,
            recovery=learner.recovery,
            auto_precision=self._context.auto_precision,
        )
        self._writer.begin(checkpoint, wait_for_copy)
        self._publisher.update(saving_step=step)

    def save(self, step: int, unlogged: Unlogged, hurried: threading.Event | None = None) -> None:
        """Save a step as `start` does, and wait until it is safe.

        With `hurried` failures are retried for two minutes, or until that is set.

        Raises:
            FolderLostError: the voice folder is gone.
            EngineError: it cannot be written; the message of a last try says what is lost.
        """
        deadline = time.monotonic() + END_SECONDS
        self.wait()
        try:
            while (failure := self._try(step, unlogged)) is not None:
                if hurried is None or isinstance(failure, FolderLostError):
                    raise failure
                left = deadline - time.monotonic()
                if left < RETRY_SECONDS[0] or self._wait_to_retry(left, hurried):
                    raise EngineError(
                        f"{failure} {self._publisher.snapshot.unsaved_text}."
                    ) from failure
        finally:
            self._publisher.update(end_waits_for="")

    def _try(self, step: int, unlogged: Unlogged) -> EngineError | None:
        self.start(step, unlogged)
        return self.wait()

    def _wait_to_retry(self, left: float, hurried: threading.Event) -> bool:
        """Wait before the next try, with so many seconds left in all; return whether to give up."""
        self._publisher.beat()
        self._publisher.update(end_waits_for="disk", end_waits_until=time.time() + left)
        return hurried.wait(RETRY_SECONDS[0])

    def wait(self) -> EngineError | None:
        """Wait until nothing is being written; return why the last write failed, if it did."""
        while not self._writer.thread.wait(_CHECK_SECONDS):
            # A disk that hangs holds up the end of a run: the person has to know it.
            self._report_slow_disk()
            self._publisher.beat()
        return self._take_outcome()

    def roll_back(self, step: int) -> None:
        """Note that the run was rolled back to the checkpoint of a step."""
        self.saved_step = step if self._voice.newest(self._network) else None
        self._copied_at = self._cost.run_training_seconds
        self._requested = False
        self._publisher.update(checkpoint_step=self.saved_step)

    def _take_outcome(self) -> EngineError | None:
        """Report a checkpoint that was written or failed, and a slow disk; return the failure."""
        step, failure = self._writer.take_ended(), None
        if step is not None:
            self._publisher.update(saving_step=None)
            self.write_seconds, failure = self._writer.seconds, self._writer.failure
            if failure is None:
                self._succeeded(step)
            else:
                self._failed(failure)
        self._report_slow_disk()
        return failure

    def _report_slow_disk(self) -> None:
        """Show which write has taken long, until it is done."""
        seconds, what = max((writer.seconds, writer.name) for writer in self._writers)
        slow = ""
        if seconds > _SLOW_SECONDS:
            slow = f"the disk is slow: {what} has taken {whole_minutes(seconds)} so far"
        if slow != self._slow:
            if not self._slow:
                self._publisher.notify("disk", slow)
            self._slow = slow
            self._show_trouble(slow or self._refusal)

    def _succeeded(self, step: int) -> None:
        self.saved_step = step
        again = " after failed attempts" if self._failures else ""
        self._failures = 0
        self._last_failure = self._refusal = self._slow = ""
        self._publisher.update(checkpoint_step=step)
        self._show_trouble("")
        self._publisher.event(f"checkpoint {step:,} saved{again}")
        if self._writer.warning:
            self._publisher.event(self._writer.warning, "warning")

    def _failed(self, failure: EngineError) -> None:
        """Report it, once for each reason, and retry a little later each time."""
        pause = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
        self._failures += 1
        self._requested = True
        self._retry_at = time.monotonic() + pause
        text = str(failure)
        # The same trouble at another step, or with other figures, is not reported again.
        kind = re.sub(r"[0-9.]+", "", text)
        if kind != self._last_failure:
            self._publisher.event(text, "error")
            self._publisher.notify("disk", text.rstrip("."))
        self._last_failure = kind
        self._refusal, self._slow = text, ""
        self._show_trouble(text)

    def _show_trouble(self, text: str) -> None:
        if self._publisher.snapshot.saving_trouble != text:
            self._publisher.update(saving_trouble=text)
