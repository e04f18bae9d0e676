"""What is to be heard: the sample that was asked for, once, and any sample again."""

from pathlib import Path

from engine.run.snapshot import Sample, Snapshot
from tui.audio.player import Player, PlayerStatus


class Listening:
    """Plays the sample that a key asked for when it comes, and remembers what was heard."""

    def __init__(self, player: Player) -> None:
        self._player = player
        self._before: Snapshot | None = None
        self._heard: frozenset[Path] = frozenset()

    @property
    def status(self) -> PlayerStatus:
        """How it stands with sound."""
        return self._player.status

    @property
    def heard(self) -> frozenset[Path]:
        """The samples that were played since the screen opened."""
        return self._heard

    @property
    def awaiting(self) -> bool:
        """Whether a sample was asked for and has not come yet."""
        return self._before is not None

    def ask(self, snapshot: Snapshot) -> None:
        """Remember what there was when the key was pressed."""
        self._before = snapshot

    def look(self, snapshot: Snapshot) -> Sample | None:
        """Return the sample that was asked for, once, when it has come.

        Samples are told apart by identity: the same sentence at the same step has the same
        path, and is a new sample all the same.
        """
        if self._before is None:
            return None
        known = {id(sample) for sample in self._before.samples}
        new = [sample for sample in snapshot.samples if id(sample) not in known]
        if new:
            self._before = None
            return new[-1]
        if snapshot.auditions > self._before.auditions:
            # It ended without a sample; the engine's log says why.
            self._before = None
        return None

    def play(self, path: Path) -> None:
        """Play a file, and count it as heard where there is sound."""
        self._player.play(path)
        if not self.status.unavailable:
            self._heard |= {path}
