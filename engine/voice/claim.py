"""A voice folder taken for one run, and left as it was where the run came to nothing."""

import contextlib
import logging
from pathlib import Path

from engine.errors import EngineError, InputError
from engine.files import remove_all, unremoved_message, unusable_path, write_whole
from engine.machine.lock import LOCK_NAME, SETTINGS_NAME, acquire_lock

_log = logging.getLogger(__name__)


class VoiceClaim:
    """The lock of a voice folder, and what was in it before."""

    def __init__(self, folder: Path) -> None:
        """Lock the folder, made where there is none.

        Raises:
            InputError: another process trains in it, or it cannot be made or written.
            EngineError: the disk is full.
        """
        self._folder = folder
        self._before: set[str] | None = None
        self._settings: bytes | None = None
        try:
            if folder.exists() and not folder.is_dir():
                raise InputError(f"{folder} is a file; give a folder with --voice.")
            self._made = [one for one in (folder, *folder.parents) if not one.exists()]
            self._made_lock = not (folder / LOCK_NAME).exists()
            self.lock = acquire_lock(folder)
        except OSError as error:
            raise unusable_path(folder, error) from error

    def remember(self) -> None:
        """Note what is in the folder before the run writes into it, for `undo`."""
        settings = self._folder / SETTINGS_NAME
        try:
            self._before = {path.name for path in self._folder.iterdir()}
            self._settings = settings.read_bytes() if settings.is_file() else None
        except OSError as error:
            raise unusable_path(self._folder, error) from error

    def release(self) -> None:
        """Let others train in the folder."""
        self.lock.release()

    def undo(self) -> None:
        """Remove what the run has made in the folder since `remember`, and the lock.

        Anything that was there before is the person's, their recordings perhaps, and stays; the
        settings of a voice become what they were. A folder that was moved meanwhile stays as it is.
        """
        try:
            if self.lock.find() != self._folder:
                return
        except EngineError as error:
            _log.warning("what was made for this run is not removed: %s", error)
            return
        if self._before is not None:
            made = (one for one in self._folder.iterdir() if one.name not in self._before)
            if left := remove_all(made):
                _log.warning("%s", unremoved_message(left))
        # Until one cannot be removed, such as a folder into which somebody has put something.
        with contextlib.suppress(OSError):
            if self._made_lock:
                (self._folder / LOCK_NAME).unlink()
            for folder in self._made:
                folder.rmdir()
        if self._settings is not None:
            write_whole(self._folder / SETTINGS_NAME, self._settings)
