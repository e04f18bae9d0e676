"""A run's mirror: copied to while the run trains, and waited for at its end."""

import logging
import time
from pathlib import Path

from engine.errors import EngineError
from engine.machine.lock import FolderLostError
from engine.mirror.confirmed import mirror_to_use
from engine.mirror.store import open_store
from engine.mirror.uploader import Uploader
from engine.run.options import TrainOptions
from engine.run.publisher import Publisher
from engine.voice.folder import Voice

_log = logging.getLogger(__name__)

# Seconds that the end of a run waits for the last checkpoint to be safe in the mirror.
_MIRROR_SECONDS = 120.0
# Seconds that the end of a run waits for the last of the spend, once all else is in the mirror.
_SPEND_SECONDS = 10.0
# Seconds before a cloud takes the machine away in which nothing is waited for any more.
_LAST_SECONDS = 1.0


class RunMirror:
    """The mirror of one run's voice; where the voice has none, nothing happens."""

    def __init__(self, options: TrainOptions, voice: Voice, publisher: Publisher) -> None:
        self._options = options
        self._voice = voice
        self._publisher = publisher
        self._address: str | None = None
        self._uploader: Uploader | None = None

    def find(self) -> None:
        """Find out which mirror may be used, and show it.

        Raises:
            InputError: the options name something else than a mirror.
        """
        self._address = mirror_to_use(self._options, self._voice, self._publisher)

    def start(self) -> None:
        """Begin to copy checkpoints to the mirror that was found."""
        address = self._address
        if address is None:
            return
        self._uploader = Uploader(
            self._voice,
            self._options.network,
            lambda: open_store(address),
            self._publisher,
            sequence=self._options.mirror_sequence,
        )
        self._uploader.start()

    def wake(self, saved: Path) -> None:
        """Copy what was just saved."""
        if self._uploader is not None:
            self._uploader.wake(saved)

    def hurry(self) -> None:
        """Have nobody wait for the mirror any more."""
        if self._uploader is not None:
            self._uploader.hurry()

    def wait(self) -> None:
        """Wait until the last checkpoint is safe in the mirror, but not for ever."""
        if self._uploader is None:
            return
        try:
            self._voice.locate()
        except FolderLostError:
            return  # there is nothing left that could be sent
        except EngineError as error:
            _log.warning("waiting for the mirror all the same: %s", error)
        seconds = self._seconds_left()
        self._publisher.update(end_waits_for="mirror", end_waits_until=time.time() + seconds)
        try:
            self._uploader.finish(seconds)
        finally:
            self._publisher.update(end_waits_for="")

    def close(self) -> None:
        """Copy the spend as it is at the end."""
        if self._uploader is not None:
            self._uploader.close(min(_SPEND_SECONDS, self._seconds_left()))

    def _seconds_left(self) -> float:
        """How long the end may wait: less where the cloud takes the machine away."""
        notice = self._publisher.snapshot.spot_notice
        if notice is None or notice.last_second is None:
            return _MIRROR_SECONDS
        left = notice.last_second - time.monotonic() - _LAST_SECONDS
        return min(_MIRROR_SECONDS, max(0.0, left))
