"""The main screen: where the run is, how it learns, how it sounds."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import DataTable

from engine.formatting import plural, printable
from engine.run.commands import (
    Audition,
    Command,
    Continue,
    Finish,
    Pause,
    PlotAttention,
    SaveCheckpoint,
    SetSentence,
)
from engine.run.snapshot import Event, Phase, Snapshot
from engine.run.stop import SetBudget, StopAt
from tui import formatting
from tui.audio.listening import Listening, scp_line
from tui.keys import KEYS, Key, Moment
from tui.process.endings import ExitReason
from tui.screens.check_screen import CheckScreen
from tui.screens.keyed_screen import KeyedScreen, KeysFooter
from tui.screens.quit_dialog import Leaving, QuitDialog
from tui.screens.sentence_dialog import SentenceDialog
from tui.screens.stop_dialog import StopDialog
from tui.widgets.attention_view import AttentionView
from tui.widgets.log_panel import LogPanel
from tui.widgets.loss_plot import LossPlot
from tui.widgets.notice import Notice
from tui.widgets.panels import Panels
from tui.widgets.samples import Samples
from tui.widgets.status import StallTimer, Status

if TYPE_CHECKING:
    from engine.session import SessionLike


class RunScreen(KeyedScreen):
    """Shows one snapshot after the other, drawing only what changed; its keys confirm at once."""

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
    ) -> None:
        """Draw in ASCII alone where `ascii_only`, and without colour where `plain`.

        `address` is this host as seen from outside, `user@host`.
        """
        super().__init__()
        self.session, self.listening, self.now, self.address = session, listening, now, address
        self.attached, self.reading = session.attached, session.reading
        self.snapshot: Snapshot = session.snapshot()
        self._ascii_only = ascii_only
        self._stall = StallTimer()
        self._phase_since = formatting.clock(now())
        self._sound_error = ""
        self.status = Status(ascii_only=ascii_only, reading=session.reading)
        self.notice = Notice(reading=session.reading)
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
            self.hear(requested.path)
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
        self.log_panel.say(Event(self.now().timestamp(), text, severity))
        if not self._log_in_sight:
            level = "warning" if severity != "information" else "information"
            self.notify(text, severity=level, markup=False)  # type: ignore[arg-type]

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

    def ask(self, command: Command, words: str = "") -> None:
        """Send a command to the engine; say `words` where the engine logs nothing at once."""
        self.session.send(command)
        if words:
            self.say(words)

    def action_audition(self) -> None:
        """Ask for a sample; it is played when it comes."""
        self.listening.request(self.snapshot)
        self.ask(Audition(), f"audition requested at step {self.snapshot.step:,}")

    def action_checkpoint(self) -> None:
        """Ask for a checkpoint."""
        self.ask(SaveCheckpoint(), "checkpoint requested")

    def action_pause(self) -> None:
        """Ask for a pause."""
        self.ask(Pause(), "pause requested")

    def action_go_on(self) -> None:
        """Ask to resume."""
        self.ask(Continue())

    def action_draw_attention(self) -> None:
        """Ask for a new attention plot."""
        self.ask(PlotAttention(), "attention plot requested")

    def action_stop_at(self) -> None:
        """Ask the person when to stop."""
        self.app.push_screen(StopDialog(lambda: self.snapshot, self.now), self._take_stop)

    def _take_stop(self, answer: StopAt | SetBudget | None) -> None:
        if answer is not None:
            self.ask(answer)

    def action_sentence(self) -> None:
        """Ask the person what auditions speak."""
        self.app.push_screen(SentenceDialog(self.snapshot.sentence), self._take_sentence)

    def _take_sentence(self, sentence: str | None) -> None:
        if sentence is not None and sentence != self.snapshot.sentence:
            self.ask(SetSentence(sentence))

    def action_leave(self) -> None:
        """Leave at once where nothing can be lost, else ask what becomes of the run."""
        phase = self.snapshot.phase
        if phase.ended:
            self.app.exit(ExitReason.ENDED)
        elif self.reading:
            self.app.exit(ExitReason.KEEP_TRAINING)
        elif phase is Phase.CHECKED:
            dialog = QuitDialog(
                "Training has not started; nothing is lost.",
                stop="stop, and fix the recordings",
                keep="train on the usable clips without the screen",
            )
            self.app.push_screen(dialog, self._take_leaving)
        elif phase is Phase.STOPPING or (
            phase is Phase.AT_STOP and self.snapshot.saved and not self._shared
        ):
            self._take_leaving("stop")
        else:
            step = f"{self.snapshot.step:,}"
            about = f"The run is {phase.value}"
            about += "." if phase is Phase.PREPARING else f" at step {step}."
            if phase is Phase.AT_STOP:
                about = f"Step {step} could not be saved; esc stays, then c tries again."
                if self.snapshot.saved:
                    about = f"Stopped at {step}, saved."
            about = " ".join(filter(None, (about, self._about_unsaved())))
            self.app.push_screen(self._quit_dialog(about), self._take_leaving)

    def _about_unsaved(self) -> str:
        """Say what would be lost if the disk takes no checkpoints."""
        snapshot = self.snapshot
        if not snapshot.saving_trouble or not snapshot.unsaved:
            return ""
        steps = plural(snapshot.unsaved, "step")
        why = printable(snapshot.saving_trouble).rstrip(".")
        if snapshot.saving_step is not None:
            return f"{steps} not saved yet: {why}."
        return f"{steps} cannot be saved: {why}; otherwise lost two minutes after you stop."

    @property
    def _shared(self) -> bool:
        """Whether other screens control the run."""
        return self.snapshot.screens > 1

    def _quit_dialog(self, about: str) -> QuitDialog:
        others = self.snapshot.screens - 1
        if others > 0:
            screens = "Another screen is" if others == 1 else f"{others} other screens are"
            about = f"{about} {screens} open on it."
            if self.snapshot.phase is Phase.PAUSED:
                about += " The last to leave ends the pause."
        keep = self._words_for_keeping()
        if not self.attached:
            return QuitDialog(about, keep=keep)
        stop = "stop and save (ends the run for everyone)" if others > 0 else "stop and save"
        return QuitDialog(about, stop=stop, keep=keep, keep_first=True)

    def _words_for_keeping(self) -> str:
        """Say what becomes of the run if the person does not end it."""
        phase = self.snapshot.phase
        if phase is Phase.AT_STOP:
            return "leave it to the others" if self._shared else "leave: it saves and ends"
        if phase is Phase.PAUSED:
            return "leave it paused" if self._shared else "end the pause and keep training"
        return "leave it running" if self.attached else "keep training without the screen"

    def _take_leaving(self, answer: Leaving | None) -> None:
        if answer == "stop":
            self.session.send(Finish())
            self.app.exit(ExitReason.QUIT)
        elif answer == "keep":
            self.app.exit(ExitReason.KEEP_TRAINING)

    def hear(self, path: Path) -> None:
        """Play a sound, or say how to fetch it if this host has no sound."""
        unavailable = self.listening.status.unavailable
        if unavailable:
            line = scp_line(self.address, path)
            self.say(f"no sound here ({unavailable}): {line}", "warning")
        else:
            self.listening.play(path)
            self.show_sound()

    def action_replay(self) -> None:
        """Play the selected sample."""
        sample = self.samples.chosen
        if sample is not None:
            self.hear(sample.path)

    def action_original(self) -> None:
        """Play the recording that a sample was made from."""
        sample = self.samples.chosen
        if sample is None or sample.original is None:
            self.say("this sample has no original recording", "warning")
        else:
            self.hear(sample.original)

    def action_copy_scp(self) -> None:
        """Copy the scp command for the selected sample to the person's own clipboard."""
        sample = self.samples.chosen
        if sample is not None:
            line = scp_line(self.address, sample.path)
            self.app.copy_to_clipboard(line)
            self.say(f"copied, if the terminal allows it: {line}")
