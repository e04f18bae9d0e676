"""Copies what a network has learned, and writes checkpoints of it in a background thread."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from engine.advice.best import best_steps
from engine.checkpoints.checkpoint import Checkpoint, save_checkpoint
from engine.checkpoints.retention import remove_superseded
from engine.choices import NetworkName
from engine.errors import EngineError
from engine.files import unremoved_message
from engine.machine.background import BackgroundThread
from engine.machine.device import spare_memory
from engine.training.learner import Learner
from engine.voice.folder import Voice

_log = logging.getLogger(__name__)

OnSaved = Callable[[Path], None]
"""Called with the folder of each checkpoint that is safe on disk, in the writer's thread; it must
return soon."""


class StateCopy:
    """Memory on the CPU for a copy of weights, EMA and optimizer state; reused for every copy.

    So saving takes a known amount of memory, however slow the disk is. For a GPU it is pinned: the
    GPU first copies within its own memory, which takes a hundredth of the time, and from there
    beside the steps, on a stream of its own. Without memory to spare there it copies in its order
    of work; where the host refuses to pin so much, as some containers do, the steps wait.
    """

    def __init__(self, learner: Learner) -> None:
        """Take the memory now, so that the first checkpoint waits no longer than the others."""
        self._learner = learner
        self._device = learner.device
        self._on_gpu = learner.device.type == "cuda"
        self.pinned = self._on_gpu
        """Whether a GPU fills it while the steps go on."""
        live = learner.live_flats()
        # Filled, because memory that was never written to is not there yet.
        self._copies = [self._allocate(flat).fill_(0) for flat in live]
        self._staging: list[Tensor] = []
        if self.pinned and self.bytes <= spare_memory(self._device):
            self._staging = [torch.empty_like(flat) for flat in live]
            self._stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]

    @property
    def bytes(self) -> int:
        """The size of the copy, and nearly that of a checkpoint on disk."""
        return sum(tensor.nbytes for tensor in self._copies)

    @torch.no_grad()
    def take(self) -> tuple[dict[str, dict[str, Tensor]], Callable[[], None]]:
        """Copy what the learner has now.

        Returns:
            The copies as `Learner.live_state` has them, good until the next call; and a function
            that waits until a GPU has made them, to be called before they are read.
        """
        live, wait = self._learner.live_flats(), _nothing
        if self._on_gpu:
            wait = self._begin_copy(live)
        else:
            _copy_all(live, self._copies)
        return self._learner.named(self._copies), wait

    def _begin_copy(self, live: Sequence[Tensor]) -> Callable[[], None]:
        """Have the GPU copy, and return what waits until it has."""
        stream = steps = torch.cuda.current_stream(self._device)
        if self._staging:
            stream = self._stream
            steps.wait_stream(stream)
            _copy_all(live, self._staging)
            stream.wait_stream(steps)
            live = self._staging
        with torch.cuda.stream(stream):
            _copy_all(live, self._copies)
        copied = stream.record_event()

        def wait() -> None:
            # Called by another thread, whose GPU would be the first.
            with torch.cuda.device(self._device):
                copied.synchronize()

        return wait

    def _allocate(self, like: Tensor) -> Tensor:
        if self.pinned:
            try:
                return torch.empty(like.shape, dtype=like.dtype, pin_memory=True)
            except RuntimeError as error:
                _log.warning("no pinned memory for checkpoints, so steps wait for them: %s", error)
                self.pinned = False
        return torch.empty(like.shape, dtype=like.dtype)


def _copy_all(sources: Iterable[Tensor], targets: Iterable[Tensor]) -> None:
    for source, target in zip(sources, targets, strict=True):
        target.copy_(source, non_blocking=True)


def _nothing() -> None:
    """Wait for nothing: a CPU has copied already."""


class CheckpointWriter:
    """Writes one checkpoint at a time; its owner asks between steps how it went."""

    def __init__(
        self,
        voice: Voice,
        network: NetworkName,
        base_step: int,
        on_saved: Sequence[OnSaved],
        before_write: Sequence[Callable[[], None]],
    ) -> None:
        """Write nothing yet.

        The imported weights at `base_step` are kept. `before_write` are called in the thread before
        each checkpoint, bring to the disk what has to be there first, or raise `EngineError`.
        """
        self._voice = voice
        self._network: NetworkName = network
        self._base_step = base_step
        self._on_saved = on_saved
        self._before_write = before_write
        self.thread = BackgroundThread(
            "writing a checkpoint", self._write, lambda text, _: _log.error(text)
        )
        """What writes, besides the steps."""
        self._job: tuple[Checkpoint, Callable[[], None]] | None = None
        self._not_removed: set[Path] = set()
        self.step: int | None = None
        """The step whose checkpoint is being written, or is done and was not taken."""
        self.failure: EngineError | None = None
        """Why the last one is not there; None where it is, made safe and read back."""
        self.warning = ""
        """What else went wrong with it."""
        self.seconds = 0.0
        """How long it took, the wait for the copy included."""

    def begin(self, checkpoint: Checkpoint, wait_for_copy: Callable[[], None]) -> None:
        """Begin to write a checkpoint, whose tensors must stay as they are until it is done."""
        assert self.thread.wait(0), "one at a time: the tensors of the one before are still needed"
        what = f"checkpoint of step {checkpoint.step:,}"
        # Until it is known to be there: without memory, even reporting a failure may fail.
        self.failure = EngineError(f"The {what} was not written; see the log.")
        self.warning = ""
        self.step, self.thread.name = checkpoint.step, f"writing the {what}"
        self._job = (checkpoint, wait_for_copy)
        self.thread.request()

    def take_ended(self) -> int | None:
        """Return the step of one that was written or has failed, once; None without one."""
        if self.step is None or not self.thread.wait(0):
            return None
        step, self.step, self._job = self.step, None, None
        return step

    def _write(self) -> None:
        assert self._job is not None
        checkpoint, wait_for_copy = self._job
        started = time.monotonic()
        try:
            wait_for_copy()
            self._prepare_disk()
            self._voice.locate()
            if self._voice.restore_settings():
                self.warning = f"{self._voice.folder} had lost its voice.toml: it was written again"
            save_checkpoint(checkpoint, self._target(checkpoint))
            self.failure = None
        except EngineError as error:
            self.failure = error
        except BaseException as error:
            # Whatever it is, the steps go on, and their owner must learn that nothing was saved.
            _log.exception("a checkpoint could not be written")
            self.failure = EngineError(
                f"The checkpoint {self._target(checkpoint)} cannot be written: "
                f"{type(error).__name__}: {error}."
            )
            self.failure.__cause__ = error
        else:
            self._follow_up(checkpoint)
        finally:
            self.seconds = time.monotonic() - started

    def _target(self, checkpoint: Checkpoint) -> Path:
        return self._voice.checkpoint_folder(self._network, checkpoint.step)

    def _prepare_disk(self) -> None:
        """Make safe what a run resumed from this checkpoint needs: its losses and its spend."""
        for make_safe in self._before_write:
            try:
                make_safe()
            except EngineError as error:
                # Its owner reports it; weights are worth more.
                _log.info("not made safe before a checkpoint: %s", error)

    def _follow_up(self, checkpoint: Checkpoint) -> None:
        """Remove what a saved checkpoint supersedes, and announce it."""
        left = self._remove_old(checkpoint.step)
        self.warning = " ".join(filter(None, (self.warning, left)))
        for on_saved in self._on_saved:
            try:
                on_saved(self._target(checkpoint))
            except Exception:
                _log.exception("a callback failed on the saved checkpoint %d", checkpoint.step)

    def _remove_old(self, step: int) -> str:
        """Remove what the checkpoint of this step supersedes; return what cannot be removed.

        Each is named once, though it is tried again after every checkpoint.
        """
        try:
            self._voice.locate()
            keep = (step, *best_steps(self._voice, self._network))
            left = remove_superseded(self._voice, self._network, self._base_step, keep)
        except Exception as error:
            # The new one is safe, and what is left over does no harm.
            _log.exception("old checkpoints could not be removed")
            return f"old checkpoints cannot be removed: {error}"
        new = {path: error for path, error in left.items() if path not in self._not_removed}
        self._not_removed |= new.keys()
        return unremoved_message(new)
