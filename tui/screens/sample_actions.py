"""What the keys for samples do: speak, play, fetch, compare."""

from typing import TYPE_CHECKING

from engine.choices import NETWORK_TITLES, NetworkName
from engine.run.commands import Audition, Command
from tui.keys import find
from tui.screens.hearing import HearingScreen
from tui.widgets.panels import Panels
from tui.widgets.sample_rows import SampleRow
from tui.widgets.samples import Samples

if TYPE_CHECKING:
    from engine.advice.comparisons import Standing


class SampleActions(HearingScreen):
    """The part of the main screen that is about samples."""

    samples: Samples
    panels: Panels

    @property
    def trained(self) -> NetworkName | None:
        """The network that is shown, for commands to name; None where it is the only one."""
        return None if self.snapshot.other is None else self.snapshot.network

    def ask(self, command: Command, words: str) -> None:
        """Send a command to the engine, and say so."""
        self.session.send(command)
        self.say(words)

    def action_audition(self) -> None:
        """Ask for the sentence that is shown, spoken by the weights of this moment."""
        self.listening.request(self.snapshot)
        audition = Audition(self.samples.sentence, network=self.trained)
        self.ask(audition, f"audition requested at step {self.snapshot.step:,}")

    def on_data_table_row_selected(self) -> None:
        """Do on Enter, or on a second click, what the key says."""
        self.action_speak_selected()

    def action_speak_selected(self) -> None:
        """Speak the sentence with the selected checkpoint; play it where that is not possible."""
        row = self.samples.row
        if row is None:
            return
        why = self._cannot_speak_again(row)
        if why and row.sample is not None:
            self.say(f"{why}; playing the sample")
            self.action_replay()
        elif why:
            self.say(f"speak: {why}", "warning")
        else:
            self.listening.request(self.snapshot)
            ssrn = row.network == "ssrn"
            step, ssrn_step = (None, row.step) if ssrn else (row.step, None)
            network = row.network if self.snapshot.other else None
            audition = Audition(self.samples.sentence, step, ssrn_step, network=network)
            self.ask(audition, f"audition requested with checkpoint {row.step:,}")

    def _cannot_speak_again(self, row: SampleRow) -> str:
        """Say why the weights of a row cannot speak now; empty where they can."""
        if row.checkpoint is None:
            return f"there is no checkpoint {row.step:,} on disk"
        if all(row.network != one.network for one in self.snapshot.both):
            return f"this run trains {NETWORK_TITLES[self.snapshot.network]}"
        key = find("audition", self.KEYS)
        return key.why_disabled(self.moment) if key else ""

    def action_older_sample(self) -> None:
        """Play the same sentence at the checkpoint before."""
        self._step_and_play(-1)

    def action_newer_sample(self) -> None:
        """Play the same sentence at the checkpoint after."""
        self._step_and_play(1)

    def _step_and_play(self, by: int) -> None:
        self.panels.bring(self.samples)
        if self.samples.turn(by):
            self.action_replay()
        else:
            age = "older" if by < 0 else "newer"
            self.say(f"there is no {age} sample of this sentence")

    def action_previous_sentence(self) -> None:
        self._turn_sentence(-1)

    def action_next_sentence(self) -> None:
        self._turn_sentence(1)

    def _turn_sentence(self, by: int) -> None:
        self.panels.bring(self.samples)
        if not self.samples.turn_sentence(by):
            asks = self.snapshot.network == "text2mel" and not self.session.reading
            self.say("there is no other sentence" + ("; e adds some" if asks else ""))

    def action_listen(self) -> None:
        """Show the address of the listening page."""
        from tui.screens.listen_dialog import ListenDialog

        self.app.push_screen(ListenDialog())

    def action_mark(self) -> None:
        """Mark the selected checkpoint for the blind comparison, or unmark it."""
        row = self.samples.row
        if row is None:
            return
        if row.network != self.snapshot.network:
            shown = NETWORK_TITLES[self.snapshot.network]
            why = f"this run trains {shown}"
            if self.snapshot.other is not None:
                why = f"the screen shows {shown}; tab shows {NETWORK_TITLES[row.network]}"
            self.say(f"mark: {why}", "warning")
            return
        self.samples.marked ^= {(row.network, row.step)}
        marked = sorted(step for of, step in self.samples.marked if of == row.network)
        words = " and ".join(f"{step:,}" for step in marked) or "nothing"
        more = "mark another, then b compares them" if len(marked) == 1 else "b compares them"
        self.say(f"marked: {words}" + (f"; {more}" if marked else "; b compares all checkpoints"))
        self.show_sound()

    def action_compare(self) -> None:
        """Compare the marked checkpoints, or all there are, without saying which is which."""
        from tui.screens.blind_screen import BlindScreen

        network = self.snapshot.network
        steps = [step for of, step in self.samples.marked if of == network]
        self.app.push_screen(BlindScreen(self, steps), self._take_standing)

    def _take_standing(self, standing: "Standing | None") -> None:
        if standing is not None and standing.answers:
            self.say(f"comparison: {standing.words}")

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
        if sample is None:
            self.say("replay: this checkpoint has not spoken the sentence yet", "warning")
        else:
            self.hear(sample.path, f"{sample.sentence} · {sample.step:,}")

    def action_original(self) -> None:
        """Play the recording that a sample was made from."""
        sample = self.samples.chosen
        if sample is None or sample.original is None:
            self.say("this sample has no original recording", "warning")
        else:
            self.hear(sample.original, f"{sample.sentence} · original")
