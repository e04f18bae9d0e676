"""Copies what a network has learned, and writes checkpoints of it in a background thread."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from engine.checkpoints.checkpoint import Checkpoint, save_checkpoint
from engine.checkpoints.retention import remove_superseded
from engine.choices import NetworkName
from engine.errors import EngineError
from engine.files import unremoved_message
from engine.machine.background import BackgroundThread
from engine.training.learner import Learner
from engine.voice.folder import Voice

_log = logging.getLogger(__name__)

OnSaved = Callable[[Path], None]
"""Called with the folder of each checkpoint that is safe on disk, in the writer's thread; it must
return at once."""


class StateCopy:
    """Memory on the CPU for a copy of weights, EMA and optimizer state; reused for every copy.

    So saving takes a known amount of memory, however slow the disk is. For a GPU it is pinned: the
    GPU copies in its own order of work, and the steps do not wait. Where the host refuses to pin so
    much, as some containers do, the steps wait for the copy.
    """

    def __init__(self, learner: Learner) -> None:
        """Take the memory now, so that the first checkpoint waits no longer than the others."""
        self._learner = learner
        self._on_gpu = learner.device.type == "cuda"
        self.pinned = self._on_gpu
        """Whether a GPU fills it while the steps go on."""
        self._memory: dict[tuple[str, str], Tensor] = {}
        live = learner.live_state()
        for group, tensors in live.items():
            for name, tensor in tensors.items():
                self._memory_for(group, name, tensor)
        for name, weight in live["weights"].items():
            for moment in ("exp_avg", "exp_avg_sq"):
                self._memory_for("optimizer", f"{moment}/{name}", weight)

    @property
    def bytes(self) -> int:
        """The size of the copy, and nearly that of a checkpoint on disk."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self._memory.values())

    @torch.no_grad()
    def take(self) -> tuple[dict[str, dict[str, Tensor]], Callable[[], None]]:
        """Copy what the learner has now.

        Returns:
            The copies as `Learner.live_state` has them, good until the next call; and a function
            that waits until a GPU has made them, to be called before they are read.
        """
        copies = {
            group: {name: self._copy(group, name, tensor) for name, tensor in tensors.items()}
            for group, tensors in self._learner.live_state().items()
        }
        if not self._on_gpu:
            return copies, lambda: None
        copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
        copied.record(torch.cuda.current_stream(self._learner.device))
        return copies, copied.synchronize

    def _copy(self, group: str, name: str, tensor: Tensor) -> Tensor:
        return self._memory_for(group, name, tensor).copy_(tensor, non_blocking=True)

    def _memory_for(self, group: str, name: str, tensor: Tensor) -> Tensor:
        memory = self._memory.get((group, name))
        if memory is None or memory.shape != tensor.shape or memory.dtype != tensor.dtype:
            # Filled, because memory that was never written to is not there yet.
            memory = self._allocate(tensor).fill_(0)
            self._memory[group, name] = memory
        return memory

    def _allocate(self, like: Tensor) -> Tensor:
        if self.pinned:
            try:
                return torch.empty(like.shape, dtype=like.dtype, pin_memory=True)
            except RuntimeError as error:
                _log.warning("no pinned memory for checkpoints, so steps wait for them: %s", error)
                self.pinned = False
        return torch.empty(like.shape, dtype=like.dtype)


@dataclass(frozen=True)
class Outcome:
    """How the writing of a checkpoint ended."""

    step: int
    seconds: float
    """How long it took, the wait for the copy included."""
    failure: EngineError | None
    """Why it is not there; None where it is, made safe and read back."""
    warning: str = ""
    """What else went wrong."""


