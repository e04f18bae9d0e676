"""What training tells: the losses, the curve, the counters and the attention."""

from engine.checkpoints.checkpoint import Unlogged
from engine.errors import EngineError
from engine.machine.background import DiskWriter
from engine.machine.lock import FolderLostError
from engine.networks.text2mel import Text2MelOutput
from engine.run.publisher import Publisher
from engine.run.snapshot import Losses, Phase
from engine.training.attention_plot import make_plot
from engine.training.clock import TrainingClock
from engine.training.ledger_keeper import SpendRecorder
from engine.training.loss_sums import LossSums
from engine.training.losses import LossParts
from engine.training.lost_steps import lost_steps, sentence_about
from engine.training.setup import TrainingContext
from engine.voice.history import Entry, History

LOG_EVERY = 10
"""Steps between readings of the loss: each waits for the device."""
# Steps between looks at the held-out set.
_HELD_OUT_EVERY = 100


class Teller:
    """Tells the snapshot, and the history on disk, what the steps come to."""

    def __init__(
        self,
        prepared: TrainingContext,
        publisher: Publisher,
        clock: TrainingClock,
        ledger: SpendRecorder,
    ) -> None:
        """Read the history of the network up to where it stands.

        Raises:
            EngineError: the history cannot be read.
        """
        self._prepared = prepared
        self._network = prepared.network
        self._learner = prepared.learner
        self._publisher = publisher
        self._clock = clock
        self._ledger = ledger
        self._sums = LossSums(prepared.unlogged, prepared.learner.device)
        prepared.voice.locate()
        path = prepared.voice.history(prepared.network)
        self._history = History(path, up_to=prepared.step)
        self._history_failed = False
        self.history_writer = DiskWriter("the history", self._write_history, publisher.event)
        """Brings the losses to the disk."""

    def begin(self, saved_step: int | None) -> None:
        """Show where training stands before its first step; the history is written from here on."""
        self.history_writer.start()
        step, base = self._prepared.step, self._prepared.base_step
        held_out = self._history.last_held_out
        if held_out is None:
            held_out = self._held_out_loss()
        self._publisher.update(
            phase=Phase.TRAINING,
            progress=None,
            step=step,
            base_step=base,
            first_step=step,
            learning_rate=self._learner.learning_rate(step + 1),
            price=self._ledger.price,
            voice_seconds=self._ledger.voice_seconds,
            spent=self._ledger.spent,
            checkpoint_step=saved_step,
            curve=self._history.curve,
            held_out=held_out,
        )
        since = f", {step - base:,} since base" if step else ""
        verb = "continued from" if step else "started at"
        if self._prepared.corpus_change:
            self.note(step, self._prepared.corpus_change)
        self._publisher.event(
            f"{self._network} {verb} step {step:,}{since}; held-out {held_out:.4f}"
        )
        self._tell_lost()
        self.draw_attention(step)

    def tell(self, step: int, parts: LossParts) -> Losses | None:
        """Publish a step; every so often read the losses from the device, log and return them."""
        self._sums.add(parts)
        self._clock.mark(step)
        losses, changes = self._log(step) if step % LOG_EVERY == 0 else (None, {})
        self._publisher.update(
            step=step,
            learning_rate=self._learner.learning_rate(step),
            steps_per_second=self._clock.steps_per_second,
            run_seconds=self._clock.seconds,
            voice_seconds=self._ledger.voice_seconds,
            spent=self._ledger.spent,
            **changes,
        )
        return losses

    def loss_since_logged(self) -> float | None:
        """The mean loss since the last logged step, read from the device; None without a step."""
        losses = self._sums.means()
        return None if losses is None else losses.total

    @property
    def unlogged(self) -> Unlogged:
        """The losses since the last logged step, which belong to the checkpoint of this one."""
        return self._sums.unlogged

    def go_back(self, step: int, unlogged: Unlogged) -> None:
        """Take back what was told of the steps after one, from whose checkpoint training goes on.

        Args:
            step: the step of the checkpoint.
            unlogged: what that checkpoint says.
        """
        self._sums = LossSums(unlogged, self._learner.device)
        try:
            self._follow_voice()
            self._history.cut_back(step)
        except EngineError as error:
            self._publisher.event(str(error), "warning")
        self._publisher.update(
            step=step,
            learning_rate=self._learner.learning_rate(step + 1),
            losses=None,
            curve=self._history.curve,
        )

    def _tell_lost(self) -> None:
        """Tell what the run before had made and not saved."""
        lost = lost_steps(
            self._prepared.voice.ledger.stretches,
            self._network,
            self._prepared.step,
            self._history.last_step,
            self._prepared.damaged,
        )
        if lost is not None:
            self._publisher.update(lost=lost)
            self._publisher.event(sentence_about(lost), "warning")

    def note(self, step: int, what: str) -> None:
        """Write into the history, beside the losses, what happened to the run at a step."""
        self._history.note(step, what)
        self.history_writer.request()

    def make_history_safe(self) -> None:
        """Bring the losses so far to the disk, from whatever thread, and wait for it.

        Raises:
            EngineError: they cannot be written.
        """
        self._follow_voice()
        self._history.make_safe()

    def _follow_voice(self) -> None:
        """Write the history where the voice is now.

        Raises:
            EngineError: its folder is gone.
        """
        self._prepared.voice.locate()
        self._history.path = self._prepared.voice.history(self._network)

    def end(self) -> None:
        """Wait until the history is on the disk; losses that it does not take are told."""
        self.history_writer.stop()
        try:
            self._follow_voice()
            self._history.flush()
        except FolderLostError:
            pass  # whoever watches over the folder tells it
        except EngineError as error:
            self._publisher.event(f"{error} The last losses are not kept.", "error")

    def draw_attention(self, step: int) -> None:
        """Draw the attention of the watched clip; SSRN has none."""
        if self._network == "ssrn":
            return
        _, output = self._learner.evaluate(self._prepared.attention_batch)
        assert isinstance(output, Text2MelOutput)
        clip = self._prepared.store.clips[self._prepared.attention_clip]
        sentence = self._prepared.voice.vocabulary.clean(clip.text) + "E"
        source = f"held-out {clip.clip_id}"
        self._publisher.add_plot(make_plot(output.attention[0], sentence, step, source))

    def _held_out_loss(self) -> float:
        parts, _ = self._learner.evaluate(self._prepared.held_out)
        return float(parts.total)

    def _log(self, step: int) -> tuple[Losses | None, dict[str, object]]:
        """Log the losses, unless none was finite; return them and what changes in the snapshot."""
        losses = self._sums.means()
        if losses is None:
            return None, {}
        self._sums.clear()
        held_out = None
        if step % _HELD_OUT_EVERY == 0:
            held_out = self._held_out_loss()
        entry = Entry(step, losses, self._learner.learning_rate(step), held_out)
        self._history.add(entry)
        self.history_writer.request()
        changes: dict[str, object] = {"losses": losses, "curve": self._history.curve}
        return losses, changes if held_out is None else {**changes, "held_out": held_out}

    def _write_history(self) -> None:
        """Write what waits; a full disk costs time, and not the run."""
        try:
            self._follow_voice()
            self._history.flush()
        except FolderLostError:
            self._history_failed = True  # whoever watches over the folder tells it
        except EngineError as error:
            if not self._history_failed:
                self._publisher.event(f"{error} Losses stay in memory until they fit.", "warning")
            self._history_failed = True
        else:
            self._history_failed = False
