"""What the keys of the main screen do, apart from how it looks."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from engine.formatting import plural, printable
from engine.run.commands import (
    Audition,
    Command,
    Continue,
    Finish,
    Pause,
    PlotAttention,
    SaveCheckpoint,
    SetBudget,
    SetSentence,
    StopAt,
)
from engine.run.snapshot import Phase, Sample, Snapshot
from tui import formatting
from tui.audio.listening import Listening, scp_line
from tui.process.endings import ExitReason
from tui.screens.keyed_screen import KeyedScreen
from tui.screens.quit_dialog import Leaving, QuitDialog
from tui.screens.sentence_dialog import SentenceDialog
from tui.screens.stop_dialog import StopDialog

if TYPE_CHECKING:
    from engine.session import SessionLike


class RunActions(KeyedScreen):
    """The actions behind the keys; each confirms at once."""

    def __init__(
        self,
        session: "SessionLike",
        listening: Listening,
        now: Callable[[], datetime],
        address: str,
        *,
        reading: bool = False,
    ) -> None:
        """Take the address of this host as seen from outside, `user@host`."""
        super().__init__()
        self.reading = reading
        """Whether the screen is read-only."""
        self.session = session
        self.listening = listening
        self.now = now
        self.address = address
        self.snapshot: Snapshot = session.snapshot()
        self.attached = False
        """Whether another process trains, so that leaving leaves the run alone."""

    def show_sound(self) -> None:
        """Show what is playing, and whether a sample is on its way."""
        raise NotImplementedError

    def chosen_sample(self) -> Sample | None:
        """Return the selected sample."""
        raise NotImplementedError

    def ask(self, command: Command, words: str) -> None:
        """Send a command to the engine, and confirm it."""
        self.session.send(command)
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
        self.ask(Continue(), "resuming")

    def action_draw_attention(self) -> None:
        """Ask for a new attention plot."""
        self.ask(PlotAttention(), "attention plot requested")

    def action_stop_at(self) -> None:
        """Ask the person when to stop."""
        self.app.push_screen(StopDialog(lambda: self.snapshot, self.now), self._take_stop)

    def _take_stop(self, answer: StopAt | SetBudget | None) -> None:
        if isinstance(answer, SetBudget):
            self.ask(answer, f"budget: {formatting.dollars(answer.usd)}")
        elif answer is not None:
            stop = "no stop" if answer.rule is None else f"stop at {answer.rule.text}"
            self.ask(answer, f"{stop} requested")

    def action_sentence(self) -> None:
        """Ask the person what auditions speak."""
        self.app.push_screen(SentenceDialog(self.snapshot.sentence), self._take_sentence)

    def _take_sentence(self, sentence: str | None) -> None:
        if sentence is not None and sentence != self.snapshot.sentence:
            self.ask(SetSentence(sentence), "new sentence requested")

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

    def hear(self, sample: Sample) -> None:
        """Play a sample, or say how to fetch it if this host has no sound."""
        unavailable = self.listening.status.unavailable
        if unavailable:
            line = scp_line(self.address, sample.path)
            self.say(f"no sound here ({unavailable}); y copies: {line}", "warning")
        else:
            self.listening.play(sample.path)
            self.show_sound()

    def action_replay(self) -> None:
        """Play the selected sample."""
        sample = self.chosen_sample()
        if sample is not None:
            self.hear(sample)

    def action_original(self) -> None:
        """Play the recording that a sample was made from."""
        sample = self.chosen_sample()
        if sample is None or sample.original is None:
            self.say("this sample has no original recording", "warning")
        elif self.listening.status.unavailable:
            line = scp_line(self.address, sample.original)
            self.say(f"no sound here ({self.listening.status.unavailable}): {line}", "warning")
        else:
            self.listening.play(sample.original)
            self.show_sound()

    def action_copy_scp(self) -> None:
        """Copy the scp command for the selected sample to the person's own clipboard."""
        sample = self.chosen_sample()
        if sample is not None:
            line = scp_line(self.address, sample.path)
            self.app.copy_to_clipboard(line)
            self.say(f"copied, if the terminal allows it: {line}")

    def event_time(self) -> float:
        """Return the moment as events carry it."""
        return self.now().timestamp()
