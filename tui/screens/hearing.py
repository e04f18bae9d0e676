"""Hearing a sound from any screen: played where the person is, or a command that does it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

from engine.run.commands import MarkHeard
from engine.run.snapshot import Snapshot
from tui.audio.listening import Listening, Sound
from tui.process.remote import Host
from tui.screens.keyed_screen import KeyedScreen

if TYPE_CHECKING:
    from engine.session import SessionLike

_T = TypeVar("_T")


class HearingScreen(KeyedScreen):
    """A screen that plays sounds of its run."""

    session: "SessionLike"
    listening: Listening
    host: Callable[[], Host]
    snapshot: Snapshot

    def show_sound(self) -> None:
        """Show what is playing."""

    def hear(self, path: Path, title: str = "", *, new: bool = False) -> None:
        """Have a sound heard; where that cannot be, say how to hear it elsewhere.

        Of a `new` sample the page knows already.
        """
        sound = Sound(self.snapshot.voice_folder, path, title or path.stem, new)

        def then(why: str) -> None:
            # From a thread, and perhaps after the screen.
            self.call_later(self.unheard if why else self._heard, path, why)

        self.listening.play(sound, then)

    def _heard(self, path: Path, _: str) -> None:
        self.show_sound()
        is_sample = path in (sample.path for sample in self.snapshot.samples)
        if is_sample and not self.session.reading:
            self.session.send(MarkHeard(path.name))

    def unheard(self, path: Path, why: str) -> None:
        """Say what to do on a host without sound; why there is none is said once."""
        if not self.listening.explained:
            self.listening.explained = True
            self.say(f"no sound on this host ({why}); l and y play it on your machine", "warning")
        elsewhere = ": l opens a page that plays it, y copies a command"
        # A dialog over this screen has its own keys.
        self.notify(f"No sound here{elsewhere if self.app.screen is self else ''}.")

    def copy_player(self, path: Path) -> None:
        """Copy the command that plays a sound on the person's own machine."""
        self._with_line(lambda host: host.player_line(path), self.app.copy_to_clipboard)

    def copy_scp(self, paths: Sequence[Path]) -> None:
        """Copy the command that fetches files."""
        self._with_line(lambda host: host.scp_line(*paths), self.app.copy_to_clipboard)

    def _with_line(self, write: Callable[[Host], str], use: Callable[[str], object]) -> None:
        """Use a command, without waiting: a tmux that is asked for the login may hang."""
        self.off_screen(lambda: write(self.host()), use)

    def off_screen(self, find: Callable[[], _T], use: Callable[[_T], object]) -> None:
        """Use what is found out in a thread, because a disk or a program may hang."""

        def run() -> None:
            self.call_later(use, find())

        Thread(target=run, name="listening", daemon=True).start()
