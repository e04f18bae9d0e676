"""The loop: obey, step, tell, save; and stop exactly where the person said."""

import math
from collections.abc import Sequence
from dataclasses import replace

from engine.board import Board
from engine.control import (
    Audition,
    DrawAttention,
    Finish,
    GoAttended,
    GoOn,
    GoUnattended,
    Inbox,
    Message,
    Pause,
    SaveCheckpoint,
    SetBudget,
    SetSentence,
    StopAt,
)
from engine.corpus.batches import Prefetcher
from engine.errors import EngineError, InputError, VoicecoachError
from engine.host.cloud.news import Interruption, NewPrice, NoticeGone, SpotWarning
from engine.host.hook import Hook
from engine.order import TrainOrder
from engine.snapshot import Phase
from engine.speech.audition import Auditions
from engine.stop import StopPoint, StopRule
from engine.training.budget import Budget
from engine.training.checkpoint_writer import OnSaved
from engine.training.corpus_change import CorpusWatch
from engine.training.health import MOST_ROLLBACKS
from engine.training.interruption import Interruptions
from engine.training.memory import (
    is_out_of_memory,
    sentence_about_parts,
    sentence_about_too_little,
)
from engine.training.paid_time import PaidTime
from engine.training.preparation import Prepared
from engine.training.rollback import Rollbacks, SickError
from engine.training.saving import DivergedError, Keeper
from engine.training.telling import LOG_EVERY, Teller
from engine.training.watchdog import Watchdog

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
        paid: PaidTime,
        hook: Hook | None = None,
        on_saved: Sequence[OnSaved] = (),
    ) -> None:
        self._prepared = prepared
        self._voice = prepared.voice
        self._learner = prepared.learner
        self._order = order
        self._board = board
        self._inbox = inbox
        self._auditions = auditions
        self._step = prepared.step
        self._paid = paid
        self._clock = paid.clock
        self._ledger = paid.ledger
        # The newest checkpoint may be an earlier one than it seemed.
        self._ledger.go_back(self._step)
        self._budget = Budget(self._voice, board, self._ledger)
        self._keeper = Keeper(prepared, board, self._clock, on_saved)
        self._teller = Teller(prepared, board, self._clock, self._ledger)
        self._rollbacks = Rollbacks(prepared, board)
        shares_processor = self._learner.device.type == "cpu"  # as auditions are made on it
        recordings = (clip.path for clip in prepared.store.clips)
        self._corpus_watch = CorpusWatch(self._voice.dataset, recordings, board)
        self._watchdog = Watchdog(board, self._voice.log, shares_processor=shares_processor)
        self._interruptions = Interruptions(board, hook)
        self._stop: StopPoint | None = None
        self._attended = order.attended
        self._paused = False
        self._at_stop = False
        self._finishing = False
        self._went_back = False
        self._given_up = ""

    def run(self) -> None:
        """Train until the stop, `Finish`, or a fault; the last checkpoint is safe on return.

        Raises:
            EngineError: the run fell sick again and again with nobody there, the device lacks
                memory, or the last checkpoint cannot be written.
            InputError: the stop that was ordered lies behind.
        """
        try:
            # What the preparation cost may have used up the sum at which to stop.
            self._set_stop(self._order.stop, self._ledger.spent_before)
            self._teller.begin(self._keeper.saved_step)
            self._close_stretch("warning")
            self._board.update(first_spent=self._ledger.spent)
            self._watchdog.start()
            self._corpus_watch.start()
            try:
                self._make_steps()
            finally:
                self._corpus_watch.stop()
                self._watchdog.stop()
            self._board.update(phase=Phase.STOPPING)
            # Who has arrived at the stop needs no other machine; who was asked to end after a
            # notice does: the machine may have asked, as it goes down.
            cut_short = self._interruptions.standing and not self._stop_is_reached()
            self._end_on_disk(cut_short=cut_short)
            self._board.update(interrupted=cut_short)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            where = f"at step {self._step:,}"
            device = self._learner.device
            raise EngineError(sentence_about_too_little(device, where, error)) from error
        finally:
            self._clock.pause()
            # Whoever takes the voice folder next must find nobody writing in it.
            self._keeper.settle()
            self._end_paid_time()

    def _make_steps(self) -> None:
        try:
            while self._make_steps_in_order():
                pass
        except BaseException as error:
            self._rescue(error)
            raise

    def _make_steps_in_order(self) -> bool:
        """Make one step after the other; False when it is time to end, True where a run went back.

        Batches that were made ahead are of no use then.
        """
        first, device = self._step + 1, self._learner.device
        self._went_back = False
        self._prepared.batches.draw_with(self._learner.recovery.salt)
        with Prefetcher(self._prepared.batches, first, device) as batches:
            while self._obey():
                if self._went_back:
                    return True
                self._clock.start()
                self._make_step(batches)
        return False

    def _make_step(self, batches: Prefetcher) -> None:
        step = self._step + 1
        whole = self._learner.parts
        with self._watchdog.step():
            parts = self._learner.step(batches.next(), step)
            self._step = step
            losses = self._teller.tell(step, parts)
        if self._learner.parts > whole:
            told = sentence_about_parts(self._learner.parts, self._learner.device)
            self._board.event(told, "warning")
        if step % LOG_EVERY == 0:
            loss = None if losses is None else losses.total
            if self._falls_back(self._rollbacks.look(step, loss, logged=True)):
                return
        if self._ledger.due:
            self._close_stretch("warning")
        self._tend()
        if self._stop_is_reached():
            self._arrive()

    def _end_on_disk(self, *, cut_short: bool) -> None:
        """Save the last step; a run that is `cut_short` has no time to wait for a full disk.

        What such a run cannot save the next machine makes again.

        Raises:
            EngineError: the checkpoint cannot be written, and the machine stays.
        """
        try:
            self._save_and_draw(last=not cut_short)
        except SickError:
            raise
        except EngineError as error:
            if not cut_short:
                raise
            self._board.event(f"step {self._step:,} is lost with this machine: {error}", "error")

    def _rescue(self, error: BaseException) -> None:
        """Save what was learned before a fault; the fault itself is told by whoever catches it."""
        try:
            kept = self._save()
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
            if self._interruptions.over:
                self._board.event("the last safe second: saving and ending", "warning")
                return False
            self._budget.look()
            if not self._at_stop and self._stop_is_reached():
                self._arrive()
                continue
            if not self._paused:
                return True
            if self._ledger.due:
                self._close_stretch("warning")
            self._tend()
            self._inbox.wait(_IDLE_SECONDS)

    def _carry_out(self, command: Message) -> None:
        match command:
            case StopAt(rule):
                self._change_stop(rule)
            case SetBudget(usd):
                self._change_budget(usd)
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
            case GoUnattended(train_on):
                self._go_unattended(train_on=train_on)
            case GoAttended():
                self._attended = True
                self._board.event("a screen is attached")
            case Finish():
                self._finishing = True
            case SpotWarning() | Interruption() | NoticeGone():
                self._hear(command)
            case NewPrice():
                self._change_price(command)

    def _set_stop(self, rule: StopRule | None, spent: float | None = None) -> None:
        """Resolve a rule against the counters, or train without end.

        Args:
            rule: when to stop.
            spent: the US dollars against which a sum is held; None for those of this moment.

        Raises:
            InputError: the point lies behind.
        """
        ledger = self._ledger
        # One that the cloud is yet to say can be asked for money as well.
        price = ledger.price or (math.inf if self._voice.settings.price_auto else 0.0)
        self._stop = (
            None
            if rule is None
            else rule.resolve(
                self._step, ledger.voice_seconds, ledger.spent if spent is None else spent, price
            )
        )
        self._board.update(stop=self._stop, stop_text=rule.text if rule else "")

    def _change_stop(self, rule: StopRule | None) -> None:
        if self._budget_refuses():
            return
        try:
            self._set_stop(rule)
        except InputError as error:
            self._board.event(str(error), "error")
            return
        self._board.event(f"stop at {rule.text}" if rule else "no stop: training goes on")
        if self._at_stop:
            self._go_on()

    def _budget_refuses(self) -> bool:
        """Whether nothing goes on, because the budget is used up; if so, say it."""
        if self._budget.used_up:
            self._board.event(self._budget.sentence, "error")
        return self._budget.used_up

    def _change_budget(self, usd: float) -> None:
        before = self._budget.used_up
        if self._budget.change(usd) and before and self._at_stop and not self._stop_is_reached():
            self._go_on()

    def _pause(self) -> None:
        if not self._paused:
            self._wait(Phase.PAUSED)
            self._board.event(f"paused at step {self._step:,}")

    def _go_on(self) -> None:
        if not self._paused or self._budget_refuses():
            return
        if self._at_stop:
            if self._stop_is_reached():
                self._set_stop(None)
            self._board.update(first_step=self._step, first_run_seconds=self._clock.seconds)
            self._board.update(first_spent=self._ledger.spent)
        if self._given_up:
            self._try_again()
        self._paused = self._at_stop = False
        self._board.update(phase=Phase.TRAINING)
        self._board.event("training goes on")

    def _go_unattended(self, *, train_on: bool) -> None:
        self._attended = False
        self._board.event("going on without a screen")
        self._try_to_save()
        if self._at_stop:
            self._finishing = True
            return
        if self._paused and train_on:
            self._go_on()
        if self._paused:
            if self._given_up:
                raise SickError(self._given_up)
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

    # What the machine's watch tells.

    def _hear(self, news: SpotWarning | Interruption | NoticeGone) -> None:
        speed = self._clock.steps_per_second
        self._interruptions.hear(news, self._save_at_once, 1 / speed if speed else None)

    def _save_at_once(self) -> float:
        """Save this step and wait until it is on the disk; trouble is told, and tried again.

        Returns the seconds that the last write took.
        """
        try:
            self._save()
        except SickError:
            raise
        except EngineError:
            self._keeper.want()
        return self._keeper.write_seconds

    def _change_price(self, new: NewPrice) -> None:
        ledger = self._ledger
        try:
            ledger.change_price(new.usd, self._step)
        except EngineError as error:
            self._board.event(f"{error} What it cost so far is counted anew.", "warning")
        self._board.event(f"price: ${new.usd:.4g}/h ({new.source})")
        self._board.update(price=ledger.price, price_source=new.source, spent=ledger.spent)

    # Where it stops, and what is kept.

    def _stop_is_reached(self) -> bool:
        """Whether it is time to end, by the stop or by the budget."""
        if self._budget.used_up or self._stop is None:
            return self._budget.used_up
        return self._stop.reached(self._step, self._ledger.voice_seconds, self._ledger.spent)

    def _arrive(self) -> None:
        """The stop is reached, or the budget: end, or save and wait for the person."""
        if self._budget.used_up:
            self._board.event(self._budget.sentence, "warning")
        else:
            self._board.event(f"reached the stop at step {self._step:,}")
        if not self._attended:
            self._finishing = True
            return
        self._at_stop = True
        try:
            self._save_and_draw()
        except SickError:
            raise
        except EngineError:
            pass  # the keeper has told it, and tries again while the person is waited for
        if self._went_back:
            # The stop lies ahead again.
            self._at_stop = False
            return
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
        """Have this step saved, or the first after a checkpoint that is being written."""
        self._keeper.want()
        self._tend()

    def _tend(self) -> None:
        """Note what was saved; copy this step where that is due, and renew the attention."""
        if not self._keeper.wants(self._step):
            return
        self._close_stretch("warning")
        if self._falls_back(self._trouble()):
            return
        try:
            self._keeper.begin(self._step, self._teller.unlogged)
        except DivergedError as error:
            self._falls_back(str(error))
            return
        self._teller.draw_attention(self._step)

    def _save_and_draw(self, *, last: bool = False) -> None:
        """Save this step and wait for it; renew the attention where there was something to save.

        Raises:
            EngineError: the checkpoint cannot be written.
        """
        if self._save(last=last):
            self._teller.draw_attention(self._step)

    def _save(self, *, last: bool = False) -> bool:
        """Save this step and wait for it; say whether there was something to save.

        Raises:
            EngineError: the checkpoint cannot be written.
        """
        self._close_stretch("warning")
        self._keeper.settle()
        if self._step in (0, self._keeper.saved_step):
            return False
        if self._falls_back(self._trouble()):
            return False
        save = self._keeper.save_at_last if last else self._keeper.save
        try:
            return save(self._step, self._teller.unlogged)
        except DivergedError as error:
            self._falls_back(str(error))
            return False

    # Where it is sick.

    def _trouble(self) -> str:
        """What is sick since the last logged step, so that no sick weights are saved."""
        loss = self._teller.loss_since_logged()
        return self._rollbacks.look(self._step, loss, logged=False)

    def _falls_back(self, trouble: str) -> bool:
        """Where there is trouble, go back to the last good checkpoint; say whether there is.

        Raises:
            SickError: no checkpoint is good, or it was tried often enough and nobody is there.
        """
        if not trouble:
            return False
        self._close_stretch("warning")
        self._keeper.settle()
        hopeless = self._rollbacks.exhausted
        step, unlogged, why = self._rollbacks.go_back(self._step, trouble)
        self._step = step
        self._went_back = True
        self._ledger.go_back(step)
        self._teller.go_back(step, unlogged)
        self._teller.note(step, why)
        self._keeper.went_back(step)
        if hopeless:
            self._give_up(why)
        elif step > self._prepared.base_step:
            # The same weights, with what has become of the run: also a resume shall know it.
            self._keeper.begin(step, unlogged)
        return True

    def _give_up(self, why: str) -> None:
        """Wait for a person; without one, end.

        Raises:
            SickError: nobody is there.
        """
        self._given_up = (
            f"{why}. The learning rate was lowered {MOST_ROLLBACKS} times already: look at the "
            f"recordings, make a voice with another preset, or train with --precision fp32."
        )
        if self._finishing:
            return
        if not self._attended:
            raise SickError(self._given_up)
        self._board.event(f"paused at step {self._step:,}: p tries again", "error")
        self._board.update(alarm=self._given_up)
        self._wait(Phase.PAUSED)

    def _try_again(self) -> None:
        self._given_up = ""
        self._went_back = True
        self._board.update(alarm="")
        self._board.event(f"tried again from step {self._step:,} {self._rollbacks.try_again()}")

    def _end_paid_time(self) -> None:
        try:
            self._paid.end(self._step)
        except EngineError as error:
            self._board.event(f"{error} ${self._ledger.spent:.2f} are spent in all.", "error")

    def _close_stretch(self, severity: str) -> None:
        """Bring the ledger up to date; what cannot be written now is part of the next try."""
        try:
            self._ledger.close_stretch(self._step)
        except EngineError as error:
            self._board.event(f"{error} ${self._ledger.spent:.2f} are spent so far.", severity)
