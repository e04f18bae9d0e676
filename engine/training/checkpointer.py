"""What is kept, and when: the steps wait for a copy in memory, and never for the disk.

A checkpoint is due every so many steps and after so many minutes of training. It is copied
between two steps and written by a thread beside them. While one is being written no other is
copied: what falls due meanwhile is made of the first step after it, so that one copy is enough.
Where the disk is full or refuses, training goes on, the screen says so, and after a while it is
tried again.
"""

import re
import threading
import time
from collections.abc import Callable, Sequence

from engine.checkpoints.checkpoint import Checkpoint, Unlogged
from engine.errors import EngineError
from engine.formatting import plural, whole_minutes
from engine.machine.background import DiskWriter
from engine.machine.lock import FolderLostError
from engine.run.publisher import Publisher
from engine.training.checkpoint_writer import CheckpointWriter, OnSaved, Outcome
from engine.training.clock import TrainingClock
from engine.training.finite import all_finite
from engine.training.setup import TrainingContext
from engine.training.state_copy import StateCopy

# Seconds from a checkpoint that could not be written to the next try, the last for all after.
RETRY_SECONDS = (5.0, 10.0, 20.0, 40.0, 60.0)
# Seconds for which the end of a run tries to save its last step.
END_SECONDS = 120.0
# Seconds between two looks at what is waited for.
_LOOK_SECONDS = 1.0
# Seconds after which a disk is called slow.
_SLOW_SECONDS = 60.0


class DivergedError(EngineError):
    """Loss or weights are not finite any more: what is on disk is better than what is not."""


