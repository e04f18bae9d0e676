"""What the keys for samples do: speak, play, fetch, compare."""

from engine.run.commands import Audition, Command
from tui.screens.hearing import HearingScreen
from tui.widgets.samples import Samples


class SampleActions(HearingScreen):
    """The part of the main screen that is about samples."""

    samples: Samples

    def ask(self, command: Command, words: str) -> None:
        """Send a command to the engine, and say so."""
        self.session.send(command)
        self.say(words)

    def action_audition(self) -> None:
        """Ask for the sentence that is shown, spoken by the weights of this moment."""
        self.listening.request(self.snapshot)
        audition = Audition(sentence=self.samples.sentence)
        self.ask(audition, f"audition requested at step {self.snapshot.step:,}")

    def on_data_table_row_selected(self) -> None:
        """Enter and a click on a row do the same."""
        self.action_speak_selected()

    def action_speak_selected(self) -> None:
        """Speak the sentence with the selected checkpoint."""
        self.action_replay()

    def action_older_sample(self) -> None:
        """Play the same sentence at the checkpoint before."""
        self._step_and_play(-1)

    def action_newer_sample(self) -> None:
        """Play the same sentence at the checkpoint after."""
        self._step_and_play(1)

    def _step_and_play(self, by: int) -> None:
        if self.samples.turn(by):
            self.action_replay()

    def action_previous_sentence(self) -> None:
        self.samples.turn_sentence(-1)

    def action_next_sentence(self) -> None:
        self.samples.turn_sentence(1)

    def action_listen(self) -> None:
        """Show the address of the listening page."""
        self.say("the listening page comes with its own change", "warning")

    def action_mark(self) -> None:
        """Mark the selected checkpoint for the blind comparison, or unmark it."""
        self.say("marking comes with its own change", "warning")

    def action_compare(self) -> None:
        """Compare two checkpoints, blind."""
        self.say("the blind comparison comes with its own change", "warning")

    def action_copy_player(self) -> None:
        """Copy the command that plays the selected sample on the person's own machine."""
        if self.samples.chosen is not None:
            self.copy_player(self.samples.chosen.path)

    def action_copy_scp(self) -> None:
        """Copy the scp command for the selected sample, and for its original."""
        sample = self.samples.chosen
        if sample is not None:
            self.copy_scp([path for path in (sample.path, sample.original) if path])

    def action_replay(self) -> None:
        sample = self.samples.chosen
        if sample is not None:
            self.hear(sample.path, f"{sample.sentence} · {sample.step:,}")

    def action_original(self) -> None:
        """Play the recording that a sample was made from."""
        sample = self.samples.chosen
        if sample is None or sample.original is None:
            self.say("this sample has no original recording", "warning")
        else:
            self.hear(sample.original, f"{sample.sentence} · original")
