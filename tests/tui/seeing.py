"""Opens the app on a fake run, and reads its screen as a person does."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fake_session import FakePlayer, FakeSession, at_noon
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import TextArea

from engine.run.commands import Command
from engine.run.sample import Sample
from engine.run.snapshot import Snapshot
from tui.app import VoicecoachApp
from tui.audio.listening import Listening
from tui.process.endings import Closed
from tui.process.remote import Host
from tui.screens.check_screen import CheckScreen

HOST = Host("ubuntu", "gpu-1")
SIZES = [(80, 24), (120, 40)]


def app_on(
    session: FakeSession, player: FakePlayer | None = None, *, kind=VoicecoachApp, ascii_only=False
) -> VoicecoachApp:
    player = player or FakePlayer()
    listening = Listening(player, player)
    return kind(session, listening, ascii_only=ascii_only, now=at_noon, host=lambda: HOST)


class Opened:
    """An app on the screen, what presses its keys, and the run and the player behind it."""

    def __init__(
        self, app: VoicecoachApp, session: FakeSession, player: FakePlayer, pilot: Pilot
    ) -> None:
        self.app, self.session, self.player, self.pilot = app, session, player, pilot
        self.pause = pilot.pause
        self._noted: list[str] = []
        show = app.notify

        def notify(message: str, *, title: str = "", **options) -> None:
            self._noted.append(f"{title} {message}")
            show(message, title=title, **options)

        app.notify = notify

    async def press(self, *keys: str) -> None:
        """Press keys; what they play is found out in a thread, which ends here."""
        await self.pilot.press(*keys)
        await self.settle()

    async def settle(self) -> None:
        """Wait for threads that find out where a sound is heard."""
        for thread in threading.enumerate():
            if thread.name == "listening":
                thread.join(30)
        # A dialog is drawn a turn after its key.
        await self.pilot.pause()
        await self.pilot.pause()

    async def look(self) -> None:
        """Let the app look often enough to show numbers and plots."""
        for _ in range(4):
            self.app.poll()
        await self.settle()
        # The bottom line is drawn a turn after the screen.
        await self.pilot.pause()

    async def change(self, **fields: object) -> None:
        """Have something happen to the run, and the app see it."""
        self.session.change(**fields)
        await self.look()

    async def show(self, snapshot: Snapshot) -> None:
        """Show another snapshot."""
        self.session.current = snapshot
        await self.look()

    async def resize(self, size: tuple[int, int]) -> None:
        await self.pilot.resize_terminal(*size)
        await self.look()

    async def add_sample(self, sample: Sample) -> None:
        await self.change(samples=(*self.samples, sample), auditioning=False)

    async def until(self, true) -> None:
        """Return as soon as something is so; fail when it does not come to be."""
        for _ in range(3000):
            if true():
                return
            await self.pilot.pause(0.01)
        raise AssertionError("waited in vain")

    @property
    def sent(self) -> list[Command]:
        return self.session.sent

    @property
    def samples(self) -> tuple[Sample, ...]:
        return self.session.current.samples

    @property
    def played(self) -> list[Path]:
        return self.player.played

    @property
    def at_home(self) -> bool:
        """Whether nothing covers the main screen."""
        return self.app.screen is self.app.run_screen

    @property
    def checks(self) -> bool:
        """Whether the check of the recordings is open."""
        return isinstance(self.app.screen, CheckScreen)

    @property
    def notes(self) -> str:
        """What was said for a moment."""
        return " ".join(self._noted)

    @property
    def reason(self) -> Closed | None:
        """Why the screen closed."""
        return self.app.return_value

    @property
    def lines(self) -> list[str]:
        return [strip.text.rstrip() for strip in self.app.screen._compositor.render_strips()]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def words(self) -> str:
        """The text without borders, lines and columns."""
        return " ".join(self.text.replace("│", " ").split())

    @property
    def dialog(self) -> str:
        """The words in the dialog, without what is around it."""
        box = self.app.screen.query_one(".dialog").content_region
        rows = (line.ljust(box.right)[box.x : box.right] for line in self.lines[box.y : box.bottom])
        return " ".join(" ".join(rows).split())

    @property
    def log(self) -> str:
        return " ".join(" ".join(self.app.run_screen.log_panel.lines).split())

    @property
    def answer(self) -> str:
        """What stands in the dialog's field."""
        return getattr(*self._field)

    @answer.setter
    def answer(self, text: str) -> None:
        setattr(*self._field, text)

    @property
    def _field(self) -> tuple[Widget, str]:
        """The dialog's field, and the name of what stands in it."""
        field = self.app.screen.query_one("Input, TextArea")
        return field, "text" if isinstance(field, TextArea) else "value"


@asynccontextmanager
async def opened(
    snapshot: Snapshot,
    size: tuple[int, int] = (80, 24),
    attached: bool = False,
    reading: bool = False,
    no_sound: str = "",
    toasts: bool = False,
    **options,
) -> AsyncIterator[Opened]:
    """Show a snapshot."""
    session = FakeSession(snapshot, attached=attached, reading=reading)
    player = FakePlayer(no_sound)
    app = app_on(session, player, **options)
    async with app.run_test(size=size, notifications=toasts) as pilot:
        run = Opened(app, session, player, pilot)
        await run.look()
        yield run
