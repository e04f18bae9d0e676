"""Writes checkpoints in a thread beside the steps: one at a time, and nothing is removed before."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.checkpoints.checkpoint import Checkpoint, remove_superseded, save_checkpoint
from engine.choices import NetworkName
from engine.errors import EngineError
from engine.files import unremoved_message
from engine.machine.background import DiskWriter
from engine.voice.folder import Voice

_log = logging.getLogger(__name__)

OnSaved = Callable[[Path], None]
"""Told the folder of each checkpoint that is safe on disk, in the writer's thread; it must return
at once: the next checkpoint waits for it."""


@dataclass(frozen=True)
class Outcome:
    """How the writing of a checkpoint ended."""

    step: int
    seconds: float
    """How long it took, the wait for the copy included."""
    failure: EngineError | None
    """Why it is not there; None where it is, made safe and read back."""
    warning: str = ""
    """What went wrong beside it."""


class CheckpointWriter:
    """Writes one checkpoint at a time; its owner looks between steps how it went."""

    def __init__(
        self,
        voice: Voice,
        network: NetworkName,
        base_step: int,
        on_saved: Sequence[OnSaved],
        first: Sequence[Callable[[], None]],
    ) -> None:
        """Write nothing yet.

        Args:
            voice: whose checkpoints they are.
            network: what is trained.
            base_step: the step of the imported weights, which are kept.
            on_saved: told of each checkpoint that is safe.
            first: called in the writer's thread before each checkpoint is written; they bring to
                the disk what has to be there before it, or raise `EngineError`.
        """
        self._voice = voice
        self._network: NetworkName = network
        self._base_step = base_step
        self._on_saved = on_saved
        self._first = first
        self._writer = DiskWriter("a checkpoint", self._work, self._log_failure)
        self._job: tuple[Checkpoint, Callable[[], None]] | None = None
        self._began = 0.0
        self._outcome: Outcome | None = None
        self._not_removed: set[Path] = set()
        self.step: int | None = None
        """The step whose checkpoint is being written, or is done and not yet looked at."""

    @property
    def busy(self) -> bool:
        """Whether a checkpoint is being written, or nobody has looked at how it went."""
        return self.step is not None

    @property
    def seconds(self) -> float:
        """How long the one under way has taken so far; 0 without one."""
        return time.monotonic() - self._began if self.busy else 0.0

    def start(self) -> None:
        """Start the thread, which waits for the first checkpoint."""
        self._writer.start()

    def end(self) -> None:
        """Wait for the checkpoint under way, and end the thread."""
        self._writer.stop()

    def begin(self, checkpoint: Checkpoint, ready: Callable[[], None]) -> None:
        """Begin to write a checkpoint, whose tensors must stay as they are until it is done.

        Args:
            checkpoint: what to write.
            ready: waits until its tensors can be read.
        """
        assert self.wait(0), "one at a time: the tensors of the one before are still needed"
        self.step, self._began = checkpoint.step, time.monotonic()
        self._job = (checkpoint, ready)
        self._writer.request()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until nothing is being written, at most so long; say whether that is so."""
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
        checkpoint, ready = self._job
        target = self._voice.checkpoint_folder(self._network, checkpoint.step)
        # Until it is known to be there: even to tell a failure may fail, for want of memory.
        failure: EngineError | None = EngineError(f"The checkpoint {target} is not complete.")
        warning = ""
        try:
            ready()
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
            warning = " ".join(filter(None, (warning, self._tidy(checkpoint.step))))
            self._tell(target)
        finally:
            self._outcome = Outcome(checkpoint.step, self.seconds, failure, warning)

    def _log_failure(self, text: str, _severity: str) -> None:
        # The outcome tells it to the person.
        _log.error("%s", text)

    def _prepare_disk(self) -> None:
        """Make safe what a run taken up from this checkpoint goes on: its losses, its account."""
        for make_safe in self._first:
            try:
                make_safe()
            except EngineError as error:
                # Whoever adds to it tells that it cannot be written; weights are worth more.
                _log.info("not made safe before a checkpoint: %s", error)

    def _tidy(self, step: int) -> str:
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

    def _tell(self, target: Path) -> None:
        for on_saved in self._on_saved:
            try:
                on_saved(target)
            except Exception:
                _log.exception("%s was saved, but one who was told of it failed", target)
