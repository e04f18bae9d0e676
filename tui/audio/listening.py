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
        self._awaited = 0
        """How many samples were requested since none was awaited."""
        self._known: set[tuple[Path, float]] = set()
        self._ended_before = 0
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
        return self._awaited > 0

    def request(self, snapshot: Snapshot) -> None:
        """Await a sample, and remember which ones there were when the key was pressed."""
        if not self._awaited:
            self._known = {_identity(sample) for sample in snapshot.samples}
            self._ended_before = snapshot.auditions
        self._awaited += 1

    def requested(self, snapshot: Snapshot) -> Sample | None:
        """Return a sample that was requested, once, when it has come.

        The series and blind comparisons make samples that nobody requested, and of one that was
        heard there is another description.
        """
        if not self._awaited:
            return None
        made = [one for one in snapshot.samples if not (one.automatic or one.for_comparison)]
        new = [one for one in made if _identity(one) not in self._known]
        self._known.update(map(_identity, new))
        # One that ended without a sample is explained by the engine's log.
        if max(len(new), snapshot.auditions - self._ended_before) >= self._awaited:
            self._awaited = 0
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


def _identity(sample: Sample) -> tuple[Path, float]:
    return sample.path, sample.time
