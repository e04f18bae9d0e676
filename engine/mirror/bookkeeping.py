"""Keeps the small files of a voice in its mirror between two checkpoints.

What a machine cost in the minutes after its last checkpoint was paid all the same: where it is
lost, the ledger in the mirror is all that knows.
"""

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.mirror.address import told
from engine.mirror.layout import LATEST, LATEST_FILES, LATEST_FOLDER, VOICE_FILES, Latest
from engine.mirror.lease import Possession
from engine.mirror.outgoing import Files, Outgoing
from engine.mirror.store import MirrorError, Target

EVERY_SECONDS = 60.0
"""Seconds between two sendings, as between two lines of the ledger."""

_Look = dict[str, tuple[int, int]]
"""Size and time of change of files."""


class Bookkeeping:
    """Sends the small files when they have changed, and not too often."""

    def __init__(
        self,
        outgoing: Outgoing,
        target: Target,
        possession: Possession,
        every: float = EVERY_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Send from a voice to a mirror that is claimed, every so many seconds at most."""
        self._outgoing = outgoing
        self._target = target
        self._possession = possession
        self._every = every
        self._clock = clock
        self._due = clock()
        self._seen: _Look | None = None
        """As the files were when they went there last."""
        self._lying: set[str] | None = None
        """The names that lie in the mirror's folder of these files, whoever sent them."""
        self._sent_by_us: set[str] = set()
        """Those of them that are known to be as they were sent."""

    def send(self, sequence: int, *, at_once: bool = False) -> None:
        """Send what has changed, where it is time for it.

        Args:
            sequence: the highest of the checkpoints in the mirror.
            at_once: whether it is time, whatever the clock says.

        Raises:
            TakenError: the mirror is another run's by now.
            MirrorError: it cannot be sent.
        """
        look = self._look()
        if look == self._seen or not (at_once or self._clock() >= self._due):
            return
        self._possession.require_still_ours(self._target)
        with TemporaryDirectory(prefix="voicecoach-mirror-") as folder:
            files = self._outgoing.small_files(Path(folder), LATEST_FILES)
            self._send(files, sequence)
        self._seen = look
        self._due = self._clock() + self._every

    def _look(self) -> _Look:
        look = {}
        for name in LATEST_FILES:
            try:
                status = (self._outgoing.voice.folder / VOICE_FILES[name]).stat()
            except FileNotFoundError:
                continue
            look[name] = (status.st_size, status.st_mtime_ns)
        return look

    def _send(self, files: Files, sequence: int) -> None:
        marks = {name: found.mark for name, (_, found) in files.items()}
        latest = Latest(self._possession.id, sequence, marks)
        if self._lying is None:
            self._lying = set(self._target.folders(LATEST_FOLDER))
        for name, place in latest.places.items():
            if place not in self._sent_by_us:
                path, found = files[name]
                self._lying.add(place)
                self._target.put(path, f"{LATEST_FOLDER}/{place}", found)
                self._sent_by_us.add(place)
        content = latest.encoded()
        self._target.write(LATEST, content)
        if self._target.read(LATEST, len(content)) != content:
            raise MirrorError(f"{told(LATEST)} did not arrive at {self._target.address} as sent")
        for place in sorted(self._lying - set(latest.places.values())):
            if self._target.discard(f"{LATEST_FOLDER}/{place}"):
                self._lying.discard(place)
            self._sent_by_us.discard(place)
