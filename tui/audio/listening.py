"""What is played and what was heard; a sample that cannot be played here is fetched by scp."""

from pathlib import Path

from engine.run.sample import Sample
from engine.run.snapshot import Snapshot
from tui.audio.sound_card import PlayerStatus, SoundCard


class Listening:
    """Plays a requested sample when it comes, and remembers what was played."""

    def __init__(self, player: SoundCard) -> None:
        self._player = player
        self._requested_at: Snapshot | None = None
        self.played: frozenset[Path] = frozenset()
        """The samples that were played since the screen opened."""
        self.explained = False
        """Whether the person was told how to fetch a sample from a host without sound."""

    @property
    def status(self) -> PlayerStatus:
        """The state of the player."""
        return self._player.status

    @property
    def awaiting(self) -> bool:
        """Whether a sample was requested and has not come yet."""
        return self._requested_at is not None

    def request(self, snapshot: Snapshot) -> None:
        """Remember which samples there were when the key was pressed."""
        self._requested_at = snapshot

    def requested(self, snapshot: Snapshot) -> Sample | None:
        """Return the sample that was requested, once, when it has come.

        Samples are compared by identity: the same sentence at the same step has the same path,
        and is a new sample all the same.
        """
        before = self._requested_at
        if before is None:
            return None
        known = {id(sample) for sample in before.samples}
        new = [sample for sample in snapshot.samples if id(sample) not in known]
        if new or snapshot.auditions > before.auditions:
            # One that ended without a sample is explained by the engine's log.
            self._requested_at = None
        return new[-1] if new else None

    def play(self, path: Path) -> None:
        """Play a file, and count it as played where there is sound."""
        self._player.play(path)
        if not self.status.unavailable:
            self.played |= {path}
