"""The watch over a run's voice folder, which somebody may move or delete while it trains."""

import shlex
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.errors import EngineError
from engine.machine.background import Poller
from engine.machine.lock import FolderLock, FolderLostError, LockRemovedError
from engine.run.commands import FolderGone, Inbox
from engine.run.publisher import Publisher
from engine.run.snapshot import Snapshot

_SECONDS = 1.0
"""Seconds between two looks."""


@dataclass(frozen=True, slots=True)
class _Trouble:
    """What has become of the folder."""

    text: str = ""
    """A sentence without its full stop; empty where all is well, or cannot be told now."""
    lost: bool = False
    """Whether nothing can be written there any more."""


class FolderWatch:
    """Looks after the voice folder in a thread of its own, which a disk that hangs may hold up.

    A run whose folder was moved saves there and ends: a person who looks for it by its old name
    finds nothing, and could start another run under that name. A run whose folder was deleted has
    nowhere to save and would only cost money.
    """

    def __init__(
        self,
        lock: FolderLock,
        publisher: Publisher,
        inbox: Inbox,
        restore_socket: Callable[[Path], None],
    ) -> None:
        """Prepare to watch.

        Args:
            lock: of the folder.
            publisher: shows where the folder is, and what has become of it.
            inbox: through which the trainer is told that the folder is gone.
            restore_socket: opens the run's socket anew in the folder if its file was removed;
                called at each look that finds nothing amiss.
        """
        self._lock = lock
        self._publisher = publisher
        self._inbox = inbox
        self._restore_socket = restore_socket
        self._turn = threading.Lock()
        self._poller = Poller("voice folder monitoring", _SECONDS, self.look, publisher.event)
        self._seen = _Trouble()
        self._told = _Trouble()
        self._lock_missing = False
        self._restored = 0

    def start(self) -> None:
        """Begin to watch; returns at once."""
        self._poller.start()

    def end(self) -> None:
        """Watch no more; a look under way is waited for."""
        self._poller.stop()
        with self._turn:
            pass

    def look(self) -> None:
        """Look once; what two looks have found in the same way is told, and ends the run."""
        with self._turn:
            if self._poller.stopped:
                return
            trouble = self._trouble(restore=self._lock_missing)
            confirmed, self._seen = trouble == self._seen, trouble
            if self._restored < self._lock.restored:
                self._restored = self._lock.restored
                self._publisher.warn(
                    f"the lock file of {self._lock.folder} was removed: it was made again; while "
                    f"it is missing, another run can start in the folder"
                )
            if trouble.text and confirmed and not self._told.text:
                self._told = trouble
                self._publisher.warn(f"{trouble.text}: ending the run", severity="error")
                self._inbox.send(FolderGone())
            if not (trouble.text or self._lock_missing):
                self._restore_socket(self._lock.folder)

    def failure(self) -> EngineError | None:
        """Why the run cannot go on under its name, and what to do; None where all is well.

        To be asked for when everything that can be saved is saved. Where the cloud takes the
        machine away, that is the reason of the end, and this is only told.
        """
        last = self._publisher.snapshot
        if self._poller.stopped or last.interrupted:
            return None
        now = self._trouble()
        # It may be back since it ended the run.
        trouble = now if now.text else self._told
        if not trouble.text:
            return None
        if not trouble.lost:
            back = "" if now.text else " and back"
            last = self._publisher.snapshot
            return EngineError(
                f"{trouble.text}{back} during training, so the run ended; {self._saved(last)}"
            )
        # Of what was saved there nobody knows what is left.
        self._publisher.update(checkpoint_step=None)
        text = f"{trouble.text}: the run ended at step {last.step:,} and could save nothing more"
        mirror = last.mirror
        if mirror is not None and mirror.safe_step is not None:
            text += f"; the mirror {mirror.address} has step {mirror.safe_step:,}"
        return EngineError(f"{text}.")

    def _trouble(self, *, restore: bool = False) -> _Trouble:
        """Look for the folder; the lock file may be restored when two looks have missed it."""
        try:
            folder = self._lock.find(restore=restore)
        except FolderLostError as error:
            return _Trouble(str(error).rstrip("."), lost=True)
        except LockRemovedError:
            self._lock_missing = True
            return _Trouble()
        except EngineError:
            return _Trouble()
        self._lock_missing = False
        if self._publisher.snapshot.voice_folder != folder:
            # Screens name it in their hints.
            self._publisher.update(voice_folder=folder)
        if not self._lock.moved:
            return _Trouble()
        return _Trouble(f"{self._lock.named} was moved to {folder}")

    def _saved(self, last: Snapshot) -> str:
        """Say what is saved in the place where the folder is, and how to continue there."""
        lost = _lost(last)
        if last.checkpoint_step is None:
            voice = shlex.quote(str(last.voice_folder))
            done = lost or "nothing was trained"
            return f"{done}; give the same command again with --voice {voice}"
        saved = f"step {last.checkpoint_step:,} is saved there"
        return f"{saved}{lost and f', {lost}'}; to continue: {last.command_to_continue}"


def _lost(last: Snapshot) -> str:
    """Say how many steps no checkpoint has; nothing where there are none."""
    if not last.unsaved:
        return ""
    since = "" if last.checkpoint_step is None else f" since checkpoint {last.checkpoint_step:,}"
    return (
        f"1 step{since} is lost" if last.unsaved == 1 else f"{last.unsaved:,} steps{since} are lost"
    )
