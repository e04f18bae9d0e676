"""The Textual app: polls the run's snapshot and shows it."""

import gc
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from math import inf
from pathlib import Path
from threading import Thread
from time import monotonic, time
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.notifications import SeverityLevel
from textual.screen import ModalScreen, Screen
from textual.theme import Theme, ThemeProvider

from engine.run.commands import KeyPressed
from engine.run.evaluation import Notice
from engine.run.snapshot import Phase, Snapshot
from tui.alerts import alert
from tui.ascii_filter import AsciiFilter
from tui.audio.listening import Listening
from tui.key_order import KeyOrder
from tui.process.endings import Closed, events_after
from tui.process.remote import COPIED, Host, copy
from tui.process.terminal_driver import TerminalDriver
from tui.screens.dialog import Dialog
from tui.screens.keyed_screen import KeyedScreen
from tui.screens.palette import Palette
from tui.screens.run_screen import RunScreen
from tui.themes import DARK, LIGHT, remember_theme, remembered_theme

if TYPE_CHECKING:
    from engine.session import SessionLike

_POLL_SECONDS = 0.25
_POLLS_A_PLOT = 4
"""The plots are renewed once a second, the numbers four times."""
_KEY_SECONDS = 2.0
"""A run that waits for a person hears of their keys no more often."""
_FRESH_SECONDS = 5.0
"""Before a screen opened: the bell rings for what happened then."""
_READ_SECONDS = 10.0
"""How long a text is shown that has to be read, or typed; the next key takes it away."""
_FROM_A_PERSON = (
    events.Key | events.Paste | events.MouseDown | events.MouseScrollDown | events.MouseScrollUp
)


