"""What a run reports: losses, their history, the held-out loss and the attention."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from engine.checkpoints.state import Unlogged
from engine.choices import NETWORK_TITLES
from engine.errors import EngineError
from engine.evaluation.losses import LossParts
from engine.formatting import dollars, duration, plural
from engine.machine.background import BackgroundThread
from engine.machine.lock import FolderLostError
from engine.networks.text2mel import Text2MelOutput
from engine.run.curves import AttentionPlot, Losses
from engine.run.lost_steps import LostSteps
from engine.run.publisher import Publisher
from engine.run.snapshot import Phase
from engine.speech.misreadings import misreadings
from engine.training.cost import CostMeter
from engine.training.setup import TrainingContext, micro_batches_notice
from engine.training.tensorboard import open_tensorboard
from engine.voice.attention_plots import read_plots, save_plots
from engine.voice.history import EVALUATE_EVERY, History
from engine.voice.spend import SpendEntry

LOG_EVERY = 10
"""Steps between readings of the loss: each waits for the device."""


class LossSums:
    """Sums of losses on the device since the last logged step, without those not finite."""

    def __init__(self, unlogged: Unlogged, device: torch.device) -> None:
        """Continue from the sums that a checkpoint has."""
        self._sums: Tensor | None = None
        if unlogged.count:
            numbers = (float(unlogged.count), *unlogged.sums)
            self._sums = torch.tensor(numbers, dtype=torch.float32, device=device)

    def add(self, losses: LossParts) -> None:
        """Add the losses of a step; waits for nothing."""
        numbers = torch.stack([loss for loss in losses if loss is not None])
        # The first number counts the steps: only the device knows how many are in the sums.
        numbers = torch.cat((torch.ones_like(numbers[:1]), numbers))
        numbers = torch.where(torch.isfinite(numbers).all(), numbers, torch.zeros_like(numbers))
        self._sums = numbers if self._sums is None else self._sums + numbers

    def means(self) -> Losses | None:
        """The means, read from the device; None where no step is in them."""
        if self._sums is None:
            return None
        one, total, l1, divergence, *attention = (self._sums / self._sums[0]).tolist()
        if one != 1.0:  # 0 / 0: there was no step
            return None
        return Losses(total, l1, divergence, attention[0] if attention else None)

    @property
    def unlogged(self) -> Unlogged:
        """What a checkpoint keeps of them, read from the device."""
        if self._sums is None:
            return Unlogged()
        count, *sums = self._sums.tolist()
        return Unlogged(int(count), tuple(sums)) if count else Unlogged()

    def clear(self) -> None:
        """Start again from nothing."""
        self._sums = None


class Metrics:
    """Publishes what each step comes to, and writes the logged ones to the history."""

    def __init__(self, context: TrainingContext, publisher: Publisher, cost: CostMeter) -> None:
        """Read the history up to the checkpoint's step; raise `EngineError` if that fails."""
        self._context = context
        self._learner = context.learner
        self._publisher = publisher
        self._cost = cost
        self.sums = LossSums(context.unlogged, context.learner.device)
        """The losses since the last logged step, which belong in the checkpoint of this one."""
        self._micro_batches = context.learner.micro_batches
        # CUDA graphs that were reported; None once there are none any more.
        self._graphs: int | None = 0
        context.voice.locate()
        path = context.voice.history(context.network)
        self._history = History(path, up_to=context.step)
        self.history_writer = BackgroundThread(
            "writing the history", self._write_history, publisher.event
        )
        self._tensorboard = open_tensorboard(context, publisher, cost)
        self._plots_writer = BackgroundThread(
            "writing the attention plots", self._write_plots, publisher.event
        )

    def begin(self, saved_step: int | None) -> None:
        """Show where training stands before its first step; the history is written from here on."""
        self.history_writer.start()
        self._plots_writer.start()
        step, base = self._context.step, self._context.base_step
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
            checkpoint_step=saved_step,
            curve=self._history.curve,
            held_out=held_out,
        )
        if self._context.corpus_change:
            self._note(step, self._context.corpus_change)
        begun = "continued from" if step else "started at"
        since = f", {step - base:,} since base" if 0 < base < step else ""
        self._publisher.event(
            f"{NETWORK_TITLES[self._context.network]} {begun} step {step:,}{since}; "
            f"held-out loss {held_out:.4f} (EMA)"
        )
        self._report_lost_steps()
        self._show_earlier_plots(step)
        self.draw_attention(step)
        if self._tensorboard is not None:
            self._tensorboard.begin()

    def add(self, step: int, losses: LossParts) -> Losses | None:
        """Publish a step; every `LOG_EVERY` steps read the losses, log and return their means."""
        self.sums.add(losses)
        warm_up = self._warm_up(step)
        self._cost.mark_step(step)
        if self._learner.micro_batches > self._micro_batches:
            self._micro_batches = self._learner.micro_batches
            self._publisher.event(micro_batches_notice(self._learner), "warning")
        logged, changes = self._log(step) if step % LOG_EVERY == 0 else (None, {})
        self._publisher.update(
            step=step,
            learning_rate=self._learner.learning_rate(step),
            steps_per_second=self._cost.steps_per_second,
            warm_up=warm_up,
            **self._cost.figures(),
            **changes,
        )
        return logged

    def _warm_up(self, step: int) -> str:
        """Say that CUDA graphs are recorded, or not any more; that time is no speed of steps."""
        graphs = self._learner.graphs
        if graphs is None:
            return ""
        if graphs.trouble and self._graphs is not None:
            self._graphs = None
            self._publisher.event(
                f"CUDA graphs are off ({graphs.trouble}): training goes on without them, slower",
                "warning",
            )
        if self._graphs is None or graphs.recorded == self._graphs:
            # One log interval without a new one.
            return self._publisher.snapshot.warm_up if step % LOG_EVERY else ""
        if not self._graphs:
            self._publisher.event("recording CUDA graphs: the first steps are slower")
        self._graphs = graphs.recorded
        self._cost.measure_speed_anew()
        return f"recording CUDA graph {graphs.recorded}"

    def _log(self, step: int) -> tuple[Losses | None, dict[str, object]]:
        """Log the losses, unless none was finite; return them and what changes in the snapshot."""
        losses = self.sums.means()
        if losses is None:
            return None, {}
        self.sums.clear()
        held_out = self._held_out_loss() if step % EVALUATE_EVERY == 0 else None
        logged = (step, losses, self._learner.learning_rate(step), held_out)
        self._history.add(*logged)
        if self._tensorboard is not None:
            self._tensorboard.add(*logged)
        self.history_writer.request()
        changes: dict[str, object] = {"losses": losses, "curve": self._history.curve}
        return losses, changes if held_out is None else {**changes, "held_out": held_out}

    def _held_out_loss(self) -> float:
        losses, _ = self._learner.evaluate(self._context.held_out)
        return float(losses.total)

    def roll_back(self, step: int, unlogged: Unlogged, text: str) -> None:
        """Take back what was logged after a step, whose checkpoint has these `unlogged` losses.

        The text says in the history what happened.
        """
        self.sums = LossSums(unlogged, self._learner.device)
        try:
            self._locate_history()
            self._history.cut_back(step)
        except EngineError as error:
            self._publisher.event(str(error), "warning")
        if self._tensorboard is not None:
            self._tensorboard.roll_back(step)
        self._publisher.update(
            step=step,
            learning_rate=self._learner.learning_rate(step + 1),
            losses=None,
            curve=self._history.curve,
        )
        self._note(step, text)

    def _note(self, step: int, text: str) -> None:
        self._history.note(step, text)
        self.history_writer.request()

    def draw_attention(self, step: int) -> None:
        """Draw the attention of a fixed held-out clip; SSRN has none."""
        context = self._context
        if context.network == "ssrn":
            return
        _, output = self._learner.evaluate(context.attention_batch)
        assert isinstance(output, Text2MelOutput)
        clip = context.store.clips[context.attention_clip]
        sentence = context.voice.vocabulary.clean(clip.text) + "E"
        # Weights that diverged must not take the screen with them.
        weights = torch.nan_to_num(output.attention[0].float()).cpu().numpy().copy()
        weights.flags.writeable = False
        self._show_plot(AttentionPlot(step, sentence, weights, f"held-out {clip.clip_id}"))
        self._plots_writer.request()

    def _show_earlier_plots(self, step: int) -> None:
        """Show the attention of earlier runs, but not of steps that will be made again."""
        for plot in read_plots(self._context.voice.attention_plots(self._context.network)):
            if plot.step < step:  # that of this step is about to be drawn
                self._show_plot(plot)

    def _show_plot(self, plot: AttentionPlot) -> None:
        """Show attention with the words that it misreads."""
        seconds = self._context.voice.settings.audio.coarse_frame_seconds
        misread = plot.misreadings or misreadings(plot.sentence, plot.weights, seconds)
        self._publisher.add_plot(replace(plot, misreadings=misread))

    def _write_plots(self) -> None:
        plots = self._publisher.snapshot.attention
        if plots:
            self._context.voice.locate()
            save_plots(self._context.voice.attention_plots(self._context.network), plots)

    def _report_lost_steps(self) -> None:
        """Report what the previous run had made and not saved."""
        context = self._context
        lost = lost_steps(
            [one for one in context.voice.spend.entries if one.network == context.network],
            context.step,
            self._history.last_step,
            context.damaged,
        )
        if lost is not None:
            self._publisher.update(lost=lost)
            self._publisher.event(lost_steps_text(lost), "warning")

    def make_history_safe(self) -> None:
        """Bring the losses so far safely to the disk; raise `EngineError` if that fails."""
        self._locate_history()
        self._history.make_safe()

    def _locate_history(self) -> None:
        """Find the history where the voice is now; raise `EngineError` where that is gone."""
        self._context.voice.locate()
        self._history.path = self._context.voice.history(self._context.network)

    def _write_history(self) -> None:
        """Write what waits; a full disk costs time, and not the run."""
        self._locate_history()
        try:
            self._history.flush()
        except EngineError as error:
            raise EngineError(f"{error} Losses stay in memory until there is room.") from error

    def end(self) -> None:
        """Wait until the history is on disk; report losses that it does not take."""
        self.history_writer.stop()
        self._plots_writer.request()  # auditions, too
        self._plots_writer.stop()
        if self._tensorboard is not None:
            self._tensorboard.end()
        try:
            self._locate_history()
            self._history.flush()
        except FolderLostError:
            pass  # the folder watch reports it
        except EngineError as error:
            self._publisher.event(f"{error} The last losses are not in the history.", "error")


