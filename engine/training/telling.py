"""What training tells: the losses, the curve, the counters and the attention."""

import math
from dataclasses import dataclass

import torch

from engine.board import Board
from engine.errors import EngineError
from engine.networks.text2mel import Text2MelOutput
from engine.snapshot import Losses, Phase
from engine.training.attention_plot import make_plot
from engine.training.clock import TrainingClock
from engine.training.history import Entry, History
from engine.training.ledger_keeper import LedgerKeeper
from engine.training.objective import LossParts
from engine.training.preparation import Prepared

LOG_EVERY = 10
"""Steps between readings of the loss: each waits for the device."""
# Steps between looks at the held-out set.
_HELD_OUT_EVERY = 100


@dataclass
class _Sums:
    """Losses since the last logged step, summed on the device."""

    total: torch.Tensor | None = None
    count: int = 0

    def add(self, parts: LossParts) -> None:
        numbers = torch.stack([part for part in parts if part is not None])
        self.total = numbers if self.total is None else self.total + numbers
        self.count += 1

    def means(self) -> Losses | None:
        """The means, read from the device; None when there was no step."""
        if self.total is None:
            return None
        total, l1, divergence, *attention = (self.total / self.count).tolist()
        return Losses(total, l1, divergence, attention[0] if attention else None)


class Teller:
    """Tells the board, and the history on disk, what the steps come to."""

    def __init__(
        self, prepared: Prepared, board: Board, clock: TrainingClock, ledger: LedgerKeeper
    ) -> None:
        """Read the history of the network up to where it stands.

        Raises:
            EngineError: the history cannot be read.
        """
        self._prepared = prepared
        self._network = prepared.network
        self._learner = prepared.learner
        self._board = board
        self._clock = clock
        self._ledger = ledger
        self._sums = _Sums()
        path = prepared.voice.history(prepared.network)
        self._history = History(path, up_to=prepared.step)
        self._history_failed = False

    def begin(self, saved_step: int | None) -> None:
        """Show where training stands before its first step."""
        step, base = self._prepared.step, self._prepared.base_step
        held_out = self._history.last_held_out
        if held_out is None:
            held_out = self._held_out_loss()
        self._board.update(
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
        self._board.event(f"{self._network} {verb} step {step:,}{since}; held-out {held_out:.4f}")
        self.draw_attention(step)

    def tell(self, step: int, parts: LossParts) -> None:
        """Publish a step; every so often read the losses from the device and log them."""
        self._sums.add(parts)
        self._clock.mark(step)
        changes: dict[str, object] = {}
        if step % LOG_EVERY == 0:
            changes = self._log(step)
        self._board.update(
            step=step,
            learning_rate=self._learner.learning_rate(step),
            steps_per_second=self._clock.steps_per_second,
            run_seconds=self._clock.seconds,
            voice_seconds=self._ledger.voice_seconds,
            spent=self._ledger.spent,
            **changes,
        )

    def losses_are_finite(self) -> bool:
        """Look at the losses since the last logged step."""
        losses = self._sums.means()
        return losses is None or math.isfinite(losses.total)

    def draw_attention(self, step: int) -> None:
        """Draw the attention of the watched clip; SSRN has none."""
        if self._network == "ssrn":
            return
        _, output = self._learner.judge(self._prepared.watched)
        assert isinstance(output, Text2MelOutput)
        clip = self._prepared.store.clips[self._prepared.watched_clip]
        sentence = self._prepared.voice.vocabulary.clean(clip.text) + "E"
        source = f"held-out {clip.clip_id}"
        self._board.add_plot(make_plot(output.attention[0], sentence, step, source))

    def _held_out_loss(self) -> float:
        parts, _ = self._learner.judge(self._prepared.held_out)
        return float(parts.total)

    def _log(self, step: int) -> dict[str, object]:
        """Log the losses if they are finite; otherwise leave them to `losses_are_finite`."""
        losses = self._sums.means()
        if losses is None or not math.isfinite(losses.total):
            return {}
        self._sums = _Sums()
        held_out = None
        if step % _HELD_OUT_EVERY == 0:
            held_out = self._held_out_loss()
        rate = self._learner.learning_rate(step)
        self._remember(Entry(step, losses, rate, held_out))
        changes: dict[str, object] = {"losses": losses, "curve": self._history.curve}
        return changes if held_out is None else {**changes, "held_out": held_out}

    def _remember(self, entry: Entry) -> None:
        """Add to the history; a full disk costs lines of it, not the run."""
        try:
            self._history.add(entry)
        except EngineError as error:
            if not self._history_failed:
                self._board.event(f"{error} The curve will have a gap here later.", "warning")
            self._history_failed = True
        else:
            self._history_failed = False
