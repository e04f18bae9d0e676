"""What a check measured: figures, lengths, and characters outside the vocabulary."""

from collections.abc import Iterable

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from engine.check.report import CheckReport, Histogram
from engine.formatting import printable
from tui.reports import check_words as words

_NAME = 15
"""Cells of the longest name of a figure."""


class LengthBars(Static):
    """A histogram of clip lengths that fills the panel."""

    def __init__(self) -> None:
        super().__init__(id="lengths", classes="panel", markup=False)
        self._lengths: Histogram | None = None

    def show(self, lengths: Histogram) -> None:
        """Take other lengths."""
        self._lengths = lengths
        self.refresh(layout=True)

    def render(self) -> Content:
        """Draw one bar a line."""
        if self._lengths is None:
            return Content("")
        bars = words.bars(self._lengths)
        label = max((len(bar.label) for bar in bars), default=0)
        count = max((len(f"{bar.count:,}") for bar in bars), default=0)
        room = max(4, self.content_size.width - label - count - 3)
        return Content("\n").join(
            Content.assemble(
                (f"{bar.label:>{label}} ", "$quiet"),
                (f"{bar.count:>{count},} ", ""),
                ("█" * bar.cells(room), "$primary"),
            )
            for bar in bars
        )


class CheckFigures(VerticalScroll):
    """Three panels, side by side where there is room and one under the other elsewhere."""

    def __init__(self) -> None:
        super().__init__(id="figures", can_focus=True)
        self._shown: tuple[CheckReport, bool] | None = None
        self._facts = Static("", id="facts", classes="panel", markup=False)
        self._lengths = LengthBars()
        self._unknown = Static("", id="unknown", classes="panel", markup=False)

    def compose(self) -> ComposeResult:
        """Title the panels and lay them out."""
        self._facts.border_title = "figures"
        self._lengths.border_title = "clips by length"
        self._unknown.border_title = "characters outside the vocabulary"
        yield self._facts
        yield self._lengths
        yield self._unknown

    def show(self, report: CheckReport, *, measuring: bool) -> None:
        """Show a report, and whether the training time is still being measured (`measuring`)."""
        if (report, measuring) == self._shown:
            return
        self._shown = (report, measuring)
        estimates = [line for one in report.estimates for line in words.short_estimate(one)]
        if measuring:
            estimates.append(("training", "measuring speed…"))
        listed = [*words.facts(report), *estimates, *words.coverage(report.coverage)]
        self._facts.update(_named(listed))
        self._lengths.show(report.lengths)
        self._unknown.update(_unknown(report))


def _named(listed: Iterable[tuple[str, str]]) -> Content:
    return Content("\n").join(
        Content.assemble((f"{name:<{_NAME}} ", "$quiet"), figure) for name, figure in listed
    )


def _unknown(report: CheckReport) -> Content:
    if not report.unknown:
        return Content.styled("none", "$quiet")
    lines = []
    for character in report.unknown:
        symbol, times, becomes = words.unknown(character)
        lines.append(
            Content.assemble(
                (f"{symbol} ", "bold"),
                f"{times} {becomes}",
                (f" · line {character.line:,} ", "$quiet"),
                printable(character.example),
            )
        )
    return Content("\n").join(lines)
