"""The loop: obey, step, tell, save; and stop exactly where the person said."""

from dataclasses import replace

import torch

from engine.board import Board
from engine.control import (
    Audition,
    Command,
    DrawAttention,
    Finish,
    GoOn,
    GoUnattended,
    Inbox,
    Pause,
    SaveCheckpoint,
    SetSentence,
    StopAt,
)
from engine.corpus.batches import Batch, Prefetcher
from engine.errors import EngineError, InputError, VoicecoachError
from engine.order import TrainOrder
from engine.snapshot import Phase
from engine.speech.audition import Auditions
from engine.stop import StopPoint, StopRule
from engine.training.clock import TrainingClock
from engine.training.ledger_keeper import LedgerKeeper
from engine.training.preparation import Prepared
from engine.training.saving import DivergedError, Keeper
from engine.training.telling import LOG_EVERY, Teller

# Seconds between looks at the inbox while nothing is to be done.
_IDLE_SECONDS = 0.5


class Trainer:
    """Trains one network of one voice until it is told to stop."""

    def __init__(
        self,
        prepared: Prepared,
        order: TrainOrder,
        board: Board,
        inbox: Inbox,
        auditions: Auditions,
    ) -> None:
        self._prepared = prepared
        self._voice = prepared.voice
        self._learner = prepared.learner
        self._order = order
        self._board = board
        self._inbox = inbox
        self._auditions = auditions
        self._step = prepared.step
        self._clock = TrainingClock()
        self._ledger = LedgerKeeper(self._voice, prepared.network, self._clock, self._step)
        self._keeper = Keeper(prepared, board)
        self._teller = Teller(prepared, board, self._clock, self._ledger)
        self._stop: StopPoint | None = None
        self._attended = order.attended
        self._paused = False
        self._at_stop = False
        self._finishing = False

    def run(self) -> None:
        """Train until the stop, `Finish`, or a fault; the last checkpoint is safe on return.

        Raises:
            EngineError: the loss is not finite, the device lacks memory, or the last checkpoint
                cannot be written.
            InputError: the stop that was ordered lies behind.
        """
        try:
            self._set_stop(self._order.stop)
            self._teller.begin(self._keeper.saved_step)
            self._make_steps()
            self._board.update(phase=Phase.STOPPING)
            self._save()
        except torch.OutOfMemoryError as error:
            # Held-out clips are whole, so it may be looking at them that takes the most.
            raise EngineError(
                f"The memory of {self._learner.device} is too small at step {self._step:,} "
                f"({error}); end what else uses it, or make a voice with --preset small."
            ) from error
        finally:
            self._clock.pause()
            self._close_stretch("error")

    def _make_steps(self) -> None:
        first, device = self._step + 1, self._learner.device
        try:
            with Prefetcher(self._prepared.batches, first, device) as batches:
                while self._obey():
                    self._clock.start()
                    self._make_step(batches.next())
        except DivergedError:
            raise
        except BaseException as error:
            self._rescue(error)
            raise

    def _make_step(self, batch: Batch) -> None:
        step = self._step + 1
        parts = self._learner.step(batch, step)
        self._step = step
        self._teller.tell(step, parts)
        if step % LOG_EVERY == 0:
            self._require_finite_losses()
        if self._ledger.due:
            self._close_stretch("warning")
        if step % self._voice.settings.checkpoint_every == 0:
            self._try_to_save()
        if self._stop_is_reached():
            self._arrive()

    def _rescue(self, error: BaseException) -> None:
        """Save what was learned before a fault; the fault itself is told by whoever catches it."""
        try:
            kept = self._keep()
        except Exception as second:
            # The device may be gone: the newest checkpoint on disk has to do.
            self._board.event(f"step {self._step:,} cannot be saved: {second}", "error")
        else:
            if kept:
                self._board.event(f"saved before the end by {type(error).__name__}", "warning")

    # What a person asks.

    def _obey(self) -> bool:
        """Carry out what has been asked; wait while paused. False when it is time to end."""
        while True:
            while (command := self._inbox.take()) is not None:
                self._carry_out(command)
            if self._finishing:
                return False
            if not self._paused:
                return True
            self._inbox.wait(_IDLE_SECONDS)

    def _carry_out(self, command: Command) -> None:
        match command:
            case StopAt(rule):
                self._change_stop(rule)
            case Pause():
                self._pause()
            case GoOn():
                self._go_on()
            case SaveCheckpoint():
                self._save_now()
            case Audition():
                self._auditions.begin(self._learner.speaking_weights, self._step)
            case SetSentence(sentence):
                self._set_sentence(sentence)
            case DrawAttention():
                self._teller.draw_attention(self._step)
            case GoUnattended():
                self._go_unattended()
            case Finish():
                self._finishing = True

    def _set_stop(self, rule: StopRule | None) -> None:
        """Resolve a rule against the counters, or train without end.

        Raises:
            InputError: the point lies behind.
        """
        ledger = self._ledger
        self._stop = (
            None
            if rule is None
            else rule.resolve(self._step, ledger.voice_seconds, ledger.spent, ledger.price)
        )
        self._board.update(stop=self._stop, stop_text=rule.text if rule else "")

    def _change_stop(self, rule: StopRule | None) -> None:
        try:
            self._set_stop(rule)
        except InputError as error:
            self._board.event(str(error), "error")
            return
        self._board.event(f"stop at {rule.text}" if rule else "no stop: training goes on")
        if self._at_stop:
            self._go_on()

    def _pause(self) -> None:
        if not self._paused:
            self._wait(Phase.PAUSED)
            self._board.event(f"paused at step {self._step:,}")

    def _go_on(self) -> None:
        if not self._paused:
            return
        if self._at_stop:
            if self._stop_is_reached():
                self._set_stop(None)
            self._board.update(first_step=self._step, first_run_seconds=self._clock.seconds)
        self._paused = self._at_stop = False
        self._board.update(phase=Phase.TRAINING)
        self._board.event("training goes on")

    def _go_unattended(self) -> None:
        self._attended = False
        self._board.event("going on without a screen")
        self._try_to_save()
        if self._at_stop:
            self._finishing = True
        elif self._paused:
            self._board.event("nobody is there to end the pause: saving and ending", "warning")
            self._finishing = True

    def _set_sentence(self, sentence: str) -> None:
        text = sentence.strip()
        if not any(map(str.isalnum, self._voice.vocabulary.clean(text))):
            self._board.event(f"nothing to speak in {sentence!r}", "error")
            return
        self._auditions.sentence = text
        self._board.update(sentence=text)
        self._board.event(f"sentence: {text}")
        try:
            self._voice.save(replace(self._voice.settings, sentence=text))
        except VoicecoachError as error:
            self._board.event(f"the sentence lasts for this run only: {error}", "warning")

    # Where it stops, and what is kept.

    def _stop_is_reached(self) -> bool:
        return self._stop is not None and self._stop.reached(
            self._step, self._ledger.voice_seconds, self._ledger.spent
        )

    def _arrive(self) -> None:
        """The stop is reached: end, or save and wait for the person."""
        self._board.event(f"reached the stop at step {self._step:,}")
        if not self._attended:
            self._finishing = True
            return
        self._at_stop = True
        self._try_to_save()
        self._wait(Phase.AT_STOP)

    def _wait(self, phase: Phase) -> None:
        self._paused = True
        self._clock.pause()
        self._board.update(phase=phase, steps_per_second=None)

    def _save_now(self) -> None:
        if self._step == 0:
            self._board.event("nothing has been learned yet that could be saved")
        elif self._step == self._keeper.saved_step:
            self._board.event(f"step {self._step:,} is saved already")
        else:
            self._try_to_save()

    def _try_to_save(self) -> None:
        """Save; a checkpoint that cannot be written is told, and training goes on.

        Raises:
            DivergedError: losses or weights are not finite.
        """
        try:
            self._save()
        except DivergedError:
            raise
        except EngineError as error:
            self._board.event(str(error), "error")

    def _save(self) -> None:
        """Save this step, and renew the attention where there was something to save.

        Raises:
            DivergedError: losses or weights are not finite.
            EngineError: the checkpoint cannot be written.
        """
        if self._keep():
            self._teller.draw_attention(self._step)

    def _keep(self) -> bool:
        """Write this step's checkpoint, unless it is there or nothing was learned; say whether.

        Raises:
            DivergedError: losses or weights are not finite.
            EngineError: the checkpoint cannot be written.
        """
        self._close_stretch("warning")
        if self._step in (0, self._keeper.saved_step):
            return False
        self._require_finite_losses()
        self._keeper.save(self._step)
        return True

    def _require_finite_losses(self) -> None:
        if not self._teller.losses_are_finite():
            raise self._keeper.diverged("loss is not finite", self._step)

    def _close_stretch(self, severity: str) -> None:
        """Bring the ledger up to date; what cannot be written now is part of the next try."""
        try:
            self._ledger.close_stretch(self._step)
        except EngineError as error:
            self._board.event(f"{error} ${self._ledger.spent:.2f} are spent so far.", severity)