def lost_steps(
    spend: Sequence[SpendEntry], step: int, last_logged: int | None, damaged: int | None = None
) -> LostSteps | None:
    """Return what was made after the checkpoint of a step and is not in it; None for nothing.

    Args:
        spend: what the network has cost, oldest first.
        step: the step of the checkpoint.
        last_logged: the last step in the history, which may be known from there alone.
        damaged: the newest checkpoint, where that is damaged and was passed over.
    """
    until, seconds, usd = max(step, last_logged or 0), 0.0, 0.0
    for entry in reversed([one for one in spend if one.kind == "training"]):
        made = entry.last_step - entry.first_step
        beyond = entry.last_step - max(entry.first_step, step)
        if made > 0 and beyond > 0:
            until = max(until, entry.last_step)
            seconds += entry.seconds * beyond / made
            usd += entry.usd * beyond / made
        # What came before it led to the checkpoint, or was lost once already.
        if made > 0 and entry.first_step <= step:
            break
    return LostSteps(step, until, seconds, usd, damaged) if until > step else None


def lost_steps_text(lost: LostSteps) -> str:
    """Say what was lost: `lost 412 steps since checkpoint 871,000 (1m58s, $0.03); …`."""
    since = f"since checkpoint {lost.since:,}" if lost.since else "since the start"
    why = "" if lost.damaged is None else f", because checkpoint {lost.damaged:,} was damaged"
    cost = [duration(lost.seconds)] if lost.seconds else []
    cost += [dollars(lost.usd)] if lost.usd else []
    figures = f" ({', '.join(cost)})" if cost else ""
    them = "it" if lost.count == 1 else "them"
    return f"lost {plural(lost.count, 'step')} {since}{figures}{why}; repeating {them}"
