"""The main screen: where the run is, how it learns, how it sounds."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType

from engine.choices import NETWORK_TITLES, NetworkName
from engine.run.commands import (
    Command,
    Continue,
    Finish,
    Pause,
    PlotAttention,
    SaveCheckpoint,
    SetSentences,
    TrainNext,
)
from engine.run.snapshot import Event, Phase, Snapshot
from engine.run.stop import SetBudget, StopAt
from tui import formatting
from tui.audio.listening import Listening
from tui.keys import KEYS, Key, Moment
from tui.process.remote import Host
from tui.screens.dialog import Dialog
from tui.screens.keyed_screen import KeysFooter
from tui.screens.sample_actions import SampleActions
from tui.widgets.attention_view import AttentionView
from tui.widgets.checkpoints import Checkpoints
from tui.widgets.log_panel import LogPanel
from tui.widgets.loss_plot import LossPlot
from tui.widgets.notice import Notice
from tui.widgets.panels import Panels
from tui.widgets.samples import Samples
from tui.widgets.status import StallTimer, Status

if TYPE_CHECKING:
    from engine.session import SessionLike

_STILL = (Phase.CHECKED, Phase.PAUSED, Phase.AT_STOP, Phase.FAILED, Phase.STOPPED)
"""Phases in which nothing changes on the screen, and nothing is sent."""

_FRESH_SECONDS = 5.0
"""Before a screen opened: what happened then is shown for a moment."""


class RunScreen(SampleActions):
    """Shows one snapshot after the other, drawing only what changed; its keys confirm at once."""

    KEYS: ClassVar[tuple[Key, ...]] = KEYS
    BINDINGS: ClassVar[list[BindingType]] = [key.binding for key in KEYS]
    NOTES = (
        "The held-out loss is that of the averaged (EMA) weights, which auditions use. It stands "
        "above the training loss from the first steps: they are never trained on those clips, and "
        "the average lags behind. Overfitting is when it rises.",
    )
    AUTO_FOCUS = "#samples"

    def __init__(
        self,
        session: "SessionLike",
        listening: Listening,
        now: Callable[[], datetime],
        host: Callable[[], Host],
    ) -> None:
        """Take the run, what plays samples, a clock, and how to reach this host."""
        super().__init__()
        self.session, self.listening, self.now, self.host = session, listening, now, host
        self.snapshot: Snapshot = session.snapshot()
        """The run, seen from the network that is shown."""
        self._network: NetworkName | None = None
        """The network that the person chose, where both are trained."""
        self._stall = StallTimer()
        self._phases: dict[NetworkName, tuple[Phase, str]] = {}
        """What each network does, and since when."""
        self._opened = now().timestamp()
        self._is_painted = False
        self._sound_error = ""
        self.status = Status(reading=session.reading)
        self.notice = Notice(reading=session.reading)
        self.loss = LossPlot()
        self.attention = AttentionView()
        self.samples = Samples()
        self.log_panel = LogPanel()
        self.checkpoints = Checkpoints()
        self.panels = Panels(
            (self.loss, self.attention, self.checkpoints),
            (self.samples, self.log_panel),
            log=self.log_panel,
            table=self.checkpoints,
        )

    def compose(self) -> ComposeResult:
        self._add_breakpoint_classes()
        yield self.status
        yield self.notice
        yield self.panels
        yield KeysFooter()

    def _add_breakpoint_classes(self) -> None:
        """Do early what Textual does at the first layout: it would style everything again."""
        app = self.app
        for length, classes in zip(
            app.size, (app.HORIZONTAL_BREAKPOINTS, app.VERTICAL_BREAKPOINTS), strict=True
        ):
            self.add_class(*self._get_breakpoint_classes(length, classes or []))

    def on_mount(self) -> None:
        """Say on top what there is to say, so that the first layout has room for it."""
        self._show_state(self._take(self.snapshot), None, plots=True)

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        """At first, leave the styles alone: the widgets were given them when they were made."""
        event.refresh_styles = self._is_painted

    def paint(self) -> None:
        """Paint for the first time; before, there was only the frame of a picture."""
        self._is_painted = True
        self._compositor_refresh()

    def _compositor_refresh(self) -> None:
        if self._is_painted:
            super()._compositor_refresh()

    def show(self, snapshot: Snapshot, *, plots: bool = True, covered: bool = False) -> None:
        """Show a snapshot; the plots, which cost more, only with `plots`.

        Under another screen (`covered`) only events and samples are followed: Textual would
        redraw the whole upper screen for whatever changes below it.
        """
        snapshot = self._take(snapshot)
        silent = self._stall.update(snapshot, self.now())
        if not covered:
            self._show_state(snapshot, silent, plots=plots)
        self._show_events(snapshot)
        requested = self.listening.requested(snapshot)
        if requested is not None:
            if requested.note:
                self.say(f"sample at {requested.step:,}: {requested.note}")
            self.samples.select(requested)
            self.hear(requested.path, new=True)
        self.show_sound()
        if not covered:
            self.refresh_keys()
        if isinstance(self.app.screen, Dialog):
            self.app.screen.show(snapshot)

    def _take(self, run: Snapshot) -> Snapshot:
        """Keep a snapshot as it is seen from the network that is shown, and return it."""
        self._choose_busiest(run)
        self.snapshot = snapshot = self.seen(run)
        for one in snapshot.both:
            if self._phases.get(one.network, (None, ""))[0] is not one.phase:
                self._phases[one.network] = (one.phase, formatting.clock(self.now()))
        return snapshot

    def _choose_busiest(self, run: Snapshot) -> None:
        """At first, show the network that still trains if the other is already at its stop."""
        was_there = run.step == run.first_step or not self._phases
        if self._network is None and was_there and run.busiest is not run:
            self._network = run.busiest.network

    def seen(self, run: Snapshot) -> Snapshot:
        """Return a run as it is seen from the network that is shown."""
        return run if self._network is None else run.of(self._network)

    def action_other_network(self) -> None:
        """Show the other network of the two that are trained."""
        other = self.snapshot.other
        if other is not None:
            self._network = other.network
            self.show(self.session.snapshot())

    def _show_state(self, snapshot: Snapshot, silent: float | None, *, plots: bool) -> None:
        now = self.now()
        phase, since = self._phases[snapshot.network]
        still = f"since {since}" if phase in _STILL else ""
        self.status.show(snapshot, now, still or formatting.clock(now), silent, losses=plots)
        self.notice.show(snapshot, now)
        reads = snapshot.of("text2mel")
        self.panels.leave_out(None if reads.network == "text2mel" else self.attention)
        if plots:
            self._show_curve(snapshot)
            self.attention.show(reads.attention)
            self.checkpoints.show(snapshot.checkpoints, snapshot.scores)

    def _show_curve(self, snapshot: Snapshot) -> None:
        other = snapshot.other
        if other is None:
            self.loss.show(snapshot.curve)
        else:
            beside = (NETWORK_TITLES[other.network], other.curve)
            self.loss.show(snapshot.curve, f"loss of {NETWORK_TITLES[snapshot.network]}", beside)

    def show_sound(self) -> None:
        """Show what is playing, and whether a sample is on its way."""
        snapshot, sound = self.snapshot, self.listening.status
        self.samples.show(snapshot, sound, self.listening.played)
        speaking = snapshot.auditioning or self.listening.awaiting
        self.samples.say_state(speaking, sound.unavailable)
        if sound.last_error != self._sound_error:
            self._sound_error = sound.last_error
            if sound.last_error:
                self.say(f"no sound: {sound.last_error}", "warning")

    def _show_events(self, snapshot: Snapshot) -> None:
        for event in self.log_panel.show(snapshot.events):
            # One that came to be before the screen is in the log, and no news.
            if event.severity != "information" and event.time > self._opened - _FRESH_SECONDS:
                self._notify_out_of_sight(event)

    def note(self, text: str) -> None:
        """Write in the log alone."""
        self.log_panel.add(Event(self.now().timestamp(), text))

    def say(self, text: str, severity: str = "information") -> None:
        """Write in the log; if that is out of sight, show it for a moment."""
        event = Event(self.now().timestamp(), text, severity)
        self.log_panel.add(event)
        self._notify_out_of_sight(event)

    def _notify_out_of_sight(self, event: Event) -> None:
        if not self.log_panel.shows(event):
            plain = event.severity == "information"
            self.notify(event.text, severity="information" if plain else "warning", markup=False)

    @property
    def moment(self) -> Moment:
        """What decides which keys do something now."""
        return Moment(
            self.snapshot,
            len(self.attention.plots),
            warned=self.notice.warns(self.snapshot),
            reading=self.session.reading,
            attached=self.session.attached,
            one_panel=self.panels.one_at_a_time,
        )

    def action_attention_older(self) -> None:
        self.panels.bring(self.attention)
        self.attention.turn(-1)

    def action_attention_newer(self) -> None:
        self.panels.bring(self.attention)
        self.attention.turn(1)

    # What a key opens is imported then: it takes as long as the rest of the first picture.

    def action_check(self) -> None:
        from tui.screens.check_screen import CheckScreen

        self.app.push_screen(CheckScreen(self, self.snapshot))

    def action_scores(self) -> None:
        from tui.screens.scores_screen import ScoresScreen

        self.app.push_screen(ScoresScreen(self, self.snapshot))

    def action_why(self) -> None:
        from tui.screens.advice_dialog import AdviceDialog

        self.app.push_screen(AdviceDialog(self.snapshot), self._take_why)

    def _take_why(self, wants_scores: bool | None) -> None:
        if wants_scores:
            self.action_scores()

    def action_dismiss_warning(self) -> None:
        self.notice.dismiss(self.snapshot, self.now())
        self.refresh_keys()

    def action_zoom_loss(self) -> None:
        self.panels.bring(self.loss)
        self.loss.zoom()

    def action_maximise(self) -> None:
        self.panels.maximise()

    def action_next_panel(self) -> None:
        self.panels.turn(1)

    # The same behind another key, where Tab is for the networks.
    action_panel = action_next_panel

    def action_previous_panel(self) -> None:
        self.panels.turn(-1)

    def change(self, command: Command, what: str) -> None:
        """Ask for a change that the engine logs when it makes it: at the first step or later."""
        self.session.send(command)
        if self.snapshot.phase.before_steps:
            self.say(f"the {what} takes effect at the first step")

    def action_checkpoint(self) -> None:
        self.ask(SaveCheckpoint(), "checkpoint requested")

    def action_pause(self) -> None:
        self.ask(Pause(), "pause requested")

    def action_go_on(self) -> None:
        self.session.send(Continue())

    def action_draw_attention(self) -> None:
        self.ask(PlotAttention(), "attention plot requested")

    def action_stop_at(self) -> None:
        from tui.screens.stop_dialog import StopDialog

        self.app.push_screen(StopDialog(self.snapshot, self.now), self._take_stop)

    def _take_stop(self, answer: StopAt | SetBudget | None) -> None:
        if isinstance(answer, StopAt):
            self.change(StopAt(answer.rule, self.trained), "new stop")
        elif answer is not None:
            self.change(answer, "new budget")

    def action_train_next(self) -> None:
        from tui.screens.next_dialog import NextDialog

        self.app.push_screen(NextDialog(self.snapshot), self._take_next)

    def _take_next(self, command: TrainNext | None) -> None:
        if command is not None:
            self._network = command.network
            self.ask(command, f"{NETWORK_TITLES[command.network]} is next")

    def action_sentence(self) -> None:
        from tui.screens.sentence_dialog import SentenceDialog

        snapshot = self.snapshot
        dialog = SentenceDialog(snapshot.sentences, snapshot.voice_folder)
        self.app.push_screen(dialog, self._take_sentences)

    def _take_sentences(self, command: SetSentences | None) -> None:
        if command is not None and command.sentences != self.snapshot.sentences:
            self.change(command, "change of the sentences")

    def action_leave(self) -> None:
        """Leave at once where nothing can be lost, else ask what becomes of the run."""
        snapshot = self.snapshot
        at_stop = all(one.phase is Phase.AT_STOP and one.saved for one in snapshot.both)
        alone_at_stop = at_stop and snapshot.screens <= 1
        if snapshot.phase.ended:
            self.app.exit("end")
        elif self.session.reading:
            self.app.exit("keep training")
        elif snapshot.phase is Phase.STOPPING or alone_at_stop:
            self._take_leaving("stop")
        else:
            from tui.screens.quit_dialog import QuitDialog

            self.app.push_screen(QuitDialog(snapshot), self._take_leaving)

    def _take_leaving(self, answer: str | None) -> None:
        if answer == "stop":
            self.session.send(Finish())
            self.app.exit("end")
        elif answer == "keep":
            self.app.exit("keep training")