class VoicecoachApp(App[Closed]):
    """Supervises one run; returns why it was closed.

    The engine never waits for this app: it polls the newest snapshot, and sends commands that
    the engine reads between steps.
    """

    TITLE = "voicecoach"
    NOTIFICATION_TIMEOUT = 3
    CSS_PATH = Path(__file__).with_name("voicecoach.tcss")
    COMMAND_PALETTE_BINDING = "ctrl+p"
    # The terminal sends no signal for the key while the screen is open.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+z", "suspend_process", "suspend", show=False),
        Binding("ctrl+l", "redraw", "redraw", show=False, priority=True),
    ]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (60, "-usual"), (112, "-wide")]  # noqa: RUF012 - as Textual types it
    VERTICAL_BREAKPOINTS = [(0, "-short"), (20, "-middling"), (34, "-tall")]  # noqa: RUF012

    def __init__(
        self,
        session: "SessionLike",
        listening: Listening,
        *,
        ascii_only: bool = False,
        now: Callable[[], datetime] = datetime.now,
        host: Callable[[], Host] = Host.of_this,
        notes: Sequence[str] = (),
    ) -> None:
        """Show a run.

        Args:
            session: the run.
            listening: makes samples audible.
            ascii_only: whether to draw with ASCII characters alone.
            now: tells the time of day, in local time.
            host: says how the person's own machine reaches this one now.
            notes: what to say when the screen opens.
        """
        super().__init__(driver_class=TerminalDriver)
        self.set_class(ascii_only, "-ascii", update=False)
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self._notes = [*notes]
        self.theme = self._known_theme = self._remembered_theme()
        self._session = session
        self._key_order = KeyOrder(self, super().on_event, self._takes_keys)
        self.before_suspension: Callable[[], object] = lambda: None
        """Is called before Ctrl+Z stops this process."""
        self.after_first_picture: Callable[[], object] = lambda: None
        """Is called once the screen has been drawn."""
        self._key_reported = -inf
        self._until_key = False
        """Whether a message is shown until the next key."""
        self._ran = False
        """Whether the screen has seen the run make steps, or wait for more."""
        self._polls = 0
        self._opened = time()
        self._notice: Notice | None = None
        """The newest notice that was rung for, or was old when the screen opened."""
        self._theme_trouble = ""
        self.before_end = session.snapshot()
        """The last snapshot before the run began to end."""
        self.run_screen = RunScreen(session, listening, now, host)

    def get_default_screen(self) -> Screen[None]:
        return self.run_screen

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return our own colours for themes that do not define them."""
        return (DARK if self.current_theme.dark else LIGHT).variables

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Filter everything but ASCII with `--ascii`."""
        filters = super().get_line_filters()
        return [*filters, AsciiFilter()] if self.has_class("-ascii") else filters

    def on_ready(self) -> None:
        self.theme_changed_signal.subscribe(self, self._remember_theme)
        self.poll()
        self.call_after_refresh(self._end_start)
        # After what the run has told so far: a log of one line shows the newest.
        for note in self._notes:
            self.run_screen.say(note)
        self.run_screen.call_later(self.run_screen.paint)
        self.set_interval(_POLL_SECONDS, self.poll)
        self.set_interval(_POLL_SECONDS, self._key_order.go_on)

    def _end_start(self) -> None:
        """Let the engine begin, and collect garbage, but nothing that was imported so far."""
        self.after_first_picture()
        if not gc.isenabled():
            gc.freeze()
            gc.enable()

    def _remembered_theme(self) -> str:
        try:
            return remembered_theme(self.available_themes)
        except (OSError, ValueError) as error:
            self._notes.append(f"the theme chosen earlier is not known: {error}")
            return DARK.name

    def _remember_theme(self, theme: Theme) -> None:
        if theme.name == self._known_theme:
            return
        self._known_theme = theme.name
        # Without waiting: a home folder may be on a disk that hangs.
        Thread(target=self._write_theme, name="theme", daemon=True).start()

    def _write_theme(self) -> None:
        try:
            # The newest: of two that are chosen at once, either may be written last.
            remember_theme(self._known_theme)
        except OSError as error:
            if not self._theme_trouble:
                self._theme_trouble = f"this theme cannot be remembered: {error}"
                self.call_later(self.run_screen.note, self._theme_trouble)

    def poll(self) -> None:
        """Read the newest snapshot, and show what changed."""
        if not self.is_running:
            return  # the timer's last tick, while the widgets are taken down
        snapshot = self._session.snapshot()
        if snapshot.phase is not Phase.STOPPING and not snapshot.phase.ended:
            self.before_end = snapshot
        self._ring(snapshot)
        if self._is_over(snapshot):
            self.exit("end")
            return
        self._ran = not snapshot.phase.before_steps
        covered = self._show_upper(snapshot)
        plots = self._polls % _POLLS_A_PLOT == 0
        self.run_screen.show(snapshot, plots=plots, covered=covered)
        self._polls += 1

    def _ring(self, snapshot: Snapshot) -> None:
        """Call the person for each new notice: they need not be looking at the screen."""
        driver = self._driver
        for notice in events_after(self._notice, snapshot.notices):
            self._notice = notice
            if driver is not None and notice.time > self._opened - _FRESH_SECONDS:
                driver.write(alert(f"{snapshot.voice}: {notice.text}"))

    def _show_upper(self, snapshot: Snapshot) -> bool:
        """Show the snapshot on screens that cover the main one; return whether there are any.

        The check screen opens while its question waits.
        """
        there = self._uppers
        for screen in there:
            screen.show(self.run_screen.seen(snapshot))
        if snapshot.phase is Phase.CHECKED:
            from tui.screens.check_screen import CheckScreen

            asked = any(isinstance(screen, CheckScreen) for screen in there)
            # What is being typed into a dialog must not answer the question.
            if not asked and not isinstance(self.screen, ModalScreen):
                self.push_screen(CheckScreen(self.run_screen, self.run_screen.seen(snapshot)))
        return bool(self._uppers)

    @property
    def _uppers(self) -> list[KeyedScreen]:
        """The screens that cover the main one."""
        keyed = (screen for screen in self.screen_stack if isinstance(screen, KeyedScreen))
        return [screen for screen in keyed if screen is not self.run_screen]

    def _is_over(self, snapshot: Snapshot) -> bool:
        """Return whether there is nothing left to show.

        A run that failed before its first step ends in a sentence on the plain terminal; one
        that failed later stays on the screen until the person leaves.
        """
        if snapshot.phase is Phase.STOPPED or (snapshot.phase.ended and snapshot.ended_because):
            return True
        failed = snapshot.phase is Phase.FAILED
        return failed and not self._ran and snapshot.step == snapshot.first_step

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """Show a message for a moment in place of the one before, without markup: it may be data.

        Over a dialog it has the last row: there is one line, and no title.
        """
        self._until_key = timeout is not None
        super().notify(message, title=title, severity=severity, timeout=timeout, markup=markup)

    def copy_to_clipboard(self, text: str) -> None:
        """Copy a text, and say how far it came."""
        self._clipboard = text
        driver = self._driver
        if driver is not None:
            # Without waiting: tmux may hang.
            Thread(target=self._copy, args=(text, driver.write), name="copy", daemon=True).start()

    def _copy(self, text: str, write: Callable[[str], None]) -> None:
        told = copy(text, write)
        if isinstance(self.screen, Dialog) or "\n" in text:
            self.notify(told)
        else:
            # Where a terminal refuses to copy it, it has to be read.
            self.notify(text, title=told, timeout=None if told == COPIED else _READ_SECONDS)

    def on_notify(self) -> None:
        """Make room for the newest message, which Textual shows after this."""
        self.clear_notifications()

    async def on_event(self, event: events.Event) -> None:
        """Pass on one key at a time: in a burst, a key may change who gets the next."""
        if isinstance(event, _FROM_A_PERSON) and not event.is_forwarded:
            self._report_key()
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            if self._until_key:
                # It hides the samples that the key is about.
                self._until_key = False
                self.clear_notifications()
            await self._key_order.take(event)
        else:
            await super().on_event(event)

    def _report_key(self) -> None:
        """Tell a run that waits for a person that one is there."""
        waits = self._session.snapshot().wait_ends_at is not None
        if waits and not self._session.reading and monotonic() - self._key_reported > _KEY_SECONDS:
            self._key_reported = monotonic()
            self._session.send(KeyPressed())

    async def on_dialog_ready(self) -> None:
        """Pass on what was typed ahead of a dialog."""
        await self._key_order.go_on()

    def _takes_keys(self) -> bool:
        return not isinstance(self.screen, Dialog) or self.screen.takes_keys

    def action_redraw(self) -> None:
        """Draw everything anew, whatever another program has done to the terminal."""
        if isinstance(self._driver, TerminalDriver):
            self._driver.set_modes_anew()
        self.refresh(layout=True)

    def action_command_palette(self) -> None:
        if not isinstance(self.screen, Palette):
            self.push_screen(Palette(id="--command-palette"))

    def search_themes(self) -> None:
        self.push_screen(Palette([ThemeProvider], placeholder="Search for themes…"))

    async def action_quit(self) -> None:
        """Ask as `q` does: Textual binds ctrl+q to this everywhere."""
        while not isinstance(self.screen, KeyedScreen):
            self.pop_screen()
        self.run_screen.action_leave()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Offer every key of the screen in the palette, and the choice of a theme."""
        keyed = screen if isinstance(screen, KeyedScreen) else self.run_screen
        moment = keyed.moment
        for key in keyed.KEYS:
            if not key.is_absent(moment):
                does, why = key.words(moment), key.why_disabled(moment)
                words = f"{does} (not now: {why})" if why else does
                yield SystemCommand(key.label.capitalize(), words, partial(keyed.run_key, key))
        yield SystemCommand("Theme", "Choose a colour theme", self.search_themes)
