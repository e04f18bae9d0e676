"""The samples of a sentence: what each checkpoint makes of it, the newest on top."""

from pathlib import Path

from rich.text import Text
from textual.content import Content

from engine.choices import NETWORK_TITLES, NetworkName
from engine.formatting import printable
from engine.run.sample import Sample
from engine.run.snapshot import Snapshot
from tui import formatting
from tui.audio.sound_card import PlayerStatus
from tui.widgets.axes import step_labels
from tui.widgets.checkpoints import best_words
from tui.widgets.sample_rows import SampleRow, rows_of, sentences_of
from tui.widgets.table import Table

_UNSPOKEN = "not spoken yet"
_PLAYING = "▶ playing"
_ALL_COLUMNS_FROM, _SSRN_FROM = 60, 100
"""Columns of the panel below which a row leaves out what is the same in most of them."""

_WORDS_FROM = 16
"""Cells that make room for the words that were misread."""


class Samples(Table):
    """A list of the samples of one sentence; the selected one is marked with or without focus."""

    BORDER_TITLE = "samples"

    def __init__(self) -> None:
        super().__init__(
            id="samples", classes="panel", cursor_type="row", show_header=False, cell_padding=1
        )
        self.sentence = ""
        """The sentence whose samples are shown; empty before there is one."""
        self.marked: frozenset[tuple[NetworkName, int]] = frozenset()
        """Networks and steps of the checkpoints that are marked for the comparison."""
        self._rows: list[SampleRow] = []
        self._sentences: tuple[str, ...] = ()
        self._chosen_sentence = False
        """Whether the person chose the sentence: then none that comes takes its place."""
        self._snapshot: Snapshot | None = None
        self._sound: tuple[Path | None, frozenset[Path]] = (None, frozenset())
        self._state: object = None
        self._said: tuple[bool, str] | None = None

    @property
    def row(self) -> SampleRow | None:
        """The selected row; the newest sample unless the person moved."""
        return self._rows[self.cursor_row] if 0 <= self.cursor_row < len(self._rows) else None

    @property
    def chosen(self) -> Sample | None:
        """The selected sample; None where the selected checkpoint has not spoken yet."""
        return self.row.sample if self.row else None

    def show(self, snapshot: Snapshot, sound: PlayerStatus, played: frozenset[Path]) -> None:
        """List the samples, and mark the one that is playing and those that were played."""
        sounding = (sound.playing, played)
        state = (
            snapshot.samples, snapshot.checkpoints, snapshot.sentences, snapshot.speaking,
            snapshot.network, sounding, self.sentence, self.marked,
        )  # fmt: skip
        if state == self._state:
            return
        self._state, self._snapshot, self._sound = state, snapshot, sounding
        self._relist(snapshot)

    def select(self, sample: Sample) -> None:
        """Select a sample that was listed before or comes with the next snapshot."""
        self._chosen_sentence = self._chosen_sentence or sample.sentence != self.sentence
        self.sentence = sample.sentence
        if self._snapshot is not None:
            self._relist(self._snapshot)
            self._move_to(next((n for n, r in enumerate(self._rows) if r.key == sample.path), None))

    def turn(self, by: int) -> bool:
        """Select the sample one checkpoint older (−1) or newer (+1); return whether there is one.

        Checkpoints that have not spoken are passed over.
        """
        rows = range(self.cursor_row - by, len(self._rows) if by < 0 else -1, -by)
        found = next((n for n in rows if 0 <= n < len(self._rows) and self._rows[n].sample), None)
        self._move_to(found)
        return found is not None

    def turn_sentence(self, by: int) -> bool:
        """Show the previous (−1) or next (+1) sentence; return whether there is another."""
        if self._snapshot is None or len(self._sentences) < 2:
            return False
        place = self._sentences.index(self.sentence)
        self.sentence = self._sentences[(place + by) % len(self._sentences)]
        self._chosen_sentence = True
        self._relist(self._snapshot)
        return True

    def on_resize(self) -> None:
        """Fit the columns to the width."""
        self._draw_rows(anew=True)

    def on_data_table_row_highlighted(self) -> None:
        """Mark the selected row."""
        self._draw_rows()

    def _relist(self, snapshot: Snapshot) -> None:
        self._sentences = sentences_of(snapshot)
        before = self.row
        if self.sentence not in self._sentences or not self._chosen_sentence:
            self.sentence = next(iter(self._sentences), "")
        follows = before is None or before.key == self._newest_key
        self._rows = rows_of(snapshot, self.sentence)
        keys = [row.key for row in self._rows]
        key = self._newest_key if follows or before is None else before.key
        place = keys.index(key) if key in keys else self._nearest(before)
        self._draw_rows()
        self._move_to(place)
        self._show_title()

    @property
    def _newest_key(self) -> object:
        """The newest sample, or the newest checkpoint where none has spoken."""
        spoken = (row.key for row in self._rows if row.sample)
        return next(spoken, self._rows[0].key if self._rows else None)

    def _nearest(self, before: SampleRow | None) -> int:
        """Find the row whose step is nearest to that of a row which is gone."""
        if before is None or not self._rows:
            return 0
        return min(range(len(self._rows)), key=lambda n: abs(self._rows[n].step - before.step))

    def _move_to(self, row: int | None) -> None:
        if row is not None and row != self.cursor_row:
            self.move_cursor(row=row)
            self._draw_rows()

    def _draw_rows(self, *, anew: bool = False) -> None:
        """Draw the cells that changed, or all if there are more or fewer rows."""
        steps = self._steps()
        cells = [
            self._cells(row, steps[n], n == self.cursor_row) for n, row in enumerate(self._rows)
        ]
        self._add_tags(cells)
        columns = len(cells[0]) if cells else 0
        if anew or len(cells) != self.row_count or columns != len(self.columns):
            place = self.cursor_row
            self.fill(cells)
            self.move_cursor(row=min(place, max(0, len(cells) - 1)))
        else:
            self.change(cells)

    def _steps(self) -> list[str]:
        """Write the steps of all rows, in one width."""
        written = step_labels([row.step for row in self._rows])
        longest = max(map(len, written), default=0)
        return [step.rjust(longest) for step in written]

    def _add_tags(self, cells: list[list[Text]]) -> None:
        """Say at the end of each row what is special about it, cut off where it has no room."""
        if not cells:
            return
        widths = [max(cell.cell_len for cell in column) for column in zip(*cells, strict=True)]
        padding = 2 * self.cell_padding * (len(widths) + 1)
        room = max(1, self.scrollable_content_region.width - sum(widths) - padding)
        for row, drawn in zip(self._rows, cells, strict=True):
            tags = self._tags(row, room)
            tags.truncate(room, overflow="ellipsis")
            drawn.append(tags)

    def _cells(self, row: SampleRow, step: str, is_selected: bool) -> list[Text]:
        sample = row.sample
        cells = [
            Text(f"{'▸' if is_selected else ' '}{step}", style="bold" if is_selected else ""),
            Text(f"{sample.seconds:.1f} s" if sample else "", justify="right"),
            self._mark(row),
        ]
        if self._is_roomy:
            cells.insert(1, Text(self._network(row)))
        return cells

    @property
    def _is_roomy(self) -> bool:
        return self.size.width >= _ALL_COLUMNS_FROM

    def _network(self, row: SampleRow) -> str:
        """Name the network, and the SSRN that spoke where it was not always the same."""
        ssrn_steps = {one.sample.ssrn_step for one in self._rows if one.sample}
        own = row.sample.ssrn_step if row.sample else None
        if own is None or row.network == "ssrn":
            return NETWORK_TITLES[row.network]
        worth_saying = len(ssrn_steps) > 1 or self.size.width >= _SSRN_FROM
        ssrn = f" · SSRN {formatting.short_steps(own)}" if worth_saying else ""
        return NETWORK_TITLES[row.network] + ssrn

    def _mark(self, row: SampleRow) -> Text:
        """Say whether a sample is new, was heard, is playing or is still to be made."""
        sounding, played = self._sound
        sample = row.sample
        speaking = self._snapshot.speaking if self._snapshot else None
        if sample is None:
            is_made = speaking and (speaking.step, speaking.sentence) == (row.step, self.sentence)
            text, style = ("speaking…", "bold") if is_made else (_UNSPOKEN, "dim italic")
        elif sounding is not None and sounding in (sample.path, sample.original):
            text, style = _PLAYING, "bold"
        elif sample.heard or sample.path in played:
            text, style = "  heard", "dim"
        else:
            text, style = "● new", "bold"
        # As wide as it may become: what stands behind it keeps its place.
        widest = _PLAYING if all(one.sample for one in self._rows) else _UNSPOKEN
        return Text(text.ljust(len(widest)), style=style)

    def _tags(self, row: SampleRow, room: int) -> Text:
        """Say what is special about a row, in about `room` cells."""
        sample, checkpoint = row.sample, row.checkpoint
        note = printable(sample.note) if sample else ""
        best = best_words(checkpoint) if checkpoint else ""
        tags = {
            "marked": (row.network, row.step) in self.marked,
            best: True,
            _misread(sample, room - len(best)) if sample else "": True,
            "base": checkpoint is not None and checkpoint.base and note != "base",
            note: True,
            "automatic": sample is not None and sample.automatic and self._is_roomy,
        }
        return Text(" · ".join(tag for tag, holds in tags.items() if tag and holds))

    def _show_title(self) -> None:
        several = ""
        if len(self._sentences) > 1:
            several = f" · {self._sentences.index(self.sentence) + 1} of {len(self._sentences)}"
        sentence = f" · “{printable(self.sentence)}”" if self.sentence else ""
        self.border_title = Content.assemble(f"samples{several}", (sentence, "$foreground"))

    def say_state(self, speaking: bool, unavailable: str) -> None:
        """Show whether a sample is being made, and whether it can be played."""
        if (speaking, unavailable) == self._said:
            return
        self._said = (speaking, unavailable)
        if speaking:
            self.border_subtitle = Content.styled("speaking…", "bold $training")
        else:
            self.border_subtitle = Content(
                "no sound here · l listen · y copy" if unavailable else ""
            )


def _misread(sample: Sample, room: int) -> str:
    """Say which words were misread; how many, where there is no room for words."""
    misread = sample.misreadings
    if not misread:
        return ""
    words = formatting.misreading_words(misread, room - len("✗  · "))
    return f"✗ {words if room >= _WORDS_FROM else len(misread)}"
