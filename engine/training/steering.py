"""What a person asks of a run, and what the machine's watch tells it: done between two steps."""

from collections.abc import Callable
from dataclasses import replace

from engine.errors import VoicecoachError
from engine.machine.cloud.news import Interruption, NewPrice, NoticeGone, SpotWarning
from engine.run.commands import (
    Audition,
    Continue,
    Finish,
    FolderGone,
    Inbox,
    KeyPressed,
    Message,
    Pause,
    PlotAttention,
    SaveCheckpoint,
    ScreenAttached,
    ScreenDetached,
    SetBudget,
    SetSentence,
    StopAt,
    TerminalStalled,
)
from engine.run.publisher import Publisher
from engine.run.snapshot import Phase
from engine.run.stop import StopRule
from engine.speech.audition import Auditions
from engine.training.cost import CostMeter
from engine.training.limits import Stopping
from engine.training.rollback import SickError
from engine.training.setup import TrainingContext
from engine.training.sickness import Sickness
from engine.training.spot import Interruptions
from engine.training.standing import Standing
from engine.training.tending import Tending

# Seconds between looks at the inbox while nothing is to be done.
_IDLE_SECONDS = 0.5


class Steering:
    """Carries out commands, and waits while there is nothing else to do."""

    def __init__(
        self,
        prepared: TrainingContext,
        publisher: Publisher,
        inbox: Inbox,
        auditions: Auditions,
        paid: CostMeter,
        standing: Standing,
        stopping: Stopping,
        tending: Tending,
        sickness: Sickness,
        interruptions: Interruptions,
        look_for_notice: Callable[[], Interruption | None],
    ) -> None:
        self._voice = prepared.voice
        self._learner = prepared.learner
        self._publisher = publisher
        self._inbox = inbox
        self._auditions = auditions
        self._paid = paid
        self._standing = standing
        self._stopping = stopping
        self._tending = tending
        self._sickness = sickness
        self._interruptions = interruptions
        self._look_for_notice = look_for_notice

    def obey(self) -> bool:
        """Carry out what has been asked; wait while paused. False when it is time to end.

        Raises:
            SickError: the run is sick, and cannot go back.
        """
        standing = self._standing
        while True:
            self._publisher.beat()
            while (command := self._inbox.take()) is not None:
                self._carry_out(command)
            if standing.finishing:
                return False
            if self._interruptions.over:
                self._publisher.event("the last safe second: saving and ending", "warning")
                return False
            self._stopping.look()
            if not standing.at_stop and self._stopping.reached:
                self._stopping.arrive()
                continue
            if not standing.paused:
                return True
            if why := standing.why_wait_ends():
                self._end_wait(why)
                continue
            if self._paid.ledger.due:
                self._paid.close_stretch(standing.step)
            self._tending.tend()
            self._inbox.wait(_IDLE_SECONDS)

    def hear_price(self) -> None:
        """Take up what the cloud has said of the price by now: the preparation cost as much."""
        while isinstance(news := self._inbox.next_of((NewPrice,), 0.0), NewPrice):
            self._inbox.take_out(news)
            self._change_price(news)

    def ends_cut_short(self) -> bool:
        """Whether a run that ends does so because its cloud takes the machine away.

        Who has arrived at the stop needs no other machine; who was asked to end may have been asked
        by the machine as it goes down, before the notice of it was seen: the cloud is asked again,
        whoever it was. A person's word alone is no interruption.
        """
        if self._stopping.reached:
            return False
        if not self._interruptions.standing:
            news = self._look_for_notice()
            if news is not None:
                self._hear(news, ending=True)
        return self._interruptions.standing

    def _carry_out(self, command: Message) -> None:
        match command:
            case StopAt(rule):
                self._change_stop(rule)
            case SetBudget(usd):
                if self._stopping.change_budget(usd) and self._standing.at_stop:
                    self._go_on()
            case Pause():
                self._pause()
            case Continue():
                self._go_on()
            case SaveCheckpoint():
                self._tending.ask_to_save()
            case Audition():
                self._auditions.begin(self._learner.ema_weights, self._standing.step)
            case SetSentence(sentence):
                self._set_sentence(sentence)
            case PlotAttention():
                self._tending.draw_attention()
            case ScreenDetached(keep_training):
                self._go_unattended(keep_training=keep_training)
            case ScreenAttached():
                self._standing.attended = self._standing.screens_read = True
                self._publisher.event("a screen is attached")
            case KeyPressed():
                self._standing.note_key()
            case TerminalStalled(stalled):
                self._standing.screens_read = not stalled
            case Finish(by_signal):
                self._standing.finishing = True
                self._standing.given_up = not by_signal
            case FolderGone():
                self._standing.finishing = True
            case SpotWarning() | Interruption() | NoticeGone():
                self._hear(command)
            case NewPrice():
                self._change_price(command)

    def _change_stop(self, rule: StopRule | None) -> None:
        if self._stopping.change(rule) and self._standing.at_stop:
            self._go_on()

    def _pause(self) -> None:
        if not self._standing.paused:
            self._standing.wait(Phase.PAUSED, asked=True)
            self._publisher.event(f"paused at step {self._standing.step:,}")

    def _go_on(self) -> None:
        standing = self._standing
        if not standing.paused or self._stopping.refuses():
            return
        if standing.at_stop:
            if self._stopping.reached:
                self._stopping.set(None)
            self._publisher.update(
                first_step=standing.step, first_run_seconds=self._paid.clock.seconds
            )
            self._publisher.update(first_spent=self._paid.ledger.spent)
        if self._sickness.given_up:
            self._sickness.try_again()
        standing.go_on()
        self._publisher.event("training goes on")

    def _go_unattended(self, *, keep_training: bool) -> None:
        standing = self._standing
        standing.attended = False
        self._publisher.event("going on without a screen")
        self._tending.try_to_save()
        if standing.at_stop:
            standing.finishing = True
            return
        if standing.paused and keep_training:
            self._go_on()
        if standing.paused:
            if self._sickness.given_up:
                raise SickError(self._sickness.given_up)
            self._publisher.event("nobody is there to end the pause: saving and ending", "warning")
            standing.finishing = True

    def _end_wait(self, why: str) -> None:
        """End instead of waiting on for a person, as a run without a screen does.

        Raises:
            SickError: the run is sick, and waited for what the person wants to try.
        """
        self._publisher.event(f"{why}: the run ends")
        self._publisher.update(ended_because=why, wait_ends_at=None)
        if self._sickness.given_up:
            raise SickError(f"{self._sickness.given_up} The run ended because {why}.")
        self._standing.finishing = True

    def _set_sentence(self, sentence: str) -> None:
        text = sentence.strip()
        if not any(map(str.isalnum, self._voice.vocabulary.clean(text))):
            self._publisher.event(f"nothing to speak in {sentence!r}", "error")
            return
        self._auditions.sentence = text
        self._publisher.update(sentence=text)
        self._publisher.event(f"sentence: {text}")
        try:
            self._voice.save(replace(self._voice.settings, sentence=text))
        except VoicecoachError as error:
            self._publisher.event(f"the sentence lasts for this run only: {error}", "warning")

    def _hear(self, news: SpotWarning | Interruption | NoticeGone, *, ending: bool = False) -> None:
        speed = self._paid.clock.steps_per_second
        self._interruptions.hear(
            news, self._tending.save_at_once, 1 / speed if speed else None, ending=ending
        )

    def _change_price(self, new: NewPrice) -> None:
        self._paid.change_price(new.usd, self._standing.step)
        ledger = self._paid.ledger
        self._publisher.event(f"price: ${new.usd:.4g}/h ({new.source})")
        self._publisher.update(price=ledger.price, price_source=new.source, spent=ledger.spent)
