"""The loop: obey, step, tell, save; and stop exactly where the person said."""

import math
from dataclasses import dataclass

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
from engine.corpus.batches import Prefetcher
from engine.errors import EngineError, InputError
from engine.networks.text2mel import Text2MelOutput
from engine.order import TrainOrder
from engine.snapshot import Losses, Phase
from engine.speech.audition import Auditions
from engine.stop import StopPoint, StopRule
from engine.training.attention_plot import make_plot
from engine.training.checkpoint import Checkpoint, remove_superseded, save_checkpoint
from engine.training.clock import TrainingClock
from engine.training.history import Entry, History
from engine.training.ledger_keeper import LedgerKeeper
from engine.training.objective import LossParts
from engine.training.preparation import Prepared

# Steps between readings of the loss: each waits for the device.
_LOG_EVERY = 10
# Steps between looks at the held-out set.
_HELD_OUT_EVERY = 100
# Seconds between looks at the inbox while nothing is to be done.
_IDLE_SECONDS = 0.5


@dataclass
class _Sums:
    """Losses since the last logged step, summed on the device."""

    total: torch.Tensor | None = None
    count: int = 0

    def add(self, parts: LossParts) -> None:
        numbers = torch.stack([part for part in parts if part is not None])
        self.total = numbers if self.total is None else self.total + numbers
        self.count += 1

    def take(self) -> Losses | None:
        """The means, read from the device; None when there was no step."""
        if self.total is None:
            return None
        means = (self.total / self.count).tolist()
        self.total, self.count = None, 0
        attention = means[3] if len(means) > 3 else None
        return Losses(means[0], means[1], means[2], attention)


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
        self._network = prepared.network
        self._learner = prepared.learner
        self._order = order
        self._board = board
        self._inbox = inbox
        self._auditions = auditions
        self._step = prepared.step
        self._saved_step = self._newest_saved()
        self._clock = TrainingClock()
        self._ledger = LedgerKeeper(self._voice, self._network, self._clock, self._step)
        self._stop: StopPoint | None = None
        self._attended = order.attended
        self._paused = False
        self._finishing = False
        self._sums = _Sums()
        self._history = History(self._voice.history(self._network), up_to=self._step)

    def _newest_saved(self) -> int | None:
        newest = self._voice.newest(self._network)
        return newest.step if newest else None

    def run(self) -> None:
        """Train until the stop, `Finish`, or a fault; the last checkpoint is safe on return.

        Raises:
            EngineError: the loss is not finite, or the last checkpoint cannot be written.
            InputError: the stop that was ordered lies behind.
        """
        self._set_stop(self._order.stop)
        self._show_start()
        self._draw_attention()
        first = self._step + 1
        device = self._learner.device
        with self._history, Prefetcher(self._prepared.batches, first, device) as batches:
            while self._obey():
                self._clock.start()
                self._step += 1
                parts = self._learner.step(batches.next(), self._step)
                self._sums.add(parts)
                self._clock.mark(self._step)
                self._tell()
                if self._step % self._voice.settings.checkpoint_every == 0:
                    self._checkpoint()
                if self._at_stop():
                    self._arrive()
            self._clock.pause()
            self._board.update(phase=Phase.STOPPING)
            self._checkpoint(final=True)

    # What a step tells.

    def _show_start(self) -> None:
        settings = self._voice.settings
        self._board.update(
            phase=Phase.TRAINING,
            progress=None,
            step=self._step,
            base_step=self._prepared.base_step,
            first_step=self._step,
            learning_rate=self._learner.learning_rate(self._step + 1),
            price=settings.price,
            voice_seconds=self._ledger.voice_seconds,
            spent=self._ledger.spent,
            checkpoint_step=self._saved_step,
            curve=self._history.curve,
            held_out=self._history.last_held_out,
        )
        base = f", {self._step - self._prepared.base_step:,} since base" if self._step else ""
        verb = "continued from" if self._step else "started at"
        self._board.event(f"{self._network} {verb} step {self._step:,}{base}")

    def _tell(self) -> None:
        """Publish the step; every so often read the losses from the device and log them."""
        changes: dict[str, object] = {}
        if self._step % _LOG_EVERY == 0:
            changes = self._log_losses()
        self._board.update(
            step=self._step,
            learning_rate=self._learner.learning_rate(self._step),
            steps_per_second=self._clock.steps_per_second,
            run_seconds=self._clock.seconds,
            voice_seconds=self._ledger.voice_seconds,
            spent=self._ledger.spent,
            **changes,
        )

    def _log_losses(self) -> dict[str, object]:
        losses = self._read_losses()
        if losses is None:
            return {}
        held_out = None
        if self._step % _HELD_OUT_EVERY == 0:
            parts, _ = self._learner.judge(self._prepared.held_out)
            held_out = float(parts.total)
        rate = self._learner.learning_rate(self._step)
        self._history.add(Entry(self._step, losses, rate, held_out))
        changes: dict[str, object] = {"losses": losses, "curve": self._history.curve}
        return changes if held_out is None else {**changes, "held_out": held_out}

    def _read_losses(self) -> Losses | None:
        """Means since the last reading.

        Raises:
            EngineError: they are not finite; nothing of it has been saved.
        """
        losses = self._sums.take()
        if losses is not None and not math.isfinite(losses.total):
            saved = (
                "there is no checkpoint yet"
                if self._saved_step is None
                else (f"the checkpoint of step {self._saved_step:,} is good")
            )
            raise EngineError(
                f"The loss of {self._network} is {losses.total} at step {self._step:,}; {saved}. "
                f"Train on from there, with --precision fp32 if it happens again."
            )
        return losses

    def _draw_attention(self) -> None:
        """Draw the attention of the watched clip; SSRN has none."""
        _, output = self._learner.judge(self._prepared.watched)
        if not isinstance(output, Text2MelOutput):
            return
        clip = self._prepared.store.clips[self._prepared.watched_clip]
        sentence = self._voice.vocabulary.clean(clip.text) + "E"
        source = f"held-out {clip.clip_id}"
        self._board.add_plot(make_plot(output.attention[0], sentence, self._step, source))

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
                self._checkpoint(asked=True)
            case Audition():
                self._auditions.begin(self._learner.speaking_weights(), self._step)
            case SetSentence(sentence):
                self._set_sentence(sentence)
            case DrawAttention():
                self._draw_attention()
            case GoUnattended():
                self._go_unattended()
            case Finish():
                self._finishing = True

    def _set_stop(self, rule: StopRule | None) -> None:
        """Resolve a rule against the counters, or train without end.

        Raises:
            InputError: the point lies behind.
        """
        self._stop = None
        if rule is not None:
            self._stop = rule.resolve(
                self._step, self._ledger.voice_seconds, self._ledger.spent, self._ledger.price
            )
        self._board.update(stop=self._stop, stop_text=rule.text if rule else "")

    def _change_stop(self, rule: StopRule | None) -> None:
        before = self._stop
        try:
            self._set_stop(rule)
        except InputError as error:
            self._stop = before
            self._board.event(str(error), "error")
            return
        self._board.event(f"stop at {rule.text}" if rule else "no stop: training goes on")
        if self._board.snapshot.phase is Phase.AT_STOP:
            self._go_on()

    def _pause(self) -> None:
        if self._paused:
            return
        self._paused = True
        self._clock.pause()
        self._board.update(phase=Phase.PAUSED, steps_per_second=None)
        self._board.event(f"paused at step {self._step:,}")

    def _go_on(self) -> None:
        if not self._paused:
            return
        if self._board.snapshot.phase is Phase.AT_STOP and self._at_stop():
            self._set_stop(None)
        self._paused = False
        self._clock.start()
        self._board.update(phase=Phase.TRAINING, first_step=self._step)
        self._board.event("training goes on")

    def _go_unattended(self) -> None:
        self._attended = False
        self._board.event("going on without a screen")
        if self._paused:
            self._board.event("nobody is there to end the pause: saving and ending", "warning")
            self._finishing = True

    def _set_sentence(self, sentence: str) -> None:
        text = sentence.strip()
        if not self._voice.vocabulary.clean(text):
            self._board.event(f"nothing to speak in {sentence!r}", "error")
            return
        self._auditions.sentence = text
        self._board.update(sentence=text)
        self._board.event(f"sentence: {text}")

    # Where it stops, and what is kept.

    def _at_stop(self) -> bool:
        return self._stop is not None and self._stop.reached(
            self._step, self._ledger.voice_seconds, self._ledger.spent
        )

    def _arrive(self) -> None:
        """The stop is reached: save, and wait for the person or end."""
        self._checkpoint(final=True)
        self._board.event(f"reached the stop at step {self._step:,}")
        if not self._attended:
            self._finishing = True
            return
        self._paused = True
        self._clock.pause()
        self._board.update(phase=Phase.AT_STOP, steps_per_second=None)

    def _checkpoint(self, *, asked: bool = False, final: bool = False) -> None:
        """Save, unless this step is saved already; then draw the attention and tidy up.

        Raises:
            EngineError: the loss is not finite, or the last checkpoint cannot be written.
        """
        self._ledger.close_stretch(self._step)
        if self._step in (self._saved_step, self._prepared.step):
            if asked:
                self._board.event(f"step {self._step:,} is saved already")
            return
        self._check_losses_before_saving()
        try:
            save_checkpoint(self._state(), self._voice.checkpoint_folder(self._network, self._step))
        except EngineError as error:
            if final:
                raise
            self._board.event(str(error), "error")
            return
        self._saved_step = self._step
        self._board.update(checkpoint_step=self._step)
        self._board.event(f"checkpoint {self._step:,} saved")
        remove_superseded(self._voice, self._network, self._prepared.base_step)
        self._draw_attention()

    def _check_losses_before_saving(self) -> None:
        """Look at the losses since the last log, so that no sick weights are saved as good."""
        total = self._sums.total
        if total is not None and not bool(torch.isfinite(total).all()):
            self._read_losses()

    def _state(self) -> Checkpoint:
        learner = self._learner
        return Checkpoint(
            network=self._network,
            spec=learner.spec,
            symbols=self._voice.settings.symbols,
            step=self._step,
            base_step=self._prepared.base_step,
            recipe=learner.recipe.name,
            seed=self._voice.settings.seed,
            moments_from=learner.moments_from,
            weights=learner.weights(),
            average=learner.average(),
            optimizer=learner.optimizer_state(),
        )
