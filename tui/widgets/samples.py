"""The samples made so far, the newest on top."""

from pathlib import Path

from rich.text import Text
from textual.content import Content
from textual.coordinate import Coordinate
from textual.widgets import DataTable

from engine.formatting import printable
from engine.run.sample import Sample
from tui.formatting import NETWORKS, short_steps

_MARK = 2
"""The column that says whether a sample is playing or was played."""


class Samples(DataTable[Text]):
    """A list of samples: step and network, length, whether it was played, and a note."""

    BORDER_TITLE = "samples"

    def __init__(self) -> None:
        super().__init__(
            id="samples", classes="panel", cursor_type="row", show_header=False, cell_padding=1
        )
        self._samples: tuple[Sample, ...] = ()
        self._marks: tuple[Path | None, frozenset[Path]] = (None, frozenset())
        self._state: tuple[str, bool, str] | None = None
        self.sentence = ""
        """The sentence whose samples are shown; empty before there is one."""

    def on_mount(self) -> None:
        for width in (None, None, len("playing"), None):
            self.add_column("", width=width)

    @property
    def chosen(self) -> Sample | None:
        """The selected sample; the newest one unless the person moved."""
        if not self._samples:
            return None
        last = len(self._samples) - 1
        return self._samples[last - min(self.cursor_row, last)]

    def turn(self, by: int) -> bool:
        """Select an older (−1) or newer (+1) sample; return whether there is one."""
        row = self.cursor_row - by
        if not 0 <= row < len(self._samples):
            return False
        self.move_cursor(row=row)
        return True

    def turn_sentence(self, by: int) -> None:
        """Show the samples of the previous (−1) or next (+1) sentence."""

    def show(
        self, samples: tuple[Sample, ...], sounding: Path | None, heard: frozenset[Path]
    ) -> None:
        """List the samples and mark the one that is playing and those that were played."""
        marks = (sounding, heard)
        if samples is self._samples and marks == self._marks:
            return
        self._marks = marks
        if samples is self._samples:
            for row, sample in enumerate(reversed(samples)):
                self.update_cell_at(Coordinate(row, _MARK), self._mark(sample))
            return
        self._relist(samples)

    def _relist(self, samples: tuple[Sample, ...]) -> None:
        chosen = self.chosen if self.cursor_row > 0 else None
        self._samples = samples
        self.clear()
        for row, sample in enumerate(reversed(samples)):
            self.add_row(*self._cells(sample))
            if sample is chosen:
                self.move_cursor(row=row)

    def _cells(self, sample: Sample) -> list[Text]:
        note, sentence = printable(sample.note), printable(sample.sentence)
        return [
            Text(f"{short_steps(sample.step)} {NETWORKS[sample.network]}", justify="right"),
            Text(f"{sample.seconds:.1f} s", justify="right"),
            self._mark(sample),
            Text.assemble(note, "  " if note and sentence else "", (sentence, "dim")),
        ]

    def _mark(self, sample: Sample) -> Text:
        sounding, heard = self._marks
        if sample.path == sounding or (sounding is not None and sample.original == sounding):
            return Text("playing", style="bold")
        return Text("played" if sample.path in heard else "new", style="dim")

    def say_state(self, sentence: str, speaking: bool, unavailable: str) -> None:
        """Show what auditions speak, whether one is being made, and whether it can be played."""
        state = (sentence, speaking, unavailable)
        if state == self._state:
            return
        self._state = state
        self.border_title = Content.assemble(
            "samples", (f" · “{printable(sentence)}”" if sentence else "", "$foreground")
        )
        if speaking:
            self.border_subtitle = Content.styled("speaking…", "bold $training")
        else:
            self.border_subtitle = Content(
                "no sound here · l listen · y copy" if unavailable else ""
            )