class CheckpointWriter:
    """Writes one checkpoint at a time; its owner asks between steps how it went."""

    def __init__(
        self,
        voice: Voice,
        network: NetworkName,
        base_step: int,
        on_saved: OnSaved,
        before_write: Sequence[Callable[[], None]],
    ) -> None:
        """Write nothing yet.

        Args:
            voice: whose checkpoints they are.
            network: what is trained.
            base_step: the step of the imported weights, which are kept.
            on_saved: called with each checkpoint that is safe.
            before_write: called in the writer's thread before each checkpoint is written; they
                bring to the disk what has to be there before it, or raise `EngineError`.
        """
        self._voice = voice
        self._network: NetworkName = network
        self._base_step = base_step
        self._on_saved = on_saved
        self._before_write = before_write
        # The outcome tells the person of failures.
        self._writer = BackgroundThread(
            "writing a checkpoint", self._work, lambda text, _: _log.error(text)
        )
        self._job: tuple[Checkpoint, Callable[[], None]] | None = None
        self._started = 0.0
        self._outcome: Outcome | None = None
        self._not_removed: set[Path] = set()
        self.step: int | None = None
        """The step whose checkpoint is being written, or is done and its outcome not taken."""

    @property
    def busy(self) -> bool:
        """Whether a checkpoint is being written, or its outcome was not taken yet."""
        return self.step is not None

    @property
    def seconds(self) -> float:
        """How long the one under way has taken so far; 0 without one."""
        return time.monotonic() - self._started if self.busy else 0.0

    def start(self) -> None:
        """Start the thread, which waits for the first checkpoint."""
        self._writer.start()

    def stop(self) -> None:
        """Wait for the checkpoint under way, and end the thread."""
        self._writer.stop()

    def begin(self, checkpoint: Checkpoint, wait_for_copy: Callable[[], None]) -> None:
        """Begin to write a checkpoint, whose tensors must stay as they are until it is done."""
        assert self.wait(0), "one at a time: the tensors of the one before are still needed"
        self.step, self._started = checkpoint.step, time.monotonic()
        self._job = (checkpoint, wait_for_copy)
        self._writer.request()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until nothing is being written, for a limited time; return whether that is so."""
        return self._writer.wait(seconds)

    def take_outcome(self) -> Outcome | None:
        """Return how the last one went, once; None while it is under way or there is none."""
        outcome, self._outcome = self._outcome, None
        if outcome is not None:
            self.wait()
            self.step = self._job = None
        return outcome

    def _work(self) -> None:
        assert self._job is not None
        checkpoint, wait_for_copy = self._job
        target = self._voice.checkpoint_folder(self._network, checkpoint.step)
        # Until it is known to be there: without memory, even reporting a failure may fail.
        failure: EngineError | None = EngineError(f"The checkpoint {target} is not complete.")
        warning = ""
        try:
            wait_for_copy()
            self._prepare_disk()
            self._voice.locate()
            target = self._voice.checkpoint_folder(self._network, checkpoint.step)
            if self._voice.restore_settings():
                warning = f"{self._voice.folder} had lost its voice.toml: it was written again"
            save_checkpoint(checkpoint, target)
            failure = None
        except EngineError as error:
            failure = error
        except BaseException as error:
            # Whatever it is, the steps go on, and their owner must learn that nothing was saved.
            _log.exception("a checkpoint could not be written")
            failure = EngineError(
                f"The checkpoint {target} cannot be written: {type(error).__name__}: {error}."
            )
            failure.__cause__ = error
        else:
            warning = " ".join(filter(None, (warning, self._remove_old(checkpoint.step))))
            try:
                self._on_saved(target)
            except Exception:
                _log.exception("a callback failed on the saved checkpoint %s", target)
        finally:
            self._outcome = Outcome(checkpoint.step, self.seconds, failure, warning)

    def _prepare_disk(self) -> None:
        """Make safe what a run resumed from this checkpoint needs: its losses and its spend."""
        for make_safe in self._before_write:
            try:
                make_safe()
            except EngineError as error:
                # Its owner reports it; weights are worth more.
                _log.info("not made safe before a checkpoint: %s", error)

    def _remove_old(self, step: int) -> str:
        """Remove what the checkpoint of this step supersedes; return what cannot be removed.

        Each is named once, though it is tried again after every checkpoint.
        """
        try:
            self._voice.locate()
            left = remove_superseded(self._voice, self._network, self._base_step, saved=step)
        except Exception as error:
            # The new one is safe, and what is left over does no harm.
            _log.exception("old checkpoints could not be removed")
            return f"old checkpoints cannot be removed: {error}"
        new = {path: error for path, error in left.items() if path not in self._not_removed}
        self._not_removed |= new.keys()
        return unremoved_message(new)