class Keeper:
    """Has the checkpoints of a run written, and none of weights that are not finite."""

    def __init__(
        self,
        prepared: TrainingContext,
        publisher: Publisher,
        clock: TrainingClock,
        first: Sequence[Callable[[], None]],
        beside: Sequence[DiskWriter],
        on_saved: Sequence[OnSaved] = (),
        hurried: threading.Event | None = None,
    ) -> None:
        """Take the memory for a copy of what the network has learned.

        Args:
            prepared: what is trained, and where.
            publisher: where checkpoints, and trouble with them, are told.
            clock: training time, which is what is at risk.
            first: bring to the disk what has to be there before a checkpoint.
            beside: what else is on its way to the same disk.
            on_saved: told of each checkpoint that is safe on disk.
            hurried: set by whoever gives up steps that the disk refuses at the end.
        """
        self._prepared = prepared
        self._voice = prepared.voice
        self._network = prepared.network
        self._publisher = publisher
        self._clock = clock
        self._copy = StateCopy(prepared.learner)
        self._writer = CheckpointWriter(
            self._voice, self._network, prepared.base_step, on_saved, first
        )
        self._beside = beside
        self._hurried = hurried or threading.Event()
        self.saved_step = prepared.step if self._voice.checkpoints(self._network) else None
        """The newest checkpoint on disk that is good."""
        self._copied_seconds = clock.seconds
        self.write_seconds = 0.0
        """What the last checkpoint took to be written, in seconds."""
        self._wanted = False
        self._failures = 0
        self._last_failure = ""
        self._refusal = ""
        self._slow = ""
        self._retry_at = 0.0

    def start(self) -> None:
        """Start the thread that writes, before there is anything to write."""
        self._writer.start()

    def end(self) -> None:
        """Wait until nothing is being written, and end that thread."""
        self.settle()
        self._writer.end()

    def want(self) -> None:
        """Have the next step saved at once, whatever the disk said before."""
        self._wanted = True
        self._retry_at = 0.0

    def wants(self, step: int) -> bool:
        """Whether this step is to be copied now; takes note of what was written meanwhile."""
        self._look()
        if step in (0, self.saved_step):
            self._wanted = False
            return False
        if step != self._writer.step and self._is_due(step):
            self._wanted = True
        return self._wanted and not self._writer.busy and time.monotonic() >= self._retry_at

    def begin(self, step: int, unlogged: Unlogged) -> None:
        """Copy this step, and begin to write it.

        Args:
            step: the global step that the learner has made.
            unlogged: the losses since the last logged step.

        Raises:
            DivergedError: the weights are not finite; nothing is written.
        """
        learner = self._prepared.learner
        live = learner.live_state()
        if not all_finite((*live["weights"].values(), *live["ema"].values())):
            raise DivergedError("weights are not finite")
        tensors, ready = self._copy.take()
        self._copied_seconds = self._clock.seconds
        self._wanted = False
        checkpoint = Checkpoint(
            network=self._network,
            spec=learner.spec,
            symbols=self._voice.settings.symbols,
            step=step,
            base_step=self._prepared.base_step,
            recipe=learner.recipe.name,
            seed=self._voice.settings.seed,
            moments_from=learner.optimizer_start_step,
            weights=tensors["weights"],
            average=tensors["ema"],
            optimizer=tensors["optimizer"],
            unlogged=unlogged,
            corpus=self._prepared.store.content.key,
            recovery=learner.recovery,
        )
        self._writer.begin(checkpoint, ready)
        self._publisher.update(saving_step=step)

    def save(self, step: int, unlogged: Unlogged) -> bool:
        """Write this step, and wait until it is safe; False where it was, or nothing was learned.

        Raises:
            DivergedError: the weights are not finite; nothing is written.
            EngineError: it cannot be written; those before it are untouched.
        """
        self.settle()
        if step in (0, self.saved_step):
            return False
        self.begin(step, unlogged)
        failure = self.settle()
        if failure is not None:
            raise failure
        if self.saved_step != step:
            raise EngineError(f"The checkpoint of step {step:,} was not written; the log says why.")
        return True

    def save_at_last(self, step: int, unlogged: Unlogged) -> bool:
        """Write the last step of a run; where it cannot be written, try for two minutes.

        A person may give it up before.

        Raises:
            DivergedError: the weights are not finite; nothing is written.
            FolderLostError: the voice folder is gone.
            EngineError: it cannot be written, and so many steps are lost; the checkpoints before
                it are untouched.
        """
        give_up = time.monotonic() + END_SECONDS
        try:
            while True:
                try:
                    return self.save(step, unlogged)
                except (DivergedError, FolderLostError):
                    raise
                except EngineError as error:
                    left = give_up - time.monotonic()
                    if left < RETRY_SECONDS[0] or self._wait_at_end(left):
                        raise EngineError(f"{error} {self._about_lost()}") from error
        finally:
            self._publisher.update(end_waits_for="")

    def _wait_at_end(self, left: float) -> bool:
        """Wait until the next try, with so many seconds left in all; say whether it is given up."""
        self._publisher.beat()
        self._publisher.update(end_waits_for="disk", end_waits_until=time.time() + left)
        return self._hurried.wait(RETRY_SECONDS[0])

    def _about_lost(self) -> str:
        snapshot = self._publisher.snapshot
        steps = plural(snapshot.unsaved, "step is", "steps are")
        if self.saved_step is None:
            return f"{steps} lost: there is no checkpoint before them."
        return f"{steps} lost; the newest checkpoint is that of step {self.saved_step:,}."

    def settle(self) -> EngineError | None:
        """Wait until nothing is being written; return why the last one could not be."""
        while not self._writer.wait(_LOOK_SECONDS):
            # A disk that hangs holds up the end of a run: the person has to know it.
            self._look_at_disk()
            self._publisher.beat()
        outcome = self._look()
        return None if outcome is None else outcome.failure

    def went_back(self, step: int) -> None:
        """Take note that the run stands where the checkpoint of a step was made."""
        found = self._voice.newest(self._network)
        self.saved_step = None if found is None else step
        self._copied_seconds = self._clock.seconds
        self._wanted = False
        self._publisher.update(checkpoint_step=self.saved_step)

    def _is_due(self, step: int) -> bool:
        settings = self._voice.settings
        if step % settings.checkpoint_every == 0:
            return True
        # What is trained while the checkpoint is being written is at risk as well.
        at_risk = self._clock.seconds - self._copied_seconds + self.write_seconds
        return at_risk >= settings.checkpoint_minutes * 60

    def _look(self) -> Outcome | None:
        """Take note of a checkpoint that was written or could not be; warn of a slow disk."""
        outcome = self._writer.take_outcome()
        if outcome is not None:
            self._publisher.update(saving_step=None)
            self.write_seconds = outcome.seconds
            if outcome.failure is None:
                self._succeeded(outcome)
            else:
                self._failed(outcome.failure)
        self._look_at_disk()
        return outcome

    def _look_at_disk(self) -> None:
        """Tell what has been on its way to the disk for long, until it has arrived."""
        under_way = [(one.seconds, one.what) for one in self._beside]
        if self._writer.busy:
            under_way.append(
                (self._writer.seconds, f"the checkpoint of step {self._writer.step:,}")
            )
        seconds, what = max(under_way, default=(0.0, ""))
        slow = ""
        if seconds > _SLOW_SECONDS:
            since = whole_minutes(seconds)
            slow = f"{what} has been on its way to the disk for {since}; the disk is slow"
        if slow != self._slow:
            self._slow = slow
            self._trouble(slow or self._refusal)

    def _succeeded(self, outcome: Outcome) -> None:
        self.saved_step = outcome.step
        again = " again: the disk takes them" if self._failures else ""
        self._failures = 0
        self._last_failure = self._refusal = self._slow = ""
        self._publisher.update(checkpoint_step=outcome.step)
        self._trouble("")
        self._publisher.event(f"checkpoint {outcome.step:,} saved{again}")
        if outcome.warning:
            self._publisher.event(outcome.warning, "warning")

    def _failed(self, failure: EngineError) -> None:
        """Tell it, once for each reason, and try again a little later each time."""
        pause = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
        self._failures += 1
        self._wanted = True
        self._retry_at = time.monotonic() + pause
        text = str(failure)
        # The same trouble at another step, or with a little more or less room, is not told again.
        kind = re.sub(r"[0-9.]+", "", text)
        if kind != self._last_failure:
            self._publisher.event(text, "error")
        self._last_failure = kind
        self._refusal, self._slow = text, ""
        self._trouble(text)

    def _trouble(self, text: str) -> None:
        if self._publisher.snapshot.saving_trouble != text:
            self._publisher.update(saving_trouble=text)
