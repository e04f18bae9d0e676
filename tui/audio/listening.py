"""Where a sound is heard: in a browser that listens, on this host, or nowhere."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from engine.run.sample import Sample
from engine.run.snapshot import Snapshot
from tui.audio.sound_card import PlayerStatus, SoundCard

Page = Callable[[Path, Path | None, str], int]
"""Has the listening page play a sound of a voice, or nothing, under a title; returns how many
browsers can be heard. It may take seconds."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Something to hear."""

    voice: Path
    """The folder of the voice that it belongs to."""
    path: Path
    title: str
    """What the page calls it."""
    new: bool = False
    """Whether it is a sample that was made just now: the page plays those by itself."""


class Listening:
    """Plays sounds wherever the person listens, and remembers what was played."""

    def __init__(self, player: SoundCard, page: Page) -> None:
        self._player = player
        self._page = page
        self._turn = 0
        self._requested_at: Snapshot | None = None
        self.played: frozenset[Path] = frozenset()
        """The samples that were played since the screen opened."""
        self.explained = False
        """Whether the person was told what to do on a host without sound."""

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

    def play(self, sound: Sound, then: Callable[[str], object]) -> None:
        """Have a sound heard; return at once.

        A browser that listens plays it, else this host. Of sounds that are asked for in quick
        succession only the last one is played. `then` is called from a thread: with nothing, or
        with why this host has no sound.
        """
        self._turn += 1
        given = (sound, self._turn, then)
        Thread(target=self._play, args=given, name="listening", daemon=True).start()

    def _play(self, sound: Sound, turn: int, then: Callable[[str], object]) -> None:
        heard = self._page(sound.voice, None if sound.new else sound.path, sound.title) > 0
        why = "" if heard else self._player.unavailable()
        if turn != self._turn:
            return
        if not heard and not why:
            self._player.play(sound.path)
        if not why:
            self.played |= {sound.path}
        then(why)
