"""The watch over a run's voice folder, which somebody may move or delete while it trains."""

import shlex
import threading

from engine.board import Board
from engine.control import FolderGone, Inbox
from engine.errors import EngineError
from engine.host.lock import FolderLock, FolderLostError
from engine.snapshot import Snapshot
from engine.training.lookout import look_every

_SECONDS = 1.0
"""Seconds between two looks."""


class FolderWatch:
    """Looks after the voice folder in a thread of its own, which a disk that hangs may hold up.

    A run whose folder was moved saves there and ends: a person who looks for it by its old name
    finds nothing, and could start another run under that name. A run whose folder was deleted has
    nowhere to save and would only cost money.
    """

    def __init__(self, lock: FolderLock, board: Board, inbox: Inbox) -> None:
        """Prepare to watch the folder that is locked; the trainer is told through the inbox."""
        self._lock = lock
        self._board = board
        self._inbox = inbox
        self._turn = threading.Lock()
        self._ended = threading.Event()
        self._seen = ""
        self._told = False
        self._restored = 0

    def start(self) -> None:
        """Begin to watch; returns at once."""
        threading.Thread(target=self._run, name="the voice folder", daemon=True).start()

    def end(self) -> None:
        """Watch no more; a look under way is waited for."""
        self._ended.set()
        with self._turn:
            pass

    def look(self) -> None:
        """Look once; what two looks have found in the same way is told, and ends the run."""
        with self._turn:
            if self._ended.is_set():
                return
            trouble = self._trouble()
            confirmed, self._seen = trouble == self._seen, trouble
            if self._restored < self._lock.restored:
                self._restored = self._lock.restored
                self._board.warn(
                    f"the lock file of {self._lock.folder} was removed: it was made again; while "
                    f"it is missing, another run can start in the folder"
                )
            if trouble and confirmed and not self._told:
                self._told = True
                self._board.warn(f"{trouble}: ending the run", severity="error")
                self._inbox.send(FolderGone())

    def failure(self) -> EngineError | None:
        """Why the run cannot go on under its name, and what to do; None where all is well.

        To be asked for when everything that can be saved is saved. Where the cloud takes the
        machine away, that is the reason of the end, and this is only told.
        """
        last = self._board.snapshot
        if self._ended.is_set() or last.interrupted:
            return None
        trouble = self._trouble()
        if not trouble:
            return None
        if self._lock.moved:
            return EngineError(f"{trouble} during training, so the run ended; {self._saved(last)}")
        lost = _lost(last)
        text = f"{trouble}: the run ended and could save nothing more" + (lost and f"; {lost}")
        mirror = last.mirror
        if mirror is not None and mirror.safe_step is not None:
            text += f"; the mirror {mirror.address} has step {mirror.safe_step:,}"
        return EngineError(f"{text}.")

    def _run(self) -> None:
        look_every(_SECONDS, self._ended, self.look, self._board)

    def _trouble(self) -> str:
        """What has become of the folder; nothing where all is well, or cannot be told now."""
        try:
            self._lock.find()
        except FolderLostError as error:
            return str(error).rstrip(".")
        except EngineError:
            return ""
        if not self._lock.moved:
            return ""
        # Screens name it in their hints.
        self._board.update(voice_folder=self._lock.folder)
        return f"{self._lock.named} was moved to {self._lock.folder}"

    def _saved(self, last: Snapshot) -> str:
        """Say what is saved in the place where the folder is, and how to continue there."""
        voice = shlex.quote(str(self._lock.folder))
        if last.checkpoint_step is None:
            return f"nothing was trained; give the same command again with --voice {voice}"
        saved = f"step {last.checkpoint_step:,} is saved there"
        lost = _lost(last)
        network = "" if last.network == "text2mel" else f" --network {last.network}"
        command = f"voicecoach train --voice {voice}{network}"
        return f"{saved}{lost and f', {lost}'}; to continue: {command}"


def _lost(last: Snapshot) -> str:
    """Say how many steps no checkpoint has; nothing where there are none."""
    if not last.unsaved:
        return ""
    since = "" if last.checkpoint_step is None else f" since checkpoint {last.checkpoint_step:,}"
    return (
        f"1 step{since} is lost" if last.unsaved == 1 else f"{last.unsaved:,} steps{since} are lost"
    )
