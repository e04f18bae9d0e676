"""The main screen: where the run is, how it learns, how it sounds."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import DataTable

from engine.run.snapshot import Event, Phase, Sample, Snapshot
from tui import formatting
from tui.audio.listening import Listening
from tui.keys import KEYS, Key, Moment
from tui.screens.check_screen import CheckScreen
from tui.screens.keyed_screen import KeysFooter
from tui.screens.run_actions import RunActions
from tui.widgets.attention_view import AttentionView
from tui.widgets.log_panel import LogPanel
from tui.widgets.loss_plot import LossPlot
from tui.widgets.notice import Notice
from tui.widgets.panels import Panels
from tui.widgets.samples import Samples
from tui.widgets.status import StallTimer, Status

if TYPE_CHECKING:
    from engine.session import SessionLike


class RunScreen(RunActions):
    """Shows one snapshot after the other; draws only what changed."""

    KEYS: ClassVar[tuple[Key, ...]] = KEYS
    BINDINGS: ClassVar[list[BindingType]] = [binding for key in KEYS for binding in key.bindings()]
    AUTO_FOCUS = ""

    def __init__(
        self,
        session: "SessionLike",
        listening: Listening,
        now: Callable[[], datetime],
        address: str,
        *,
        ascii_only: bool,
        plain: bool,
        reading: bool = False,
    ) -> None:
        """Draw in ASCII alone where `ascii_only`, and without colour where `plain`."""
        super().__init__(session, listening, now, address, reading=reading)
        self._ascii_only = ascii_only
        self._stall = StallTimer()
        self._phase_since = formatting.clock(now())
        self._sound_error = ""
        self.status = Status(ascii_only=ascii_only, reading=reading)
        self.notice = Notice(reading=reading)
        self.loss = LossPlot(ascii_only=ascii_only)
        self.attention = AttentionView(plain=plain or ascii_only)
        self.samples = Samples()
        self.log_panel = LogPanel()
        self.panels = Panels((self.loss, self.attention), (self.samples, self.log_panel))

    def compose(self) -> ComposeResult:
        """Lay out status, notice, panels and footer."""
        self.set_class(self._ascii_only, "-ascii")
        yield self.status
        yield self.notice
        yield self.panels
        yield KeysFooter()

    def show(self, snapshot: Snapshot, *, plots: bool, covered: bool = False) -> None:
        """Show a snapshot; the plots, which cost more, only with `plots`.

        Under another screen (`covered`) only events and samples are followed: Textual would
        redraw the whole upper screen for whatever changes below it.
        """
        if snapshot.phase is not self.snapshot.phase:
            self._phase_since = formatting.clock(self.now())
        self.snapshot = snapshot
        silent = self._stall.update(snapshot, self.now())
        if not covered:
            self._show_state(snapshot, silent, plots=plots)
        self._show_events(snapshot)
        requested = self.listening.requested(snapshot)
        if requested is not None:
            if requested.note:
                self.say(f"sample at {requested.step:,}: {requested.note}")
            self.hear(requested)
        self.show_sound()
        if not covered:
            self.refresh_keys()

    def _show_state(self, snapshot: Snapshot, silent: float | None, *, plots: bool) -> None:
        now = self.now()
        self.status.show(snapshot, now, self._time(now), silent, losses=plots)
        self.notice.show(snapshot, now)
        self.panels.leave_out(self.attention if snapshot.network == "ssrn" else None)
        if plots:
            self.loss.show(snapshot.curve)
            self.attention.show(snapshot.attention)

    def show_sound(self) -> None:
        """Show what is playing, and whether a sample is on its way."""
        snapshot, sound = self.snapshot, self.listening.status
        self.samples.show(snapshot.samples, sound.playing, self.listening.played)
        speaking = snapshot.auditioning or self.listening.awaiting
        spoken = snapshot.sentence if snapshot.network == "text2mel" else ""
        self.samples.say_state(spoken, speaking, sound.unavailable)
        if sound.last_error != self._sound_error:
            self._sound_error = sound.last_error
            if sound.last_error:
                self.say(f"no sound: {sound.last_error}", "warning")

    def _show_events(self, snapshot: Snapshot) -> None:
        for event in self.log_panel.show(snapshot.events):
            if event.severity != "information" and not self._log_in_sight:
                self.notify(event.text, severity="warning", markup=False)

    def _time(self, now: datetime) -> str:
        """Return the time of day, or since when nothing changes: a still screen sends nothing."""
        still = (Phase.CHECKED, Phase.PAUSED, Phase.AT_STOP, Phase.FAILED, Phase.STOPPED)
        return (
            f"since {self._phase_since}" if self.snapshot.phase in still else formatting.clock(now)
        )

    @property
    def _log_in_sight(self) -> bool:
        return self.log_panel.is_on_screen

    def say(self, text: str, severity: str = "information") -> None:
        """Write in the log; if that is out of sight, show it for a moment."""
        self.log_panel.say(Event(self.event_time(), text, severity))
        if not self._log_in_sight:
            level = "warning" if severity != "information" else "information"
            self.notify(text, severity=level, markup=False)  # type: ignore[arg-type]

    def chosen_sample(self) -> Sample | None:
        """Return the selected sample, the newest one unless the person moved."""
        return self.samples.chosen

    @property
    def moment(self) -> Moment:
        """What decides which keys do something now."""
        return Moment(
            self.snapshot,
            len(self.attention.plots),
            warned=self.notice.warns(self.snapshot),
            reading=self.reading,
            attached=self.attached,
        )

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Play the sample that was picked in the list."""
        self.action_replay()

    def action_attention_older(self) -> None:
        """Show an older attention plot."""
        self.attention.turn(-1)

    def action_attention_newer(self) -> None:
        """Show a newer attention plot."""
        self.attention.turn(1)

    def action_check(self) -> None:
        """Show the check of the recordings."""
        self.app.push_screen(CheckScreen(self, self.snapshot))

    def action_dismiss_warning(self) -> None:
        """Dismiss the warning at the top."""
        self.notice.dismiss(self.snapshot, self.now())
        self.refresh_keys()

    def action_maximise(self) -> None:
        """Give one panel the whole screen, or give it back."""
        self.panels.maximise()

    def action_next_panel(self) -> None:
        """Go to the next panel."""
        self.panels.next()
