"""Watches a run's voice folder, which somebody may move or delete while it trains."""

import shlex
from collections.abc import Callable
from pathlib import Path

from engine.errors import EngineError
from engine.machine.background import BackgroundThread
from engine.machine.lock import FolderLock, FolderLostError, LockRemovedError
from engine.mirror.address import without_secrets
from engine.run.commands import FolderGone
from engine.run.publisher import Publisher
from engine.run.snapshot import Snapshot

_POLL_SECONDS = 1.0


class FolderWatch:
    """Polls the voice folder in a thread of its own, which a disk that hangs may hold up.

    A run whose folder was moved saves there and ends, for a person could start another under its
    old name; one whose folder was deleted has nowhere to save and would only cost money.
    """

    def __init__(
        self,
        lock: FolderLock,
        publisher: Publisher,
        send: Callable[[FolderGone], None],
        restore_socket: Callable[[Path], None],
    ) -> None:
        """Prepare to watch a locked folder; the trainer learns by the inbox that it is gone.

        Each check that finds no problem calls `restore_socket`, which opens the run's socket in the
        folder anew if its file was removed.
        """
        self._lock = lock
        self._publisher = publisher
        self._send = send
        self._restore_socket = restore_socket
        self._thread = BackgroundThread(
            "folder watch", self._check, publisher.event, every=_POLL_SECONDS
        )
        self._last = self._reported = ""
        self._lost = False
        self._lock_missing = False
        self._restored = 0

    def start(self) -> None:
        """Begin to watch; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching; wait for a check under way."""
        self._thread.stop()

    def _check(self) -> None:
        """Check once; a problem that two checks in a row find is reported and ends the run."""
        problem, lost = self._find_problem(restore=self._lock_missing)
        confirmed, self._last = problem == self._last, problem
        if self._restored < self._lock.restored:
            self._restored = self._lock.restored
            self._publisher.warn(
                f"the lock file of {self._lock.folder} was removed and is restored; while it "
                f"is missing, another run can start in the folder"
            )
        if problem and confirmed and not self._reported:
            self._reported, self._lost = problem, lost
            self._publisher.warn(f"{problem}: ending the run", severity="error")
            self._send(FolderGone())
        if not (problem or self._lock_missing):
            self._restore_socket(self._lock.folder)

    def failure(self) -> EngineError | None:
        """Why the run cannot go on under its name, and what to do; None where all is well.

        To be called when everything that can be saved is saved. Where the cloud takes the machine
        away, that is the reason of the end.
        """
        last = self._publisher.snapshot
        if self._thread.stopped or last.interrupted:
            return None
        now, lost = self._find_problem()
        # It may be back since it ended the run.
        problem, lost = (now, lost) if now else (self._reported, self._lost)
        if not problem:
            return None
        if not lost:
            back = "" if now else " and back"
            return EngineError(
                f"{problem}{back} during training, so the run ended; "
                f"{_what_is_saved(self._publisher.snapshot)}"
            )
        # Nobody knows what is left of what was saved there.
        self._publisher.update(checkpoint_step=None)
        text = f"{problem}: the run ended at step {last.step:,} and could save nothing more"
        if last.mirror is not None and last.mirror.safe_step is not None:
            shown = without_secrets(last.mirror.address)
            text += f"; the mirror {shown} has step {last.mirror.safe_step:,}"
        return EngineError(f"{text}.")

    def _find_problem(self, *, restore: bool = False) -> tuple[str, bool]:
        """Say what has become of the folder, as a clause, and whether it can no longer be written.

        The clause is empty if all is well, or not known now. The lock file is restored where two
        checks have missed it.
        """
        try:
            folder = self._lock.find(restore=restore)
        except FolderLostError as error:
            return str(error).rstrip("."), True
        except LockRemovedError:
            self._lock_missing = True
            return "", False
        except EngineError:
            return "", False
        self._lock_missing = False
        if self._publisher.snapshot.voice_folder != folder:
            # Screens name it in their hints.
            self._publisher.update(voice_folder=folder)
        moved = folder != self._lock.named
        return (f"{self._lock.named} was moved to {folder}" if moved else ""), False


def _what_is_saved(last: Snapshot) -> str:
    """Say what is saved in the place where the folder is, and how to continue there."""
    if last.checkpoint_step is None:
        voice = shlex.quote(str(last.voice_folder))
        done = last.unsaved_text or "nothing was trained"
        return f"{done}; give the same command again with --voice {voice}"
    lost = f", {last.unsaved_text}" if last.unsaved else ""
    saved = f"step {last.checkpoint_step:,} is saved there{lost}"
    return f"{saved}; to continue: {last.command_to_continue}"
